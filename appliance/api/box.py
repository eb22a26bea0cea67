"""The box itself: is it there, is it locked, lock it."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

from appliance import __version__
from appliance.api.gate import Gate, open_to_all
from appliance.archive.backend import Backend
from appliance.keyring.client import AgentClient


class Status(BaseModel):
    """What anybody in the tunnel may know: whether the archive is locked and how many images wait to be sorted."""

    locked: bool
    waiting: int
    version: str


def box_router(gate: Gate, agent: AgentClient, archive: Backend) -> APIRouter:
    """Return the routes of the box."""
    router = APIRouter(tags=["box"])

    @router.get("/healthz", dependencies=[Depends(open_to_all)], response_class=PlainTextResponse)
    async def health() -> str:
        """Say ``ok``."""
        return "ok"

    @router.get("/api/status", dependencies=[Depends(open_to_all)])
    def status() -> Status:
        """Tell whether the archive is locked."""
        return Status(locked=agent.locked(), waiting=len(archive.inbox()), version=__version__)

    @router.post("/api/lock", status_code=204, dependencies=[Depends(gate.reader)])
    async def lock() -> Response:
        """Lock the archive now; every session ends."""
        await asyncio.to_thread(agent.lock)
        gate.shut()
        return Response(status_code=204)

    return router
