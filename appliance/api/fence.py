"""What each place may ask for at all: pages in the tunnel, one page for the recovery sheet, nothing elsewhere."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.api.errors import answer_error
from appliance.api.visitors import Visitors
from appliance.errors import NegatoError, Refused

# What the recovery sheet's tunnel reaches; pages are files and tell nothing.
RECOVERY = frozenset({"/healthz", "/api/status", "/api/session/device", "/api/recovery"})


class Fence:
    """ASGI middleware: refuses what a place may not ask for, before any route is looked at."""

    def __init__(self, app: ASGIApp, visitors: Visitors) -> None:
        self._app = app
        self._visitors = visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            where = await self._visitors.at((scope.get("client") or ("", 0))[0])
        except NegatoError as error:
            await answer_error(error)(scope, receive, send)
            return
        path = scope["path"]
        data = path.startswith(("/api/", "/dicom-web"))
        if where.place == "elsewhere" or (where.place == "recovery" and data and path not in RECOVERY):
            refusal = Refused("This address may not ask for that.", "Use a device that was let in.")
            await answer_error(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)
