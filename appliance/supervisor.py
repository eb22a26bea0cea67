"""Runs the processes of one appliance as children of one user and starts again what ends.

The supervisor holds the listening sockets, so a caller who comes while a process starts afresh waits instead of being
refused. The separation of users is systemd's; here is none.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from appliance import sockets
from appliance.errors import Damaged, EnvironmentProblem, NegatoError
from appliance.logs import log
from appliance.notify import SOCKET, SUPERVISOR
from appliance.paths import RunPaths

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
STABLE_SECONDS = 10.0
STOP_SECONDS = 10.0
# What a process says at its start that no second try would change.
FINAL: dict[int, type[NegatoError]] = {kind.exit_code: kind for kind in (EnvironmentProblem, Damaged)}


@dataclass(slots=True)
class Child:
    """One supervised process."""

    name: str
    listeners: tuple[socket.socket, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    started: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = field(default=0.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the sockets are: the directory of the local ones, HOST:PORT of pages and DICOM, and of pages with TLS if
    there are any; which ``further`` processes run beside the four."""

    run: Path
    http: str
    dicom: str
    further: tuple[str, ...] = ()
    https: tuple[str, ...] = ()


class Supervisor:
    """Starts, watches and stops the processes, which read their settings from the environment as it is."""

    def __init__(self, plan: Plan, on_ready: Callable[[], None]) -> None:
        """Bind every socket; :class:`EnvironmentProblem` when one cannot be had. ``on_ready`` is called once."""
        self._on_ready = on_ready
        self._stopping = False
        self._told = False
        plan.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        paths = RunPaths(plan.run)
        self._alone = _alone(plan.run)
        sockets.listen_tcp(plan.dicom).close()  # Only to say at once that it is taken.
        self._children = {
            "keyagent": Child("keyagent", (sockets.listen(paths.keyagent),)),
            "decoder": Child("decoder", (sockets.listen(paths.decoder),)),
            "receiver": Child("receiver"),
            "web": Child("web", tuple(map(sockets.listen_tcp, (plan.http, *plan.https)))),
        }
        further = {"netd": paths.netd, "courier": paths.courier}
        self._local = [paths.keyagent, paths.decoder, *(further[name] for name in plan.further)]
        self._children |= {name: Child(name, (sockets.listen(further[name]),)) for name in plan.further}
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._notify_name = f"@negatoscope-{secrets.token_hex(8)}"
        self._notify.bind("\0" + self._notify_name[1:])

    def run(self) -> None:
        """Supervise until SIGTERM or SIGINT; return when every child has ended."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        waker, wakes = socket.socketpair()
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno())
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        selector = selectors.DefaultSelector()
        selector.register(self._notify, selectors.EVENT_READ)
        selector.register(waker, selectors.EVENT_READ)
        try:
            while not self._stopping:
                self._start_due()
                for key, _ in selector.select(timeout=self._wait()):
                    if key.fileobj is waker:
                        waker.recv(4096)
                self._read_notes()
                self._reap()
                if not self._told and all(child.ready for child in self._children.values()):
                    self._told = True
                    self._on_ready()
        finally:
            signal.set_wakeup_fd(-1)
            self._stop_all()

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.process is None and child.due <= now:
                self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LISTEN_")}
        environment |= {SOCKET: self._notify_name, SUPERVISOR: str(os.getpid())}
        descriptors = tuple(listener.fileno() for listener in child.listeners)
        if descriptors:
            environment[sockets.HANDED_FD] = ",".join(map(str, descriptors))
        child.process = subprocess.Popen(
            [sys.executable, "-m", "appliance.cli.main", "run", child.name],
            env=environment,
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        child.started, child.ready = now, False

    def _wait(self) -> float:
        now = time.monotonic()
        due = [child.due - now for child in self._children.values() if child.process is None]
        return max(0.0, min(due, default=5.0))

    def _read_notes(self) -> None:
        while True:
            try:
                message = self._notify.recv(4096).decode("utf-8", "replace")
            except BlockingIOError:
                return
            fields = dict(line.partition("=")[::2] for line in message.splitlines())
            child = self._children.get(fields.get("X_PROCESS", ""))
            if child is not None and fields.get("READY") == "1":
                child.ready = True

    def _reap(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.process is None or (code := child.process.poll()) is None:
                continue
            child.process = None
            # Once all were ready, what stands in the way may pass: then the others go on and this one is tried again.
            if not self._told and not child.ready and code in FINAL:
                raise FINAL[code](f"The {child.name} could not start.", "Its reason stands above.")
            # SIGKILL comes from outside (out of memory, a hand): it says nothing of what the next start will do.
            stable = code in (0, -signal.SIGKILL) or now - child.started > STABLE_SECONDS
            child.pause = FIRST_PAUSE if stable else min(child.pause * 2, LONGEST_PAUSE)
            child.due = now if code == 0 else now + child.pause
            log("restart", ended=child.name, code=code)

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _stop_all(self) -> None:
        running = [child.process for child in self._children.values() if child.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for path in self._local:
            path.unlink(missing_ok=True)


def _alone(run: Path) -> int:
    """Return a descriptor that holds ``run`` for this supervisor until it ends, however it ends (flock(2)).

    A second one would take the first one's sockets away and leave its processes without each other.
    """
    descriptor = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise EnvironmentProblem(
            "This archive is being served already.", "Stop the other appliance, or use that one."
        ) from error
    return descriptor
