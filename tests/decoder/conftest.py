"""A real decoder process behind a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.decoder.job import Worker
from appliance.decoder.server import Limits, serve
from appliance.retrieve.decoder import Decoder


@dataclass
class Running:
    """A decoder's parent process and a client of it."""

    pid: int
    path: Path
    client: Decoder

    def memory(self) -> int:
        """Return the resident anonymous memory of the parent in KiB, which no other process's end changes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
        raise AssertionError("no memory figure")

    def alive(self) -> bool:
        return os.waitpid(self.pid, os.WNOHANG) == (0, 0)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    stops: list[tuple[int, int]] = []

    def begin(limits: Limits | None = None, worker: Worker | None = None) -> Running:
        path = tmp_path / f"{len(stops)}.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(16)
        readable, writable = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(writable)
                serve(listener, limits, worker=worker, stop=readable)
            finally:
                os._exit(0)
        os.close(readable)
        listener.close()
        stops.append((pid, writable))
        return Running(pid, path, Decoder(path, timeout=30))

    yield begin
    for pid, writable in stops:
        os.close(writable)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            continue
