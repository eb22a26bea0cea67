"""The practice's equipment: who may send images, and who knocked unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from appliance.api.acting import Acting
from appliance.api.gate import Gate
from appliance.enrol.enrolment import Enrolment
from appliance.retrieve.reading import Reader


class Equipment(BaseModel):
    """One address; ``packets`` and ``last`` (Unix seconds) of what it tried in the last hour without being let in."""

    address: str
    name: str
    ae_title: str
    state: Literal["confirmed", "refused", "unknown"]
    packets: int
    last: int


class Decision(BaseModel):
    """What was decided of an address: let it send (``confirm``, with a name) or not (``refuse``)."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(max_length=64)
    decision: Literal["confirm", "refuse"]
    name: str = Field("", max_length=64)
    ae_title: str = Field("", max_length=16)


def equipment_router(gate: Gate, acting: Acting, enrolment: Enrolment, on_change: Callable[[], None]) -> APIRouter:
    """Return the routes of equipment. ``on_change`` is called after each change."""
    router = APIRouter(tags=["equipment"])

    @router.get("/api/equipment")
    def listing(reader: Reader = Depends(gate.reader)) -> list[Equipment]:
        """List the equipment that was decided on and the unknown that knocked in the last hour."""
        acting.of(reader).require("equipment")
        return [
            Equipment(
                address=one.address, name=one.name, ae_title=one.ae_title,
                state=one.state,  # type: ignore[arg-type]  # a text of the database, one of three; pydantic looks
                packets=one.packets, last=one.last,
            )
            for one in enrolment.equipment()
        ]  # fmt: skip

    @router.post("/api/equipment", status_code=204)
    def decide(decision: Decision, reader: Reader = Depends(gate.reader)) -> Response:
        """Let an address of the practice's network send images, or refuse it."""
        actor = acting.of(reader)
        actor.require("equipment")
        confirm = decision.decision == "confirm"
        enrolment.decide(actor.hand, decision.address, confirm, decision.name, decision.ae_title)
        on_change()
        return Response(status_code=204)

    return router
