"""The migrations lead to the tables that the program uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from notes import note
from sqlalchemy import Connection

from appliance.index import migrate
from appliance.index.engine import EncryptedFile
from appliance.index.rows import Applied
from appliance.index.store import Index
from appliance.index.tables import Row


def test_the_newest_step_is_the_one_the_program_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_the_steps_make_exactly_the_declared_tables(index: Index) -> None:
    with index._file.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Row.metadata) == []


def test_rows_derived_by_an_older_program_are_forgotten_to_be_derived_anew(tmp_path: Path) -> None:
    path, key = tmp_path / "index.db", bytes(32)
    older = EncryptedFile(path, key)
    with older.writing() as connection:
        _upgrade(connection, "0002")
        for table in ("study", "study_text", "series", "instance", "body", "applied"):
            names = [row[1] for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")]
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({', '.join('1' for _ in names)})")
    older.close()
    index = Index.open(path, key)
    assert (index.counts(), index.objects(), index.applied()) == ((0, 0, 0), set(), None)
    index.add([note()])
    index.mark_applied(Applied(0, ""))
    index.close()
    again = Index.open(path, key)
    assert again.counts() == (1, 1, 1)
    again.close()


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def test_alembic_is_not_imported_for_an_index_that_is_current(tmp_path: Path) -> None:
    Index.open(tmp_path / "index.db", bytes(32)).close()
    program = (
        "import sys; from pathlib import Path; from appliance.index.store import Index;"
        "Index.open(Path(sys.argv[1]), bytes(32)).close(); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "index.db")], check=True)
