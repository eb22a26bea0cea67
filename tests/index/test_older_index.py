"""An index that an older program wrote is filled again from the notes, and answers as a fresh one."""

from __future__ import annotations

from pathlib import Path

from appliance.index.store import Index
from tests.e2e.objects import tiny
from tests.ingest.house import KEY, answers, files, receive, settle, settler


def test_an_index_of_before_is_filled_from_the_notes(tmp_path: Path) -> None:
    archive, path = files(tmp_path / "state"), tmp_path / "index.db"
    index = Index.open(path, KEY)
    for number in range(3):
        receive(archive, tiny("older", number, study=number, PatientName="홍^길동"))
    settle(archive, index)
    before = answers(index)
    with index._file.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE study DROP COLUMN sop_classes")
        for table in ("lost", "missed"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
        connection.exec_driver_sql("UPDATE study SET patient_name = 'decomposed'")
    index.close()
    again = Index.open(path, KEY)
    assert settler(archive, again).catch_up() == 3
    assert answers(again) == before
    again.close()
