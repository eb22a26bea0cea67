"""Logging in unlocks, logging out of the last session locks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from appliance.api.errors import answer_error
from appliance.api.gate import COOKIE, Gate, open_to_all
from appliance.errors import EnvironmentProblem, NegatoError, Refused
from appliance.keyring.client import AgentClient
from appliance.people.store import People
from appliance.retrieve.reading import Reader

OPENING_SECONDS = 30.0


class Credentials(BaseModel):
    """What somebody types to log in."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    user: str = Field(max_length=64)
    password: str = Field(max_length=1024)


class Session(BaseModel):
    """Who is logged in."""

    user: str
    role: str


def session_router(
    gate: Gate,
    agent: AgentClient,
    people: People,
    wait_open: Callable[[float], bool],
    forget: Callable[[str], None],
) -> APIRouter:
    """Return the routes of one's own session. ``forget`` drops the file keys given to a lease."""
    router = APIRouter(prefix="/api/session", tags=["session"])

    @router.post("", dependencies=[Depends(open_to_all)])
    async def log_in(credentials: Credentials, request: Request) -> Session:
        """Log in; the archive is unlocked by it and the cookie is the session."""
        person = people.by_name(credentials.user)
        try:
            token, lease = await asyncio.to_thread(agent.login, person.id if person else "", credentials.password)
        except Refused as error:
            return answer_error(error, 401)  # type: ignore[return-value]  # FastAPI passes a Response through
        try:
            found = people.by_id(lease.person)
            if found is None or not await asyncio.to_thread(wait_open, OPENING_SECONDS):
                raise EnvironmentProblem("The archive did not open.", "Try again; if it stays, ask for help.")
        except NegatoError:
            # Nobody gets this token: the lease would keep the keys in memory for nobody.
            await asyncio.to_thread(agent.logout, token)
            raise
        answer = JSONResponse(Session(user=found.name, role=found.role).model_dump())
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https")
        return answer  # type: ignore[return-value]  # FastAPI passes a Response through

    @router.get("")
    async def who(reader: Reader = Depends(gate.reader)) -> Session:
        """Tell who is logged in on this session."""
        person = people.by_id(reader.person)
        if person is None:
            raise Refused("This person is not known any more.", "Ask the owner of the box.")
        return Session(user=person.name, role=person.role)

    @router.delete("", status_code=204)
    async def log_out(reader: Reader = Depends(gate.reader)) -> Response:
        """End this session; the last one locks the archive."""
        forget(reader.lease)
        gate.forget(reader.token)
        await asyncio.to_thread(agent.logout, reader.token)
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    return router
