"""The command line many times over: ``appliance.cli.main.main`` in a fresh fork of one process that has it loaded.

Exit code, standard input and both outputs are the command's own; only the half second in which Python and the libraries
start is spared. The environment is the one that the first process was started with.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn

LOADED = (
    "appliance.cli.main", "appliance.cli.audit", "appliance.cli.check", "appliance.cli.keys", "appliance.cli.open",
    "appliance.cli.status", "appliance.cli.study", "appliance.cli.user", "appliance.audit.verify",
    "appliance.ingest.decide", "appliance.keyring.possession", "appliance.people.store", "appliance.upkeep.deep_check",
)  # fmt: skip
REQUEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Done:
    """One command that has ended; a negative ``returncode`` is the signal that ended it."""

    returncode: int
    stdout: bytes
    stderr: bytes


class CommandLine:
    """Runs commands one after the other."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=dict(environment),
            )  # fmt: skip

    def __enter__(self) -> CommandLine:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._ours.close()
        self._process.wait(20)

    def run(self, *arguments: str, stdin: bytes = b"", pipe: bool = False, timeout: int = 60) -> Done:
        """Run one command to its end; ``stdin`` comes as a file or through a pipe."""
        with contextlib.ExitStack() as held:
            given = held.enter_context(_pipe(stdin)) if pipe else _file(stdin)
            if not pipe:
                held.callback(os.close, given)
            outputs = [_file(b""), _file(b"")]
            for fd in outputs:
                held.callback(os.close, fd)
            request = json.dumps({"arguments": arguments, "timeout": timeout}).encode()
            assert len(request) < REQUEST
            socket.send_fds(self._ours, [request], [given, *outputs])
            answer = self._ours.recv(REQUEST)
            assert answer, "the command line has gone"
            stdout, stderr = (os.pread(fd, os.fstat(fd).st_size, 0) for fd in outputs)
            return Done(int(answer), stdout, stderr)


def _file(content: bytes) -> int:
    fd = os.memfd_create("forked")
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


@contextlib.contextmanager
def _pipe(content: bytes) -> Iterator[int]:
    """Yield a pipe's reading end; what a command leaves unread is dropped, as a shell's writer is by SIGPIPE."""
    ours, theirs = os.pipe()

    def feed() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(theirs, "wb", buffering=0) as file:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        yield ours
    finally:
        os.close(ours)
        feeder.join()


def serve(requests: socket.socket) -> None:
    """Fork for each request until the other side has gone."""
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()  # What a fork does not touch need not be copied for it.
    while True:
        raw, fds, _, _ = socket.recv_fds(requests, REQUEST, 3)
        if not raw:
            return
        asked = json.loads(raw)
        pid = os.fork()
        if not pid:
            _become(asked["arguments"], array.array("i", fds).tolist(), asked["timeout"])
        for fd in fds:
            os.close(fd)
        requests.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _become(arguments: list[str], fds: list[int], timeout: int) -> NoReturn:
    """Be the command from here on, as the interpreter would have started it."""
    code = 1
    try:
        signal.alarm(timeout)
        for target, fd in enumerate(fds):
            os.dup2(fd, target)
        # What the interpreter keeps of a standard stream belongs to the file that it was when it started.
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        sys.argv = ["appliance", *arguments]
        from appliance.cli.main import main

        try:
            main()
            code = 0
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else 0 if ending.code is None else 1
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
