"""Bring the index's tables to the version this program knows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from appliance.errors import EnvironmentProblem

HEAD = "0005"  # the newest step below migrations/versions; a test compares


def migrate(connection: Connection) -> None:
    """Create or upgrade the tables inside the caller's transaction.

    Alembic costs a quarter of a second and several MB to import, so it is imported only when a step is due.
    It logs revision numbers, never values. Raises :class:`EnvironmentProblem` for an index of a newer
    program.
    """
    present = version(connection)
    if present == HEAD:
        return
    if present is not None and present > HEAD:
        raise EnvironmentProblem("The index was written by a newer version.", "Update the appliance.")
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def version(connection: Connection) -> str | None:
    """Return the version of the stored tables, ``None`` for an empty file."""
    found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").scalar()
    if found is None:
        return None
    stored = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if stored is None else str(stored)
