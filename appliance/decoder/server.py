"""The decoder's parent: accepts, forks one confined process a job, never looks at a payload."""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import socket
import struct
import time
from dataclasses import dataclass, field
from importlib import import_module

from appliance.decoder.confine import Confinement
from appliance.decoder.job import Worker, run_child
from appliance.errors import BadInput, EnvironmentProblem, NegatoError
from appliance.imaging.jobs import MAX_PAYLOAD, pack_error


@dataclass(frozen=True, slots=True)
class Limits:
    """What the decoder may take: jobs at once, seconds and bytes a job, and who may ask (``None``: our
    own user)."""

    jobs: int = 2
    seconds: float = 60.0
    max_payload: int = MAX_PAYLOAD
    confinement: Confinement = field(default_factory=Confinement)
    peer_uids: frozenset[int] | None = None


@dataclass(slots=True)
class _Running:
    pid: int
    handle: int
    connection: socket.socket
    deadline: float
    answering: mmap.mmap
    timed_out: bool = False


def serve(
    listener: socket.socket,
    limits: Limits | None = None,
    *,
    worker: Worker | None = None,
    stop: int | None = None,
) -> None:
    """Serve jobs on an AF_UNIX listener until descriptor ``stop`` becomes readable (never, by default).

    Must run in a process of its own, single-threaded: it forks, and reaps only its own children.
    """
    Server(listener, limits or Limits(), worker).run(stop)


class Server:
    """The state of one parent: its listener and the jobs that run."""

    def __init__(self, listener: socket.socket, limits: Limits, worker: Worker | None = None) -> None:
        # a thread pool would not survive the fork; it must be off before numpy is loaded
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # a job can load nothing any more: whatever it needs is loaded here, or in Worker.prepare
        import_module("appliance.imaging.frames")
        import_module("appliance.imaging.codecs").preload()
        self._listener = listener
        self._limits = limits
        self._worker = worker or Worker(limits.confinement, limits.max_payload)
        self._uids = limits.peer_uids if limits.peer_uids is not None else frozenset({os.geteuid()})
        self._running: dict[int, _Running] = {}

    def run(self, stop: int | None = None) -> None:
        """Serve until ``stop`` is readable, then end what runs."""
        self._listener.setblocking(False)
        try:
            while True:
                ready = self._wait(stop)
                if stop is not None and stop in ready:
                    return
                for handle in [handle for handle in self._running if handle in ready]:
                    self._finish(self._running.pop(handle))
                self._enforce_time()
                if self._listener.fileno() in ready:
                    self._accept()
        finally:
            for job in self._running.values():
                os.kill(job.pid, signal.SIGKILL)
                self._finish(job)
            self._running.clear()

    def _wait(self, stop: int | None) -> set[int]:
        poll = select.poll()
        for handle in self._running:
            poll.register(handle, select.POLLIN)
        if len(self._running) < self._limits.jobs:
            poll.register(self._listener, select.POLLIN)
        if stop is not None:
            poll.register(stop, select.POLLIN)
        waiting = [job.deadline for job in self._running.values() if not job.timed_out]
        timeout = None if not waiting else max(0.0, min(waiting) - time.monotonic()) * 1000 + 1
        return {descriptor for descriptor, _ in poll.poll(timeout)}

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        connection.setblocking(True)
        if _peer_uid(connection) not in self._uids:
            connection.close()
            return
        answering = mmap.mmap(-1, 1)
        try:
            pid = os.fork()
        except OSError:
            self._decline(connection, EnvironmentProblem("The machine has no room for a job.", "Try again."))
            return
        if pid == 0:
            run_child(self._worker, connection, answering)
        deadline = time.monotonic() + self._limits.seconds
        handle = os.pidfd_open(pid)
        self._running[handle] = _Running(pid, handle, connection, deadline, answering)

    def _enforce_time(self) -> None:
        now = time.monotonic()
        for job in self._running.values():
            if not job.timed_out and now >= job.deadline:
                job.timed_out = True
                os.kill(job.pid, signal.SIGKILL)

    def _finish(self, job: _Running) -> None:
        """Reap a child; if it died before it began to answer, answer for it."""
        _, status = os.waitpid(job.pid, 0)
        os.close(job.handle)
        if status != 0 and job.answering[0] == 0:
            reason = "it took too long" if job.timed_out else "the decoder stopped while reading it"
            self._decline(job.connection, BadInput(f"The image cannot be decoded: {reason}."))
        with contextlib.suppress(OSError):
            job.connection.shutdown(socket.SHUT_RDWR)
        job.connection.close()
        job.answering.close()

    @staticmethod
    def _decline(connection: socket.socket, error: NegatoError) -> None:
        with contextlib.suppress(OSError):
            connection.setblocking(False)
            connection.send(pack_error(error))
        connection.close()


def _peer_uid(connection: socket.socket) -> int:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", raw)[1]
    return uid
