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
