"""The people in system.db."""

from __future__ import annotations

import re
import secrets
import unicodedata
from datetime import datetime
from pathlib import Path

from sqlmodel import Session, select

from appliance.clock import stamp
from appliance.errors import BadInput, NotFound
from appliance.people.file import SystemFile
from appliance.people.models import Person
from appliance.people.roles import reads

# Printable to Unicode and blank on every screen: fillers of Hangul, the empty Braille pattern, joiners and selectors.
UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0100-\U000e01ef]"
)
LONGEST_NAME = 64


class People:
    """People of one appliance. The file is not touched before the first question."""

    def __init__(self, place: Path | SystemFile) -> None:
        self._file = place if isinstance(place, SystemFile) else SystemFile(place)

    def create(self) -> None:
        """Make the tables of a new appliance."""
        self._file.create()

    def add(
        self, name: str, role: str, moment: datetime, *, sees_images: bool = False, person: str | None = None
    ) -> Person:
        """Add somebody, under the id ``person`` or a fresh one.

        Raises :class:`BadInput` for a bad or taken name or an unknown role, :class:`Refused` for a grant that the role
        cannot have.
        """
        reads(role, sees_images)
        added = Person(
            id=person or new_id(), name=tidy(name), role=role, created=stamp(moment), sees_images=sees_images
        )
        with self._file.writing() as session:
            self._free(session, added.name)
            session.add(added)
        return added

    def require_free(self, name: str) -> None:
        """Raise :class:`BadInput` unless somebody can be added under ``name``."""
        with self._file.reading() as session:
            self._free(session, tidy(name))

    def everybody(self) -> list[Person]:
        """Return all who have not left, by the time they were added."""
        with self._file.reading() as session:
            here = select(Person).where(Person.left_at == "").order_by(Person.created, Person.id)
            return list(session.exec(here))

    def by_name(self, name: str) -> Person | None:
        """Return the person who logs in under ``name``, upper and lower case alike, unless she has left."""
        with self._file.reading() as session:
            return self._named(session, name)

    def by_id(self, person: str) -> Person | None:
        """Return the person with this id, also one who has left."""
        with self._file.reading() as session:
            return session.get(Person, person)

    def change_role(self, person: str, role: str, sees_images: bool) -> None:
        """Write down another role or grant; harmless when it is the same. Errors as :meth:`add`."""
        reads(role, sees_images)
        with self._file.writing() as session:
            found = self._get(session, person)
            found.role, found.sees_images = role, sees_images
            session.add(found)

    def leave(self, person: str, moment: datetime) -> None:
        """Write down that somebody has left; harmless when that was done."""
        with self._file.writing() as session:
            found = self._get(session, person)
            found.left_at = found.left_at or stamp(moment)
            session.add(found)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _free(self, session: Session, name: str) -> None:
        if self._named(session, name) is not None:
            raise BadInput("This name is taken.", "Choose another one.")

    def _named(self, session: Session, name: str) -> Person | None:
        wanted = _fold(name)
        here = session.exec(select(Person).where(Person.left_at == ""))
        return next((person for person in here if _fold(person.name) == wanted), None)

    def _get(self, session: Session, person: str) -> Person:
        found = session.get(Person, person)
        if found is None:
            raise NotFound("This person is not known.", "See: appliance user list")
        return found


def new_id() -> str:
    """Return a fresh opaque id of a person, 16 hex digits."""
    return secrets.token_hex(8)


def tidy(name: str) -> str:
    """Return a name as it is kept: NFC, single spaces; :class:`BadInput` when empty, long or with letters unseen.

    Letters that show as nothing would make two names look alike.
    """
    kept = " ".join(unicodedata.normalize("NFC", name).split())
    if not kept or len(kept) > LONGEST_NAME or not kept.isprintable() or UNSEEN.search(kept):
        raise BadInput(f"A name needs 1 to {LONGEST_NAME} characters that can be seen.")
    if all(unicodedata.category(letter).startswith("M") for letter in kept):
        raise BadInput("A name needs a letter, not only accents.")
    return kept


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split())).casefold()
