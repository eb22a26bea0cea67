"""The index keeps what notes say, finds it again and forgets what is removed."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from notes import element, note, uid

from appliance.dicom.matching import Level, parse_query
from appliance.errors import BadInput, Damaged, EnvironmentProblem
from appliance.index.store import Index

KEY = bytes(range(32))
BASE = "https://box.example/dicom-web"


def ask(index: Index, level: Level, *params: tuple[str, str], **path: str) -> list[dict[str, Any]]:
    """Search and parse the answer."""
    found: list[dict[str, Any]] = json.loads(index.search(parse_query(level, params, **path), BASE)[0])
    return found


def test_an_added_instance_is_known_counted_and_listed(index: Index) -> None:
    first = note(1, 1, 1)
    index.add([first, note(1, 1, 2), note(1, 2, 1), note(2, 1, 1)])
    assert index.counts() == (2, 3, 4)
    assert index.known([first.sop_instance, "1.2.3"]) == {
        first.sop_instance: index.known([first.sop_instance])[first.sop_instance]
    }
    known = index.known([first.sop_instance])[first.sop_instance]
    assert (known.object, known.dataset_sha256) == (first.object, first.dataset_sha256)
    assert first.object in index.objects()
    assert len(index.objects()) == 4


def test_adding_twice_changes_nothing(index: Index) -> None:
    notes = [note(1, 1, i) for i in range(1, 4)]
    index.add(notes)
    before = ask(index, "studies")
    index.add(notes)
    index.add(notes[:1] + notes[:1])
    assert index.counts() == (1, 1, 3)
    assert ask(index, "studies") == before


def test_removing_forgets_the_instance_and_derives_the_study_afresh(index: Index) -> None:
    wrong = note(1, 1, 1, name="FAUX^Nom", patient="PX", received="2026-11-24T01:00:00.000Z")
    right = note(1, 2, 1)
    index.add([wrong, right])
    assert ask(index, "studies", ("PatientName", "FAUX"))
    index.remove([wrong.object, "unknown"])
    assert index.counts() == (1, 1, 1)
    assert not ask(index, "studies", ("PatientName", "FAUX"))
    assert ask(index, "studies", ("PatientName", "DUPONT"))[0]["00201206"]["Value"] == [1]
    assert index.studies("faux") == (0, [])
    index.remove([right.object])
    assert index.counts() == (0, 0, 0)
    assert ask(index, "studies") == []


def test_metadata_is_the_data_set_with_absolute_bulk_uris(index: Index) -> None:
    trap = element("LO", '"BulkDataURI":"bulkdata/7FE00010"', "\x01\n")
    index.add([note(1, 1, 1, extra={"00104000": trap})])
    found = json.loads(index.metadata(uid(1), base_url=BASE) or b"")
    assert found[0]["7FE00010"]["BulkDataURI"] == (
        f"{BASE}/studies/{uid(1)}/series/{uid(1, 1)}/instances/{uid(1, 1, 1)}/bulkdata/7FE00010"
    )
    assert found[0]["00104000"] == trap
    assert index.metadata(uid(1), uid(9), base_url=BASE) is None
    assert index.metadata("1.2.3", base_url=BASE) is None


def test_entries_come_in_viewing_order_and_carry_the_bulk_table(index: Index) -> None:
    index.add([note(1, 2, 1), note(1, 1, 10), note(1, 1, 9)])
    found = index.entries(uid(1))
    assert [entry.sop_instance for entry in found] == [uid(1, 1, 9), uid(1, 1, 10), uid(1, 2, 1)]
    assert found[0].bulk["7FE00010"].length == 524_288
    assert found[0].attributes["00100020"]["Value"] == ["P1"]
    assert found[0].frames == 1
    assert index.instance_by_key(found[0].key) == found[0]
    assert index.instance_by_key("nothing") is None


def test_our_own_list_finds_words_of_names_ids_and_descriptions(index: Index) -> None:
    index.add(
        [
            note(1, date="20261101"),
            note(2, name="LEFÈVRE^Cœlia", patient="Z-77", date="20261102", modality="DX"),
        ]
    )
    assert [row.patient_name for row in index.studies()[1]] == ["LEFÈVRE^Cœlia", "DUPONT^Émile"]
    assert index.studies("emi dup")[0] == 1
    assert index.studies("COELIA z")[0] == 1
    assert index.studies("lefevre dupont")[0] == 0
    assert index.studies(modality="DX")[1][0].modalities == ("DX",)
    assert index.studies(date_from="20261102")[0] == 1
    assert index.studies(date_to="20261101")[1][0].patient_id == "P1"
    total, page = index.studies(offset=1, limit=1)
    assert (total, page[0].uid) == (2, uid(1))
    study = page[0]
    assert index.study_by_key(study.key) == study
    series = index.series_of(study.uid)
    assert index.series_by_key(series[0].key) == series[0]
    assert uid(1) not in study.key + series[0].key


def test_a_wrong_key_is_damage_with_the_way_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "index.db"
    Index.open(path, KEY).close()
    with pytest.raises(Damaged, match="appliance index rebuild") as caught:
        Index.open(path, bytes(32))
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert capfd.readouterr().err == ""


def test_a_damaged_file_is_damage_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    opened = Index.open(path, KEY)
    opened.add([note(1, 1, i) for i in range(1, 50)])
    opened.close()
    raw = bytearray(path.read_bytes())
    for offset in range(4096, len(raw), 4096):
        raw[offset + 100] ^= 1
    path.write_bytes(raw)
    with pytest.raises(Damaged, match="appliance index rebuild"):
        Index.open(path, KEY).search(parse_query("instances", []), BASE)
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(Damaged, match="appliance index rebuild"):
        Index.open(path, KEY)


def test_a_newer_index_is_refused(tmp_path: Path) -> None:
    opened = Index.open(tmp_path / "index.db", KEY)
    with opened._file.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    opened.close()
    with pytest.raises(EnvironmentProblem, match="newer version"):
        Index.open(tmp_path / "index.db", KEY)


def test_an_index_survives_being_closed(tmp_path: Path) -> None:
    opened = Index.open(tmp_path / "index.db", KEY)
    opened.add([note()])
    before = ask(opened, "studies")
    opened.close()
    again = Index.open(tmp_path / "index.db", KEY)
    assert ask(again, "studies") == before
    again.close()


def test_more_alternatives_than_sqlite_takes_are_refused(index: Index) -> None:
    index.add([note()])
    for key, values in (("SOPClassesInStudy", [f"1.{n}" for n in range(1000)]), ("ModalitiesInStudy", "ABCDEFG" * 73)):
        with pytest.raises(BadInput):
            ask(index, "studies", (key, "\\".join(values)))
        assert ask(index, "studies", (key, "\\".join(values[:500])), ("PatientID", "*")) == []


def test_arrival_order_changes_no_answer(tmp_path: Path) -> None:
    notes = [
        note(s, r, i, name=("DUPONT^Émile", "DUPOND^Émilie")[(r + i) % 2], patient=("P1", "P1", "")[i % 3])
        for s in (1, 2, 3)
        for r in (1, 2)
        for i in (1, 2, 3, 4)
    ]
    for n, one in enumerate(notes):
        one.attributes["00081030"]["Value"] = [f"description {n % 5}"]
        one.attributes["0008103E"]["Value"] = [f"series {n % 3}"]
    notes += [note(1, 1, 2, content="other bytes", received="2026-11-24T01:00:00.000Z", patient="P9")]
    notes += [note(2, 1, 1, extra={"00081030": None}, received="2026-11-24T01:00:00.000Z", content="earlier")]
    answers = []
    for seed in range(6):
        shuffled = notes[:]
        random.Random(seed).shuffle(shuffled)
        opened = Index.open(tmp_path / f"{seed}.db", KEY)
        for start in range(0, len(shuffled), 1 + seed * 2):
            opened.add(shuffled[start : start + 1 + seed * 2])
        queries: list[tuple[Level, list[tuple[str, str]]]] = [
            (level, params)
            for level in ("studies", "series", "instances")
            for params in ([], [("includefield", "all")], [("PatientName", "DUPOND")], [("PatientID", "P1")])
        ]
        answers.append(
            [opened.search(parse_query(level, params), BASE) for level, params in queries]
            + [opened.metadata(uid(s), base_url=BASE) for s in (1, 2, 3)]
            + [opened.studies(text) for text in ("", "dupont", "dupond p1")]
            + [[(e.key, e.object) for e in opened.entries(uid(1))], opened.objects()]
        )
        opened.close()
    assert all(answer == answers[0] for answer in answers)


def test_readers_see_whole_batches_while_a_writer_writes(index: Index) -> None:
    seen: list[tuple[int, int, int]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(index.counts())
            study = ask(index, "studies")
            assert not study or study[0]["00201208"]["Value"][0] % 10 == 0

    with ThreadPoolExecutor(4) as pool:
        watchers = [pool.submit(watch) for _ in range(3)]
        for start in range(0, 200, 10):
            index.add([note(1, 1, start + i) for i in range(10)])
        done.set()
        for watcher in watchers:
            watcher.result(30)
    assert index.counts() == (1, 1, 200)
    assert all(instances % 10 == 0 for _, _, instances in seen)


def test_what_json_cannot_hold_is_still_listed_as_json(index: Index) -> None:
    odd = {"00189073": element("FD", float("nan"), float("inf")), "00104000": element("LT", "a\ud800b")}
    index.add([note(extra=odd, name="A\udcffB")])
    found = json.loads(index.metadata(uid(1), base_url=BASE) or b"")[0]
    assert found["00189073"]["Value"] == ["NaN", "Infinity"]
    assert ask(index, "studies", ("includefield", "all"))[0]["00104000"]["Value"] == ["a?b"]
