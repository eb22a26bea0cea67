"""The tables of system.db."""

from __future__ import annotations

from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class SystemTable(SQLModel, registry=registry()):
    """Base of the tables of system.db, kept apart from those of the index."""


class Person(SystemTable, table=True):
    """Somebody who may log in. ``id`` is random and names the person's slot; ``name`` is what they type.

    ``sees_images`` is the owner's grant to an assistant. Who has left stays, with the time in ``left_at`` (empty
    before), because the audit names people by their ids.
    """

    id: str = Field(primary_key=True)
    name: str
    role: str
    created: str
    sees_images: bool = False
    left_at: str = ""


class Content(SystemTable, table=True):
    """One row: the digest over all other tables (:mod:`appliance.people.digest`)."""

    id: int = Field(primary_key=True)
    sha256: str


class Device(SystemTable, table=True):
    """Somebody's phone or computer with its place in the tunnel. No private key of a device is ever here.

    ``id`` is 16 random hex digits, ``person`` the id of whose it is (empty for the recovery sheet's own). Times are
    RFC 3339 texts in UTC, empty for "not yet" and "never". ``claim_hash`` is the SHA-256 of the secret that the
    claimed browser holds, ``claim_next`` that of the one it was given last: whichever it shows is right. Addresses are
    kept after a revocation, and may then be another device's, too.
    """

    id: str = Field(primary_key=True)
    person: str
    name: str
    kind: str
    public_key: str
    preshared_key: str
    ipv4: str
    ipv6: str
    reach: str
    state: str
    created: str
    invitation_ends: str = ""
    first_handshake: str = ""
    last_seen: str = ""
    expires: str = ""
    claim_ends: str = ""
    claimed_at: str = ""
    claim_hash: str = ""
    claim_next: str = ""
    suspicious: bool = False


class Sender(SystemTable, table=True):
    """Equipment of the practice, by its address: may it send images, or was it refused."""

    address: str = Field(primary_key=True)
    name: str
    ae_title: str
    state: str
    decided: str


class Tunnel(SystemTable, table=True):
    """One row: the box's addresses in the tunnel, and where devices find it from outside and at the practice.

    ``ipv4`` and ``ipv6`` are written with their prefix length; ``outside`` and ``inside`` are HOST:PORT, or empty.
    """

    id: int = Field(primary_key=True)
    ipv4: str
    ipv6: str
    outside: str = ""
    inside: str = ""
