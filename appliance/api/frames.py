"""Pictures for the page: one frame as plain numbers, its layout in a header."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Response

from appliance.api.gate import Gate
from appliance.errors import NotFound
from appliance.index.store import Index
from appliance.retrieve.pictures import Pictures
from appliance.retrieve.reading import Reader

LAYOUT = "Negato-Frame"
FRAME: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


def frames_router(gate: Gate, index: Callable[[], Index], pictures: Pictures) -> APIRouter:
    """Return the route of frames."""
    router = APIRouter(prefix="/api/instances", tags=["frames"])

    @router.get("/{key}/frames/{number}", response_class=Response, responses=FRAME)
    async def frame(key: str, number: int, reader: Reader = Depends(gate.reader)) -> Response:
        """Return frame ``number``, from 1: little endian, interleaved stored values, colours as RGB."""
        entry = index().instance_by_key(key)
        if entry is None or number < 1:
            raise NotFound("There is no such picture.", "Look in the list of studies.")
        layout, samples = await asyncio.to_thread(pictures.view, reader, index(), entry, number)
        return Response(samples, media_type="application/octet-stream", headers={LAYOUT: json.dumps(asdict(layout))})

    return router
