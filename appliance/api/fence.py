"""What each place may ask for at all: pages in the tunnel, one page for the recovery sheet, nothing elsewhere."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.api.errors import answer_error
from appliance.api.visitors import Visitors
from appliance.errors import NegatoError, NotLoggedIn, Refused

# What the recovery sheet's tunnel reaches; pages are files and tell nothing.
RECOVERY = frozenset({"/healthz", "/api/status", "/api/session/device", "/api/recovery", "/api/recovery/device"})


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
        if where.place == "elsewhere":
            await answer_error(NotLoggedIn("Nobody is let in at this address.", "Use a device that was let in."))(
                scope, receive, send
            )
            return
        if where.place == "recovery" and data and path not in RECOVERY:
            await answer_error(Refused("The recovery sheet's tunnel leads to its own page alone."))(
                scope, receive, send
            )
            return
        await self._app(scope, receive, send)
