"""Two origins, one home: the pages live at http://ADDRESS or at https://NAME, and a claimed browser moves with them.

A browser keeps the claim's cookie for one origin, and every login makes the other origin's cookie an old one. Whoever
opens the other one is sent to where the pages live, with a code that is good once, for a minute and for this device:
there the same secret becomes that origin's cookie. A browser that is not known at home asks at the other origin once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.api.browser_cookie import give_secret, shown_secret
from appliance.api.gate import open_to_all
from appliance.api.visitors import Visitors
from appliance.enrol.claims import holds

CODE_SECONDS = 60.0
LEAVE, ARRIVE = "/api/session/leave", "/api/session/arrive"


@dataclass(frozen=True, slots=True)
class Origins:
    """``plain`` is http://ADDRESS, ``named`` https://NAME; the pages live at ``named`` where ``secure``, once it is
    ``ready``: before there is a certificate nobody is sent to a door that does not open."""

    secure: bool
    plain: Callable[[], str]
    named: str
    ready: Callable[[], bool]

    def home(self) -> str:
        """Return the scheme of the origin where the pages live."""
        return "https" if self.secure and self.ready() else "http"

    def address(self) -> str:
        """Return the origin where the pages live."""
        return self.named if self.home() == "https" else self.plain()

    def other(self) -> str:
        """Return where a browser may ask whether the other origin knows it; empty where there is no other."""
        if not self.ready():
            return ""
        return f"{self.plain() if self.home() == 'https' else self.named}{LEAVE}"


class Handover:
    """ASGI middleware: who opens the first page at the other origin, on a device, is sent home."""

    def __init__(self, app: ASGIApp, origins: Origins, visitors: Visitors) -> None:
        self._app = app
        self._origins = origins
        self._visitors = visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or send its browser away."""
        first = scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", "/")
        if first and scope["scheme"] != self._origins.home():
            where = await self._visitors.at((scope.get("client") or ("", 0))[0])
            if where.place == "device":
                await RedirectResponse(LEAVE, 303)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def handover_router(origins: Origins, visitors: Visitors) -> APIRouter:
    """Return the two routes of the way from one origin to the other."""
    router = APIRouter(tags=["claim"], include_in_schema=True)
    waiting: dict[str, tuple[float, str, str]] = {}

    @router.get(LEAVE, dependencies=[Depends(open_to_all)], status_code=303)
    async def leave(request: Request) -> Response:
        """Send a browser to where the pages live; a claimed one with a code for its secret."""
        where, shown = await visitors.of(request), shown_secret(request)
        home = origins.address()
        if request.url.scheme == origins.home():
            return RedirectResponse("/", 303)
        if where.device is None or not holds(where.device, shown):
            return RedirectResponse(f"{home}/", 303)
        now, code = time.monotonic(), secrets.token_urlsafe(32)
        for old in [one for one, (ends, device, _) in waiting.items() if ends < now or device == where.device.id]:
            del waiting[old]
        waiting[code] = (now + CODE_SECONDS, where.device.id, shown)
        return RedirectResponse(f"{home}{ARRIVE}?code={code}", 303)

    @router.get(ARRIVE, dependencies=[Depends(open_to_all)], status_code=303)
    async def arrive(request: Request, code: str = "") -> Response:
        """Give a browser its secret as this origin's cookie, once for a code and on its own device."""
        where = await visitors.of(request)
        ends, device, secret = waiting.pop(code, (0.0, "", ""))
        answer = RedirectResponse("/", 303)
        if where.device is not None and where.device.id == device and time.monotonic() < ends:
            give_secret(answer, request, secret)
        return answer

    return router
