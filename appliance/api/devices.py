"""People's devices: invited, followed, paused, revoked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from appliance.api.acting import Acting
from appliance.api.gate import Gate
from appliance.enrol.enrolment import Enrolment, Invited, Seen
from appliance.errors import NegatoError, NotFound
from appliance.network.qr import qr_svg
from appliance.network.wireguard_config import OWN_KEY
from appliance.people.store import People
from appliance.retrieve.reading import Reader

DEVICE = r"^[0-9a-f]{16}$"
Kind = Literal["phone", "computer", "practice_pc"]


class Invitation(BaseModel):
    """A device to let in. ``public_key`` is that of a key made on the device or in the browser, else one is made here.

    ``person`` is an id, empty for oneself; ``days`` is how long the device is let in, 0 for good; ``wifi`` are the
    practice's own networks, in which an Apple device takes the tunnel *Cabinet*.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(max_length=64)
    kind: Kind
    person: str = Field("", max_length=16)
    public_key: str = Field("", max_length=44)
    days: int = Field(0, ge=0, le=3650)
    wifi: list[str] = Field(default_factory=list, max_length=16)


class Name(BaseModel):
    """A device's new name."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=64)


class Act(BaseModel):
    """What shall become of a device; ``reopen`` lets another browser on it be claimed."""

    model_config = ConfigDict(extra="forbid")

    act: Literal["pause", "resume", "revoke", "reopen"]


class Device(BaseModel):
    """One device. Times are RFC 3339, empty for never; ``handshake`` is in Unix seconds, 0 for never; bytes since the
    tunnel came up, from the device (``received``) and to it (``sent``)."""

    id: str
    name: str
    kind: Kind
    person: str
    person_name: str
    own: bool
    state: Literal["invited", "active", "paused", "revoked"]
    created: str
    invitation_ends: str
    first_handshake: str
    expires: str
    claimed_at: str
    claim_open: bool
    suspicious: bool
    handshake: int
    received: int
    sent: int


class Tunnel(BaseModel):
    """One tunnel of a new device: what the WireGuard app reads, as text and as an SVG of a QR code.

    The text of a key that was made elsewhere has ``OWN-PRIVATE-KEY`` in its place, and no code.
    """

    place: Literal["outside", "inside"]
    name: str
    text: str
    qr: str


class Handed(BaseModel):
    """A device that was just invited, with what it is given: shown once, kept nowhere. ``url`` is the first page."""

    device: Device
    url: str
    tunnels: list[Tunnel]
    profile: str


class Listing(BaseModel):
    """The devices that the reader may see; ``all`` says that these are everybody's.

    ``tunnel`` says whether tunnel and firewall are as the box asked for, differ from that, or do not answer.
    """

    devices: list[Device]
    all: bool
    tunnel: Literal["well", "differs", "silent"]


class Somebody(BaseModel):
    """Whose a device can be."""

    id: str
    name: str
    role: str


def devices_router(
    gate: Gate, acting: Acting, enrolment: Enrolment, people: People, on_change: Callable[[], None]
) -> APIRouter:
    """Return the routes of devices. ``on_change`` is called after each change."""
    router = APIRouter(tags=["devices"])

    def one(reader: Reader, device: str) -> Seen:
        actor = acting.of(reader)
        for seen in enrolment.listing():
            if seen.device.id == device:
                actor.require("devices", seen.device.person)
                return seen
        raise NotFound("There is no such device.")

    def shown(seen: Seen, reader: Reader) -> Device:
        names = {person.id: person.name for person in people.everybody()}
        return shown_device(seen, names, reader.person)

    @router.get("/api/people")
    def everybody(reader: Reader = Depends(gate.reader)) -> list[Somebody]:
        """Return whose devices the reader may add: everybody's for the owner, one's own for others."""
        actor = acting.of(reader)
        here = people.everybody() if actor.person.role == "owner" else [actor.person]
        return [Somebody(id=person.id, name=person.name, role=person.role) for person in here]

    @router.get("/api/devices")
    def listing(reader: Reader = Depends(gate.reader)) -> Listing:
        """List devices with their last handshake and traffic: all for the owner, one's own for others."""
        actor = acting.of(reader)
        every = actor.person.role == "owner"
        names = {person.id: person.name for person in people.everybody()}
        found = [seen for seen in enrolment.listing() if every or seen.device.person == actor.person.id]
        found = [seen for seen in found if seen.device.reach == "pages"]
        devices = [shown_device(seen, names, actor.person.id) for seen in found]
        return Listing(devices=devices, all=every, tunnel=_tunnel(enrolment))

    @router.post("/api/devices", status_code=201)
    def invite(invitation: Invitation, reader: Reader = Depends(gate.reader)) -> Handed:
        """Let a device in for ten minutes, in which it must be seen; its keys are in this answer and nowhere else."""
        actor = acting.of(reader)
        person = invitation.person or actor.person.id
        actor.require("devices", person)
        found = people.by_id(person)
        if found is None or found.left_at:
            raise NotFound("This person is not known.")
        invited = enrolment.invite(
            actor.hand, person, invitation.name, invitation.kind, invitation.public_key, invitation.days,
            invitation.wifi,
        )  # fmt: skip
        on_change()
        url = f"http://{enrolment.tunnel().ipv4.partition('/')[0]}/"
        return handed_out(invited, shown(Seen(invited.device, None), reader), url)

    @router.patch("/api/devices/{device}", status_code=204)
    def rename(device: str, change: Name, reader: Reader = Depends(gate.reader)) -> Response:
        """Give a device another name."""
        one(reader, device)
        enrolment.rename(acting.of(reader).hand, device, change.name)
        on_change()
        return Response(status_code=204)

    @router.post("/api/devices/{device}/act", status_code=204)
    def act(device: str, change: Act, reader: Reader = Depends(gate.reader)) -> Response:
        """Pause, resume or revoke a device, or let another browser on it be claimed."""
        one(reader, device)
        hand = acting.of(reader).hand
        acts = {
            "pause": enrolment.pause,
            "resume": enrolment.resume,
            "revoke": enrolment.revoke,
            "reopen": enrolment.reopen,
        }
        try:
            acts[change.act](hand, device)
        finally:
            on_change()
        return Response(status_code=204)

    return router


