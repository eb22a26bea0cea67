"""The recovery page: whoever holds the sheet lets a phone in and puts others out. Reached by the sheet's own tunnel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from appliance.api.devices import Handed, Kind, Somebody, handed_out, shown_device
from appliance.api.errors import answer_error
from appliance.api.gate import open_to_all
from appliance.api.hand import AgentHand
from appliance.api.visitors import Visitors
from appliance.enrol.enrolment import Enrolment, Seen
from appliance.errors import NotFound, Refused
from appliance.keyring.client import AgentClient
from appliance.people.store import People


class Paper(BaseModel):
    """The paper key: as the sheet's code has it, or its 24 words."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    paper: str = Field(max_length=512)


class Known(BaseModel):
    """A device that is let in now."""

    id: str
    name: str
    person_name: str
    handshake: int


class Recovery(BaseModel):
    """What the sheet's holder may do for a quarter of an hour: let a device of one of ``owners`` in, others out."""

    token: str
    owners: list[Somebody]
    devices: list[Known]


class Replacement(BaseModel):
    """A device to let in and those to put out, with the token of :class:`Recovery`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    token: str = Field(max_length=64)
    person: str = Field(max_length=16)
    name: str = Field(max_length=64)
    kind: Kind
    public_key: str = Field("", max_length=44)
    revoke: list[str] = Field(default_factory=list, max_length=254)


def recovery_router(
    visitors: Visitors,
    enrolment: Enrolment,
    agent: AgentClient,
    people: People,
    on_end: Callable[[str], None],
    on_change: Callable[[], None],
) -> APIRouter:
    """Return the routes of the recovery page. ``on_end`` is told whose sessions ended, ``on_change`` of each change."""
    router = APIRouter(tags=["recovery"])

    async def from_sheet(request: Request) -> None:
        """Refuse whoever does not come by the sheet's tunnel: the box itself has its commands."""
        if (await visitors.of(request)).place != "recovery":
            raise Refused("The recovery page is reached by the recovery sheet's tunnel alone.", "Scan its code.")

    guarded = [Depends(open_to_all), Depends(from_sheet)]

    @router.post("/api/recovery", dependencies=guarded)
    async def show(paper: Paper) -> Recovery:
        """Take the paper key; answer who the owners are and which devices are let in."""
        try:
            token = await asyncio.to_thread(agent.recover, paper.paper)
        except Refused as error:
            return answer_error(error, 403)  # type: ignore[return-value]  # FastAPI passes a Response through
        everybody = await asyncio.to_thread(people.everybody)
        names = {person.id: person.name for person in everybody}
        seen = [one for one in await asyncio.to_thread(enrolment.listing) if one.device.reach == "pages"]
        known = [shown_device(one, names, "") for one in seen]
        return Recovery(
            token=token,
            owners=[Somebody(id=p.id, name=p.name, role=p.role) for p in everybody if p.role == "owner"],
            devices=[Known(id=d.id, name=d.name, person_name=d.person_name, handshake=d.handshake) for d in known],
        )

    @router.post("/api/recovery/device", status_code=201, dependencies=guarded)
    async def replace(wish: Replacement) -> Handed:
        """Put devices out, then let one of an owner's in."""
        owner = await asyncio.to_thread(people.by_id, wish.person)
        if owner is None or owner.role != "owner" or owner.left_at:
            raise NotFound("This is no owner of the box.")
        hand = AgentHand(agent, on_end, wish.token)
        await asyncio.to_thread(hand.note, "recover", "", owner.id)

        def act() -> Handed:
            for device in wish.revoke:
                enrolment.revoke(hand, device)
            invited = enrolment.invite(hand, owner.id, wish.name, wish.kind, wish.public_key)
            fresh = shown_device(Seen(invited.device, None), {owner.id: owner.name}, owner.id)
            return handed_out(invited, fresh, f"http://{enrolment.tunnel().ipv4.partition('/')[0]}/")

        try:
            return await asyncio.to_thread(act)
        finally:
            on_change()

    return router
