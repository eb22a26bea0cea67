"""The web application put together from its routers, each behind the gate unless marked as open to all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from appliance import __version__
from appliance.api.compress import CompressJson
from appliance.api.errors import register
from appliance.api.fence import Fence
from appliance.api.gate import Gate, open_to_all
from appliance.api.handover import Handover, Origins
from appliance.api.pages import page_route
from appliance.api.shield import Shield
from appliance.api.visitors import Visitors


def build(
    gate: Gate,
    visitors: Visitors,
    origins: Origins,
    routers: Sequence[APIRouter],
    pages: Path | None,
    hosts: Iterable[str],
) -> FastAPI:
    """Return the application; :class:`AssertionError` when a route names neither the gate nor that it is open.

    No documentation pages are served and requests are not logged: an address may hold what a client searched for.
    """
    app = FastAPI(title="Négatoscope", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
    register(app)
    for router in routers:
        app.include_router(router)
    for route in app.routes:
        if isinstance(route, APIRoute) and not _guarded(route, gate):
            raise AssertionError(f"The route {route.path} names no permission.")
    app.router.routes.append(page_route(pages))
    app.add_middleware(CompressJson)
    app.add_middleware(Handover, origins=origins, visitors=visitors)
    app.add_middleware(Fence, visitors=visitors)
    app.add_middleware(Shield, hosts=tuple(hosts))
    return app


def _guarded(route: APIRoute, gate: Gate) -> bool:
    return bool({gate.reader, open_to_all} & set(_calls(route.dependant)))


def _calls(dependant: Any) -> Iterable[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for below in dependant.dependencies:
        yield from _calls(below)
