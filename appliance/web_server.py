"""The listeners of the pages: plain HTTP, and HTTPS beside it from the moment that there is a certificate."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from appliance.logs import log

LOOK_SECONDS = 2.0
JUDGE_SECONDS = 60.0
OPTIONS: dict[str, Any] = {
    "access_log": False,
    "log_config": None,
    "server_header": False,
    "date_header": False,
    "timeout_graceful_shutdown": 2,
    "limit_concurrency": 256,
}


class Certificate:
    """A chain and its key (PEM) as an ACME client keeps them; read again when they change, without a restart."""

    def __init__(self, chain: Path, key: Path, name: str) -> None:
        """``name`` is what the certificate has to be for."""
        self._chain = chain
        self._key = key
        self._name = name
        self._good = False
        self._judged = 0.0
        self._read = self._refused = 0
        self._told = (0, "")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2

    @property
    def ready(self) -> bool:
        """Return whether a certificate was read that is in date and for the name; looked at once a minute."""
        if self._read and time.monotonic() - self._judged > JUDGE_SECONDS:
            self._good, self._judged = is_taken(self.context, self._chain, self._name), time.monotonic()
        return self._read != 0 and self._good

    def look(self) -> bool:
        """Read the files if they are there and new; return whether there is a certificate."""
        changed = 0
        try:
            # Also when only the rights changed, since lego writes for itself and they are widened afterwards.
            changed = max(self._chain.stat().st_ctime_ns, self._key.stat().st_ctime_ns)
            if changed not in (self._read, self._refused):
                # Tried apart first: a chain that does not fit its key would leave the one before half replaced.
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._chain, self._key)
                self.context.load_cert_chain(self._chain, self._key)
                self._read, self._judged = changed, 0.0 - JUDGE_SECONDS
                log("certificate_read")
        except FileNotFoundError:
            pass
        except (OSError, ssl.SSLError) as error:
            # Half-written, or not readable for this user: the one before goes on until the files change again.
            if changed == 0 or changed != self._refused:
                kind = type(error).__name__
                if (changed, kind) != self._told:
                    log("certificate_unreadable", kind=kind)
                self._told = (changed, kind)
            self._refused = changed
        return self._read != 0


def is_taken(server: ssl.SSLContext, chain: Path, name: str) -> bool:
    """Return whether a browser that trusts the chain's first certificate would take it for ``name`` today.

    Both ends shake hands in memory: OpenSSL looks at dates and names as a browser's library does.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    try:
        client.load_verify_locations(chain)
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        asking = client.wrap_bio(back, there, server_hostname=name)
        answering = server.wrap_bio(there, back, server_side=True)
        for _ in range(4):
            for end in (asking, answering):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
    except (OSError, ssl.SSLError) as error:
        log("certificate_not_taken", reason=getattr(error, "verify_message", "") or type(error).__name__)
        return False
    return True


class WebServer:
    """Serves one application at one or two listeners until it is told to end."""

    def __init__(
        self, app: Any, http: socket.socket, https: socket.socket | None, certificate: Certificate | None
    ) -> None:
        self._plain = uvicorn.Server(uvicorn.Config(app, **OPTIONS))
        self._app = app
        self._http = http
        self._https = https
        self._certificate = certificate

    def end(self) -> None:
        """End :meth:`run`; may be called from any thread."""
        self._plain.should_exit = True

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or :meth:`end`."""
        with asyncio.Runner(loop_factory=self._plain.config.get_loop_factory()) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        beside = None
        if self._https is not None:
            beside = asyncio.create_task(self._serve_tls(self._https, self._certificate))
        await self._plain.serve(sockets=[self._http])
        if beside is not None:
            beside.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beside

    async def _serve_tls(self, listener: socket.socket, certificate: Certificate | None) -> None:
        listener.setblocking(False)
        while certificate is None or not certificate.look():
            await _turn_away(listener)
        server = _Beside(uvicorn.Config(self._app, lifespan="off", **OPTIONS))
        server.config.load()
        server.config.ssl = certificate.context
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not serving.done():
                await asyncio.wait([serving], timeout=LOOK_SECONDS)
                certificate.look()
        finally:
            server.should_exit = True
            await serving


class _Beside(uvicorn.Server):
    """A second server in one process: signals are the first one's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _turn_away(listener: socket.socket) -> None:
    """Close what connects while there is no certificate: a browser is told at once instead of left waiting."""
    with contextlib.suppress(TimeoutError, OSError):
        connection, _ = await asyncio.wait_for(asyncio.get_running_loop().sock_accept(listener), LOOK_SECONDS)
        connection.close()
