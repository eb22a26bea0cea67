"""The way in from the internet: what the router was asked, and whether a device came in."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from appliance.api.acting import Acting
from appliance.api.gate import Gate
from appliance.enrol.enrolment import Enrolment
from appliance.enrol.way_in import Source, WayIns
from appliance.errors import EnvironmentProblem
from appliance.network.way_in import Outcome, Protocol, Verdict
from appliance.retrieve.reading import Reader


class Tried(BaseModel):
    """One protocol that the router was asked by; ``said`` is its number for a refusal, or empty."""

    protocol: Protocol
    outcome: Outcome
    said: str


class Router(BaseModel):
    """What the router says. ``address`` is its own outside, ``former`` the one before; ``looked`` in Unix seconds."""

    verdict: Verdict
    looking: bool
    looked: int
    router: str
    address: str
    former: str
    outside4: str
    outside6: str
    tried: list[Tried]


class WayIn(BaseModel):
    """The way in. ``outside`` is HOST:PORT as new devices are told, empty if not known; ``reached`` is when a device
    last came in from outside (Unix seconds, 0: not proved); ``stale`` are devices that were told an older address;
    ``port`` is the UDP port that a rule by hand lets through to ``inside``, the box on the practice's network;
    ``router`` is missing where no courier runs."""

    outside: str
    source: Source
    reached: int
    stale: list[str]
    port: int
    inside: str
    router: Router | None


def way_in_router(gate: Gate, acting: Acting, enrolment: Enrolment, way_ins: WayIns) -> APIRouter:
    """Return the routes of the way in."""
    router = APIRouter(tags=["way-in"])

    @router.get("/api/way-in")
    def state(reader: Reader = Depends(gate.reader)) -> WayIn:
        """Return what is known of the way in."""
        acting.of(reader).require("endpoints")
        found = way_ins.state(enrolment)
        report = found.report
        inside = enrolment.endpoints().inside.rpartition(":")[0]
        shown = None if report is None else Router(
            verdict=report.verdict, looking=report.looking, looked=report.looked, router=report.router,
            address=report.address, former=report.former, outside4=report.outside4, outside6=report.outside6,
            tried=[Tried(protocol=one.protocol, outcome=one.outcome, said=one.said) for one in report.tried],
        )  # fmt: skip
        return WayIn(
            outside=found.outside, source=found.source, reached=found.reached, stale=list(found.stale),
            port=way_ins.port, inside=inside, router=shown,
        )  # fmt: skip

    @router.post("/api/way-in", status_code=204)
    def look(reader: Reader = Depends(gate.reader)) -> Response:
        """Have the router asked again; what comes of it is there some seconds later."""
        acting.of(reader).require("endpoints")
        if way_ins.report() is None:
            raise EnvironmentProblem("The courier does not run.", "Set NEGATO_COURIER=real and start the appliance.")
        way_ins.look()
        return Response(status_code=204)

    return router