def _tunnel(enrolment: Enrolment) -> Literal["well", "differs", "silent"]:
    try:
        return "differs" if enrolment.differences() else "well"
    except NegatoError:
        return "silent"


def shown_device(seen: Seen, names: dict[str, str], reader: str) -> Device:
    """Return a device as pages see it; ``names`` are people's by their ids, ``reader`` the id of who looks."""
    row, peer = seen.device, seen.peer
    known: dict[str, Any] = {"kind": row.kind, "state": row.state}  # One of the literals, or it is no answer of ours.
    return Device(
        id=row.id, name=row.name, **known, person=row.person, person_name=names.get(row.person, ""),
        own=row.person == reader, created=row.created, invitation_ends=row.invitation_ends,
        first_handshake=row.first_handshake, expires=row.expires, claimed_at=row.claimed_at,
        claim_open=bool(row.claim_ends), suspicious=row.suspicious,
        handshake=max(peer.latest_handshake if peer else 0, seen.last_seen), received=peer.rx if peer else 0,
        sent=peer.tx if peer else 0,
    )  # fmt: skip


def handed_out(invited: Invited, device: Device, url: str) -> Handed:
    """Return what a device is given as pages show it."""
    made_here = all(OWN_KEY not in one.text for one in invited.tunnels)
    tunnels = [
        Tunnel(place=t.place, name=t.name, text=t.text, qr=_drawn(t.text) if made_here else "") for t in invited.tunnels
    ]
    return Handed(device=device, url=url, tunnels=tunnels, profile=invited.profile.decode())


def _drawn(text: str) -> str:
    """Return a code as an SVG element, without the head of an XML file."""
    return "<svg" + qr_svg(text).decode().partition("<svg")[2]
