"""No byte of a patient, nor of the key, leaves the index."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
import sqlcipher3
from notes import element, note, uid

from appliance.dicom.matching import parse_query
from appliance.errors import NegatoError
from appliance.index import engine
from appliance.index.store import Index

KEY = bytes.fromhex("c0ffee") + bytes(range(29))
CANARY = "KANARIENVOGEL"


def leaks(folder: Path) -> list[str]:
    """Return which files hold the canary in any usual encoding."""
    forms = [CANARY.encode(e) for e in ("ascii", "utf-16-le", "utf-16-be")]
    forms += [form.lower() for form in forms]
    return [p.name for p in folder.rglob("*") if p.is_file() and any(form in p.read_bytes() for form in forms)]


def work(folder: Path) -> list[str]:
    """Fill, search and change an index with canaries, and look for them while it is open and after."""
    index = Index.open(folder / "index.db", KEY)
    index.add([note(1, 1, i, name=f"{CANARY}^Anna", extra={"00104000": element("LT", CANARY)}) for i in range(200)])
    index.search(parse_query("studies", [("PatientName", CANARY), ("fuzzymatching", "true")]), "http://x")
    index.search(parse_query("instances", [("PatientComments", f"*{CANARY}*")]), "http://x")
    index.remove([note(1, 1, 3).object])
    assert (folder / "index.db-wal").stat().st_size > 0
    found = leaks(folder)
    index.close()
    return found + leaks(folder)


def test_no_name_is_in_any_byte_of_database_or_wal(tmp_path: Path) -> None:
    assert work(tmp_path) == []
    assert {p.name for p in tmp_path.iterdir()} == {"index.db"}


def test_the_same_search_finds_the_name_in_an_unencrypted_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plain(path: Path, key: bytes) -> Any:
        connection = sqlcipher3.connect(str(path), isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        return connection

    monkeypatch.setattr(engine, "_connect", plain)
    assert {"index.db-wal", "index.db"} & set(work(tmp_path))


def test_errors_show_neither_key_nor_values(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    index = Index.open(tmp_path / "index.db", KEY)
    shown = [repr(index), repr(index._file), repr(index._file._engine), str(index._file._engine.url)]
    assert index._file._engine.hide_parameters
    with index._file.writing() as connection:
        connection.exec_driver_sql("DROP TABLE body")
    for action in (lambda: index.add([note(name=CANARY)]), lambda: Index.open(tmp_path / "index.db", bytes(32))):
        with pytest.raises(NegatoError) as caught:
            action()
        shown.append("".join(traceback.format_exception(caught.value)))
    index.close()
    text = "\n".join(shown) + caplog.text
    assert KEY.hex() not in text and repr(KEY)[2:-1] not in text
    assert CANARY not in text and uid(1) not in text


def test_every_connection_keeps_temporary_data_in_memory_and_syncs(index: Index) -> None:
    with index._file.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("temp_store", "journal_mode", "synchronous", "secure_delete", "cipher_version")
        }
    assert found.pop("cipher_version")
    assert found == {"temp_store": 2, "journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
