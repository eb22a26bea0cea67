"""The migrations lead to the tables that the program uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from appliance.index import migrate
from appliance.index.store import Index
from appliance.index.tables import Row


def test_the_newest_step_is_the_one_the_program_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_the_steps_make_exactly_the_declared_tables(index: Index) -> None:
    with index._file.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Row.metadata) == []


def test_alembic_is_not_imported_for_an_index_that_is_current(tmp_path: Path) -> None:
    Index.open(tmp_path / "index.db", bytes(32)).close()
    program = (
        "import sys; from pathlib import Path; from appliance.index.store import Index;"
        "Index.open(Path(sys.argv[1]), bytes(32)).close(); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "index.db")], check=True)
