"""The tables of system.db."""

from __future__ import annotations

from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class SystemTable(SQLModel, registry=registry()):
    """Base of the tables of system.db, kept apart from those of the index."""


class Person(SystemTable, table=True):
    """Somebody who may log in. ``id`` is random and names the person's slot; ``name`` is what they type."""

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    role: str
    created: str
