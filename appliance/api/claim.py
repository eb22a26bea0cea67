"""The first page in the tunnel: which device this is, and letting its browser in, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from appliance import clock
from appliance.api.browser_cookie import give_secret, shown_secret
from appliance.api.errors import answer_error
from appliance.api.gate import open_to_all
from appliance.api.handover import Origins
from appliance.api.visitors import Visitors
from appliance.clock import stamp
from appliance.enrol.claims import holds
from appliance.enrol.enrolment import Enrolment, Hand
from appliance.enrol.life import may_claim
from appliance.enrol.whereabouts import Whereabouts
from appliance.errors import Refused
from appliance.keyring.client import AgentClient
from appliance.people.models import Device
from appliance.people.store import People


class Place(BaseModel):
    """Where a page is open.

    ``claim``: ``none`` where no browser is claimed (at the box itself), ``open`` when this one may be, ``this`` when it
    is the claimed one, ``other`` when another is, ``over`` when nobody claimed in time. ``approval`` asks for a code.
    ``elsewhere`` is where a browser that is not known here asks whether it is known at the box's other origin.
    """

    place: Literal["box", "device", "recovery"]
    device: str
    person: str
    claim: Literal["none", "open", "this", "other", "over"]
    approval: bool
    elsewhere: str = ""


class Claim(BaseModel):
    """What a further browser shows when half of the password lies in devices: the password and a code."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    password: str = Field("", max_length=1024)
    code: str = Field("", max_length=16)


def claim_router(
    visitors: Visitors,
    origins: Origins,
    enrolment: Enrolment,
    hand: Hand,
    agent: AgentClient,
    people: People,
    on_change: Callable[[], None],
) -> APIRouter:
    """Return the routes of the claim. ``on_change`` is called when a device changed."""
    router = APIRouter(tags=["claim"])

    async def here(request: Request) -> Whereabouts:
        """Return from where a request comes; that one comes at all is a device's first handshake."""
        host = request.client.host if request.client else ""
        where = await visitors.at(host, fresh=True)
        if where.device is not None and where.device.state == "invited":
            await asyncio.to_thread(enrolment.seen, hand, where.device.id)
            on_change()
            where = await visitors.at(host, fresh=True)
        return where

    @router.get("/api/session/device", dependencies=[Depends(open_to_all)])
    async def place(request: Request) -> Place:
        """Tell on which device this page is open and whether its browser was let in."""
        where = await here(request)
        if where.device is None or where.place == "recovery":
            kind: Literal["box", "recovery"] = "recovery" if where.place == "recovery" else "box"
            return Place(place=kind, device="", person="", claim="none", approval=False)
        person = await asyncio.to_thread(people.by_id, where.device.person)
        state = _claim_state(where.device, shown_secret(request))
        approval = state == "open" and await asyncio.to_thread(agent.needs_half, where.device.person)
        name = person.name if person else ""
        elsewhere = origins.other() if state == "other" else ""
        return Place(
            place="device", device=where.device.name, person=name, claim=state, approval=approval, elsewhere=elsewhere
        )  # fmt: skip

    @router.post("/api/claim", status_code=204, dependencies=[Depends(open_to_all)])
    async def claim(request: Request, shown: Claim | None = None) -> Response:
        """Let this browser in on its device; once for an invitation. The cookie is what it is known by."""
        where, given = await here(request), shown or Claim(password="", code="")
        device = where.device
        if device is None or where.place != "device":
            raise Refused("There is nothing to claim at this address.", "Open this page on a device that was let in.")

        def share(secret: str) -> None:
            if agent.needs_half(device.person):
                agent.claim(device.person, given.password, given.code, device.id, secret)

        try:
            secret = await asyncio.to_thread(enrolment.claim, hand, device.id, share)
        except Refused as error:
            return answer_error(error, 403)
        finally:
            visitors.forget()
            on_change()
        answer = Response(status_code=204)
        give_secret(answer, request, secret)
        return answer

    return router


def _claim_state(device: Device, shown: str) -> Literal["open", "this", "other", "over"]:
    if holds(device, shown):
        return "this"
    if device.claimed_at:
        return "other"
    return "open" if may_claim(device, stamp(clock.now())) else "over"
