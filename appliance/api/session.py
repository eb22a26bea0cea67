"""Logging in unlocks, logging out of the last session locks."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from appliance.api.browser_cookie import give_secret, shown_secret
from appliance.api.errors import answer_error
from appliance.api.gate import COOKIE, Gate, open_to_all
from appliance.api.visitors import Visitors
from appliance.enrol.claims import NotClaimed, holds, new_secret
from appliance.enrol.enrolment import Enrolment, Hand
from appliance.errors import EnvironmentProblem, NegatoError, Refused
from appliance.keyring.client import AgentClient, Browser
from appliance.people.models import Person
from appliance.people.store import People
from appliance.retrieve.reading import Reader

OPENING_SECONDS = 30.0
_UNKNOWN = secrets.token_bytes(32)


class AuditHead(BaseModel):
    """Number and hash of a line of the key agent's audit log."""

    model_config = ConfigDict(extra="forbid")

    seq: int = Field(ge=0, lt=10**15)
    hash: str = Field(pattern="^[0-9a-f]{64}$")


class Credentials(BaseModel):
    """What somebody types to log in, with the audit head that the page remembers from the last time."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    user: str = Field(max_length=64)
    password: str = Field(max_length=1024)
    audit_head: AuditHead | None = None


class Session(BaseModel):
    """Who is logged in."""

    user: str
    role: str


class Password(BaseModel):
    """A passphrase, and the shorter password that is to replace it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    passphrase: str = Field(max_length=1024)
    password: str = Field(max_length=1024)


class Approval(BaseModel):
    """A code of eight digits, good once and for five minutes."""

    code: str


class Opening(Session):
    """Who has just logged in.

    The page remembers ``audit_head`` and sends it at the next login. ``rolled_back`` is an alarm: the head that was
    sent is not part of the audit log any more, so the disk was put back to an earlier day or the log was replaced.
    """

    audit_head: AuditHead
    rolled_back: bool


def session_router(
    gate: Gate,
    agent: AgentClient,
    people: People,
    visitors: Visitors,
    enrolment: Enrolment,
    hand: Hand,
    wait_open: Callable[[float], bool],
    forget: Callable[[str], None],
) -> APIRouter:
    """Return the routes of one's own session. ``forget`` drops the file keys given to a lease."""

    async def require_browser(request: Request, person: Person | None) -> Browser | None:
        """Return the claimed browser that asks, ``None`` at the box itself; :class:`NotClaimed` for any other."""
        where = await visitors.at(request.client.host if request.client else "", fresh=True)
        device = where.device
        if device is None:
            return None
        shown = shown_secret(request)
        # A practice's own computer is used by several people, a phone by one.
        whose = device.kind == "practice_pc" or (person is not None and device.person == person.id)
        if not whose or not holds(device, shown):
            await asyncio.to_thread(hand.note, "other_browser", device.id, device.person)
            raise NotClaimed(
                "This browser was not let in on this device, or the device is another person's.",
                "Use the browser that was claimed, or ask the owner.",
            )
        return Browser(device.id, shown, new_secret())

    router = APIRouter(prefix="/api/session", tags=["session"])

    @router.post("", dependencies=[Depends(open_to_all)])
    async def log_in(credentials: Credentials, request: Request) -> Opening:
        """Log in; the archive is unlocked by it and the cookie is the session."""
        person = people.by_name(credentials.user)
        who = person.id if person else _nobody(credentials.user)
        seen = (credentials.audit_head.seq, credentials.audit_head.hash) if credentials.audit_head else None
        gate.require_open()
        try:
            browser = await require_browser(request, person)
            token, lease = await asyncio.to_thread(agent.login, who, credentials.password, seen, browser)
        except NotClaimed as error:
            return answer_error(error, 401, "not_claimed")  # type: ignore[return-value]  # as below
        except Refused as error:
            return answer_error(error, 401)  # type: ignore[return-value]  # FastAPI passes a Response through
        try:
            if browser is not None:
                await asyncio.to_thread(enrolment.renew, browser.device, browser.shown, browser.fresh)
            found = people.by_id(lease.person)
            gate.require_open()
            if found is None or not await asyncio.to_thread(wait_open, OPENING_SECONDS):
                gate.require_open()
                raise EnvironmentProblem("The archive did not open.", "Try again; if it stays, ask for help.")
        except NegatoError:
            # Nobody gets this token: the lease would keep the keys in memory for nobody.
            await asyncio.to_thread(agent.logout, token)
            raise
        seq, digest = lease.audit_head
        opening = Opening(
            user=found.name,
            role=found.role,
            audit_head=AuditHead(seq=seq, hash=digest),
            rolled_back=lease.rolled_back,
        )
        answer = JSONResponse(opening.model_dump())
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https")
        if browser is not None:
            give_secret(answer, request, browser.fresh)
        return answer  # type: ignore[return-value]  # FastAPI passes a Response through

    @router.get("")
    async def who(reader: Reader = Depends(gate.reader)) -> Session:
        """Tell who is logged in on this session."""
        person = people.by_id(reader.person)
        if person is None:
            raise Refused("This person is not known any more.", "Ask the owner of the box.")
        return Session(user=person.name, role=person.role)

    @router.post("/password", status_code=204)
    async def shorten(change: Password, request: Request, reader: Reader = Depends(gate.reader)) -> Response:
        """Replace one's passphrase by a shorter password, which then needs this browser as well; not for owners."""
        person = people.by_id(reader.person)
        if person is None or person.role == "owner":
            raise Refused(
                "An owner keeps a passphrase: it also works at the box itself.", "Choose a short password for others."
            )
        shown = shown_secret(request)
        await asyncio.to_thread(agent.shorten, reader.token, change.passphrase, change.password, shown)
        return Response(status_code=204)

    @router.post("/approval")
    async def approve(reader: Reader = Depends(gate.reader)) -> Approval:
        """Return a code with which a further browser of one's own can be claimed."""
        return Approval(code=await asyncio.to_thread(agent.approve, reader.token))

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


def _nobody(name: str) -> str:
    """Return an id that nobody has, the same for the same name: wrong guesses slow each name down alike.

    Keyed, so that the audit log does not tell what was typed: it may have been a passphrase.
    """
    return hashlib.blake2b(name.encode("utf-8", "replace"), key=_UNKNOWN, digest_size=8).hexdigest()
