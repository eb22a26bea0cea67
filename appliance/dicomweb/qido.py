"""QIDO-RS over HTTP: the Search transaction of PS3.18 10.6.

Answers are ``application/dicom+json``. No result is 200 with ``[]``: PS3.18 8.3.4.4.1 asked for 204, CP-2473
corrects that to 200, and an empty array is what every client can parse. What a query asks that is not supported is
ignored and named in a Warning header (PS3.18 8.3).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from appliance.dicom.matching import Level, parse_query
from appliance.errors import BadInput
from appliance.index.store import Index

MEDIA_TYPE = "application/dicom+json"
MOST_NAMED = 10  # ignored parameters in a Warning; of further ones the number
_NAMEABLE = re.compile(r"[A-Za-z0-9_]{1,64}")
_ACCEPTED = frozenset({"*/*", "application/*", MEDIA_TYPE, "application/json"})

RESOURCES: tuple[tuple[str, Level], ...] = (
    ("/studies", "studies"),
    ("/series", "series"),
    ("/instances", "instances"),
    ("/studies/{study}/series", "series"),
    ("/studies/{study}/instances", "instances"),
    ("/studies/{study}/series/{series}/instances", "instances"),
)


class SearchService(Protocol):
    """What the composition hands in."""

    def index(self) -> Index:
        """Return the open index; raises :class:`Locked` while there is none."""

    def base_url(self, request: Request) -> str:
        """Return the absolute URL of the DICOMweb root, without a slash at the end."""


def qido_router(service: SearchService) -> APIRouter:
    """Return the six search resources (PS3.18 Table 10.6.1-1), to be included behind the session's
    dependency.

    Errors of the house (:class:`Locked`, :class:`BadInput`...) are raised through to the composition's table.
    """
    router = APIRouter()
    for path, level in RESOURCES:
        name = f"search_{path.strip('/').replace('/{study}', '').replace('/{series}', '').replace('/', '_')}"
        handler = _handler(service, level)
        router.add_api_route(path, handler, methods=["GET"], name=name, operation_id=name, response_class=Response)
    return router


def _handler(service: SearchService, level: Level) -> Callable[[Request], Awaitable[Response]]:
    async def search(request: Request) -> Response:
        index = service.index()
        if not acceptable(request):
            return Response("Only application/dicom+json is served here.\n", 406, media_type="text/plain")
        path = request.path_params
        if len(request.url.query) > 65536:
            raise BadInput("The query is too long.", "Ask for fewer UIDs at a time.")
        query = parse_query(level, request.query_params.multi_items(), path.get("study"), path.get("series"))
        # In a thread: an unindexed condition reads many rows, and the event loop has pictures to deliver.
        body, more = await run_in_threadpool(index.search, query, service.base_url(request))
        headers = {"Cache-Control": "no-store"}
        warnings = ["There are additional results that can be requested"] if more else []
        if query.ignored:
            warnings.append(f"Ignored as not supported here: {_named(query.ignored)}")
        if warnings:
            headers["Warning"] = ", ".join(f'299 negatoscope "{text}"' for text in warnings)
        return Response(body, media_type=MEDIA_TYPE, headers=headers)

    return search


def _named(ignored: Sequence[str]) -> str:
    """Return names for a header: none that could end its text, and not so many that a client refuses the header."""
    named = [name for name in ignored if _NAMEABLE.fullmatch(name)][:MOST_NAMED]
    others = len(ignored) - len(named)
    return ", ".join([*named, f"{others} unnamed"] if others else named)


def acceptable(request: Request) -> bool:
    """Say whether the client takes DICOM JSON, by parameter, else by header (PS3.18 8.3.3.1)."""
    asked = request.query_params.get("accept") or ",".join(request.headers.getlist("accept")) or "*/*"
    for entry in asked.split(","):
        media, *parameters = (part.strip().lower() for part in entry.split(";"))
        refused = any(p.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for p in parameters)
        if media in _ACCEPTED and not refused:
            return True
    return False
