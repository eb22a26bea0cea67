"""The file system.db: opened, brought forward, checked at every question, and written as a whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, event, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, create_engine

from appliance.errors import Damaged, EnvironmentProblem, NegatoError, StorageFull
from appliance.people.digest import VERSION, check_digest, write_digest
from appliance.people.models import Person, SystemTable

BUSY_SECONDS = 10


class SystemFile:
    """One system.db. The file is not touched before the first question; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._may_create = False
        self._engine = create_engine(f"sqlite:///{path}", hide_parameters=True, creator=self._connect)
        self._migrated = False

        @event.listens_for(self._engine, "connect")
        def _durable(connection: object, _record: object) -> None:
            # A rollback journal: damage to a write-ahead log would show an older list instead of an error.
            connection.execute("PRAGMA journal_mode=DELETE")  # type: ignore[attr-defined]  # a DB-API connection
            connection.execute("PRAGMA synchronous=EXTRA")  # type: ignore[attr-defined]

    def create(self) -> None:
        """Make the file with the tables of a new appliance."""
        self._may_create = True
        SystemTable.metadata.create_all(self._engine)
        with Session(self._engine) as session:
            write_digest(session)
            session.commit()
        self._may_create = False

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Hand out a session on tables that are as they were written.

        Raises :class:`Damaged` when they are not, :class:`EnvironmentProblem` when the file cannot be used.
        """
        with _told(), Session(self._at_hand(), expire_on_commit=False) as session:
            check_digest(session)
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Hand out a session whose changes are committed at the end, all of them or none; errors as :meth:`reading`.

        One at a time among all processes, so that what was looked at is still true when it is written.
        """
        with _told(), Session(self._at_hand(), expire_on_commit=False) as session:
            session.execute(text("BEGIN IMMEDIATE"))
            check_digest(session)
            yield session
            write_digest(session)
            session.commit()

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()

    def _connect(self) -> sqlite3.Connection:
        """Open the file that is there: a question makes none, and root may ask in a folder where others write.

        The kernel keeps even root from opening another's file there with the wish to create it (proc_sys_fs(5),
        protected_regular).
        """
        mode = "rwc" if self._may_create else "rw"
        name = f"file:{quote(str(self._path))}?mode={mode}"
        return sqlite3.connect(name, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)

    def _at_hand(self) -> Engine:
        if not self._migrated:
            self._migrate()
            self._migrated = True
        return self._engine

    def _migrate(self) -> None:
        """Add the tables that an archive of an earlier version lacks; a list that is not there is not made.

        What was there is checked first and afterwards, with its digest: an empty table changes no digest.
        """
        with self._engine.connect() as connection:
            version = connection.execute(text("PRAGMA user_version")).scalar_one()
            there = set(inspect(connection).get_table_names())
        if version > VERSION:
            raise EnvironmentProblem(
                "The list of people (system.db) was written by a newer appliance.", "Update this one."
            )
        if str(Person.__tablename__) in there and not set(SystemTable.metadata.tables) <= there:
            SystemTable.metadata.create_all(self._engine)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, ValueError, TypeError) as error:
        raise _verdict(str(error)) from None


def _verdict(said: str) -> NegatoError:
    if "is full" in said:
        return StorageFull("There is no room for the list of people (system.db).", "Free space on the disk.")
    if any(sign in said for sign in ("unable to open", "readonly", "I/O", "is locked")):
        return EnvironmentProblem(
            "The list of people (system.db) cannot be opened or written.",
            "Check the state directory's rights and disk.",
        )
    return Damaged("The list of people (system.db) cannot be read.", "Restore it from a backup.")
