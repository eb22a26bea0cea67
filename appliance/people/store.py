"""The keeper of system.db."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, create_engine, select

from appliance.clock import stamp
from appliance.errors import BadInput, Damaged
from appliance.people.models import Person, SystemTable

ROLES = ("owner", "doctor", "assistant", "technician")
LONGEST_NAME = 64


class People:
    """People of one appliance. The file is not touched before the first question."""

    def __init__(self, path: Path) -> None:
        self._engine = create_engine(f"sqlite:///{path}")

        @event.listens_for(self._engine, "connect")
        def _durable(connection: object, _record: object) -> None:
            connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]  # a DB-API connection
            connection.execute("PRAGMA synchronous=FULL")  # type: ignore[attr-defined]

    def create(self) -> None:
        """Make the tables of a new appliance."""
        SystemTable.metadata.create_all(self._engine)

    def add(self, name: str, role: str, moment: datetime) -> Person:
        """Add a person under a fresh id; :class:`BadInput` for a bad or taken name."""
        if role not in ROLES:
            raise BadInput(f"There is no role {role}.", f"Choose one of {', '.join(ROLES)}.")
        name = tidy(name)
        person = Person(id=secrets.token_hex(8), name=name, role=role, created=stamp(moment))
        with self._session() as session:
            if session.exec(select(Person).where(Person.name == name)).first():
                raise BadInput("This name is taken.", "Choose another one.")
            session.add(person)
            session.commit()
        return person

    def by_name(self, name: str) -> Person | None:
        """Return the person who logs in under ``name``, upper and lower case alike."""
        wanted = _fold(name)
        with self._session() as session:
            return next((p for p in session.exec(select(Person)) if _fold(p.name) == wanted), None)

    def by_id(self, person: str) -> Person | None:
        """Return the person with this id."""
        with self._session() as session:
            return session.get(Person, person)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        try:
            with Session(self._engine, expire_on_commit=False) as session:
                yield session
        except DatabaseError as error:
            raise Damaged("The list of people (system.db) cannot be read.", "Restore it from a backup.") from error

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()


def tidy(name: str) -> str:
    """Return a name as it is kept: NFC, single spaces; :class:`BadInput` when empty, long or unprintable."""
    kept = " ".join(unicodedata.normalize("NFC", name).split())
    if not kept or len(kept) > LONGEST_NAME or not kept.isprintable():
        raise BadInput(f"A name needs 1 to {LONGEST_NAME} printable characters.")
    return kept


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split())).casefold()
