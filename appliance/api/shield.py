"""What stands around every answer: which hosts and origins may ask, and what a browser may do with it.

The Host list stops DNS rebinding: a stranger's name that resolves to this box is not ours. Addresses written as
numbers are let through, since no name was rebound to reach them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appliance.api.errors import answer_error
from appliance.errors import BadInput, Refused

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LARGEST_BODY = 64 * 1024
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Shield:
    """ASGI middleware in front of everything."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = (), uploads: str = "/dicom-web/studies") -> None:
        """Answer for ``localhost``, for numeric addresses and for ``hosts``; only ``uploads`` may take large bodies."""
        self._app = app
        self._hosts = {"localhost", *(host.lower() for host in hosts)}
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, then pass it on with guarded ``receive`` and ``send``."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        guarded = _with_headers(send)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await answer_error(refusal)(scope, receive, guarded)
            return
        upload = scope["method"] == "POST" and scope["path"].startswith(self._uploads)
        await self._app(scope, receive if upload else _limited(receive), guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> BadInput | Refused | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return BadInput("This box does not answer to that name.", "Use the address it was set up with.")
        origin = headers.get("origin")
        if scope["method"] not in SAFE and origin is not None and _site(origin) != host:
            return Refused("This request comes from another site's page.", "Open the box's own page.")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and scope["method"] not in SAFE:
            return Refused("This request comes from another site's page.", "Open the box's own page.")
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            if name in self._hosts:
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _site(origin: str) -> str | None:
    """Return host and port of an origin, ``None`` for what is no URL (half a bracket, e.g.)."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
            message["headers"] = headers.raw
        await send(message)

    return guarded


def _limited(receive: Receive) -> Receive:
    taken = 0

    async def limited() -> Any:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > LARGEST_BODY:
                # FastAPI reads the body, and answers whatever else is raised meanwhile as a body that is malformed.
                raise HTTPException(413)
        return message

    return limited
