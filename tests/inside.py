"""HTTP out of another network namespace: connections are opened by a thread that lives there."""

from __future__ import annotations

import ctypes
import os
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

CLONE_NEWNET = 0x40000000


class Inside(httpx.BaseTransport):
    """Opens its connections in the namespace that ``network`` names (/run/netns/... or /proc/.../ns/net)."""

    def __init__(self, network: Path, address: str | None = None, verify: ssl.SSLContext | bool = True) -> None:
        """``address`` is where connections come from, if it matters; ``verify`` is whose certificates are taken."""
        self._executor = ThreadPoolExecutor(1, initializer=_enter, initargs=(network,))
        self._transport = httpx.HTTPTransport(local_address=address, verify=verify)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return its answer."""
        return self._executor.submit(self._transport.handle_request, request).result()

    def close(self) -> None:
        """End the connections and their thread."""
        self._executor.submit(self._transport.close).result()
        self._executor.shutdown()


def _enter(network: Path) -> None:
    """Move this thread into a namespace (setns(2))."""
    fd = os.open(network, os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(fd)
