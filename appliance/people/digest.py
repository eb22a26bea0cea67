"""A digest over everything in system.db, so that a broken disk never makes another name or another role of somebody.

SQLite itself does not notice a changed byte in a row. The digest needs no secret and stops nobody who writes on
purpose; it tells damage from truth.
"""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import text
from sqlmodel import Session

from appliance.errors import Damaged
from appliance.people.models import Content, SystemTable

# PRAGMA user_version: 0 had no digest (it comes with the next change), 1 had people alone, 2 has devices and senders.
SEALED = 1
VERSION = 2


def write_digest(session: Session) -> None:
    """Bring the digest up to what the session is about to commit."""
    session.flush()
    kept = session.get(Content, 1) or Content(id=1, sha256="")
    kept.sha256 = _digest(session)
    session.add(kept)
    session.flush()
    session.execute(text(f"PRAGMA user_version = {VERSION}"))


def check_digest(session: Session) -> None:
    """Raise :class:`Damaged` unless the tables hold what was last committed."""
    if session.execute(text("PRAGMA integrity_check")).scalar_one() != "ok":  # Indexes and rows say the same.
        raise _damaged()
    kept = session.get(Content, 1)
    if kept is None and session.execute(text("PRAGMA user_version")).scalar_one() < SEALED:
        return
    if kept is None or kept.sha256 != _digest(session):
        raise _damaged()


def _damaged() -> Damaged:
    return Damaged("The list of people (system.db) is not as it was written.", "Restore it from a backup.")


def _digest(session: Session) -> str:
    """Digest the rows themselves: SQLite would take a primary key from its index where it may.

    Of a table without rows nothing is said, so that a later version may add tables to a file.
    """
    rows = {
        name: [list(row) for row in session.execute(text(f"SELECT * FROM {name} NOT INDEXED ORDER BY rowid"))]  # noqa: S608
        for name in sorted(SystemTable.metadata.tables)
        if name != Content.__tablename__
    }
    said = {name: found for name, found in rows.items() if found}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode("ascii")).hexdigest()
