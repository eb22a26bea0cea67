"""Uploads that stop in the middle and stay there until the test lets go."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

PIECE = 256 * 1024


class Released(Exception):
    """The upload was cut by the test."""


class HoldingProxy:
    """Passes one connection on to ``port``, but of the sender's bytes only the first ``limit``."""

    def __init__(self, port: int, limit: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.held = threading.Event()
        self._limit = limit
        self._server = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=self._pass_on, daemon=True).start()

    def _pass_on(self) -> None:
        with contextlib.suppress(OSError):
            self._client, _ = self._listener.accept()
            threading.Thread(target=self._pass_back, daemon=True).start()
            passed = 0
            while passed < self._limit and (data := self._client.recv(min(PIECE, self._limit - passed))):
                self._server.sendall(data)
                passed += len(data)
            self.held.set()

    def _pass_back(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(PIECE):
                self._client.sendall(data)

    def cut(self) -> None:
        """Close every connection."""
        for one in (self._listener, self._server, getattr(self, "_client", self._listener)):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class HeldBody:
    """A request body that gives its first ``limit`` bytes, then waits and breaks off."""

    def __init__(self, data: bytes, limit: int) -> None:
        self._data = memoryview(data)[:limit]
        self.held = threading.Event()
        self.go = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._data), PIECE):
            yield bytes(self._data[start : start + PIECE])
        self.held.set()
        self.go.wait(60)
        raise Released
