"""Decisions are parsed strictly and take effect in their order, whatever the order of the notes."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.clock import stamp
from appliance.dicom import decision as decisions
from appliance.dicom.decided import Decided
from appliance.dicom.decision import Decision
from appliance.errors import Damaged
from appliance.index.store import Index
from appliance.sealing.writer import seal
from tests.archive.memory import MemoryBackend
from tests.ingest.house import EPOCH, KEY, START, answers, receive, settle
from tests.ingest.test_rebuild_from_notes import note_of
from tests.ingest.tiny import image, study_uid

AT = stamp(START)
IDENTITY = {"00100020": {"vr": "LO", "Value": ["P2"]}}


def shown(note: Any, tag: str) -> Any:
    return note.attributes.get(tag, {}).get("Value")


def test_a_decision_survives_being_written() -> None:
    for one in (
        Decision("merge", AT, "0", patient={"00100020": "P1"}, attributes=IDENTITY),
        Decision("correction", AT, "0", level="series", uid="1.2", attributes={"00081030": {"vr": "LO"}}),
        Decision("hold", AT, "0", uid="1.2", reason="é"),
        Decision("quarantine", AT, "settle", objects=("0" * 64,)),
        Decision("release", AT, "0", objects=("0" * 64,)),
        Decision("tombstone", AT, "0", objects=("0" * 64, "1" * 64), uid="1.2"),
    ):
        assert decisions.from_bytes(decisions.to_bytes(one)) == one


BASE: dict[str, Any] = {"version": 1, "kind": "hold", "at": AT, "by": "0", "uid": "1.2"}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": True},
        {"kind": "bless"},
        {"kind": []},
        {"level": {}},
        {"at": "yesterday"},
        {"by": ""},
        {"by": 1},
        {"uid": "1..2"},
        {"uid": ""},
        {"objects": ["x"]},
        {"objects": 3},
        {"extra": 1},
        {"reason": "x" * 3000},
        {"kind": "tombstone"},
        {"kind": "merge"},
        {"kind": "merge", "attributes": IDENTITY, "patient": {"00100020": "P1"}},
        {"kind": "merge", "attributes": {**IDENTITY, "00081030": {"vr": "LO"}}},
        {"kind": "correction", "attributes": {"00280010": {"vr": "DS"}}},
        {"kind": "correction", "attributes": {"00081030": {"vr": "SQ", "Value": [{}]}}},
        {"kind": "correction", "attributes": {"00081030": {"vr": "LO", "BulkDataURI": "x"}}},
        {"kind": "correction", "attributes": {"00081030": {"vr": "LO", "Value": [{}]}}},
        {"kind": "correction", "attributes": {"0008103": {"vr": "LO"}}},
        {"kind": "correction", "attributes": {"00100010": {"vr": "PN", "Value": ["DUPONT"]}}},
    ],
)
def test_anything_else_is_damage(change: dict[str, Any]) -> None:
    assert decisions.from_bytes(json.dumps(BASE).encode()).kind == "hold"
    with pytest.raises(Damaged):
        decisions.from_bytes(json.dumps(BASE | change).encode())


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[]", b"1", b"[" * 100_000, b'{"version":1}', b"{}"])
def test_what_is_no_decision_is_damage(raw: bytes) -> None:
    with pytest.raises(Damaged):
        decisions.from_bytes(raw)


def test_later_decisions_see_what_earlier_ones_left() -> None:
    into = {name: {"00100020": {"vr": "LO", "Value": [name]}} for name in "ABC"}
    note = replace(note_of(0), attributes=note_of(0).attributes | into["A"])
    merges = [
        Decision("merge", AT, "0", patient={"00100020": "A"}, attributes=into["B"]),
        Decision("merge", AT, "0", patient={"00100020": "B"}, attributes=into["C"]),
    ]
    for order, wanted in ((merges, "C"), (merges[::-1], "B")):
        decided = Decided()
        for one in order:
            decided.take(one)
        assert shown(decided.effective(note), "00100020") == [wanted]


def test_a_merge_replaces_the_identity_as_a_whole() -> None:
    decided = Decided()
    decided.take(Decision("merge", AT, "0", uid=note_of(0).study, attributes=IDENTITY))
    merged = decided.effective(note_of(0))
    assert shown(merged, "00100020") == ["P2"]
    assert "00100010" not in merged.attributes and "00100030" not in merged.attributes
    assert shown(merged, "00081030") == shown(note_of(0), "00081030")


def test_two_people_with_one_patient_id_are_told_apart() -> None:
    decided = Decided()
    who = {"00100020": "P0", "00100010": "DURAND^Luc"}
    decided.take(Decision("merge", AT, "0", patient=who, attributes=IDENTITY))
    assert decided.effective(note_of(0)) == note_of(0)


def test_whatever_the_order_of_arrival_the_answers_are_the_same(tmp_path: Path) -> None:
    samples = [image(s, i, patient=f"P{s % 2 + 1}") for s in (1, 2, 3) for i in (1, 2)]
    taken = [
        Decision("merge", AT, "0", patient={"00100020": "P1"}, attributes=IDENTITY),
        Decision("correction", AT, "0", uid=study_uid(2), attributes={"00081030": {"vr": "LO", "Value": ["Genou"]}}),
    ]
    base = MemoryBackend()
    for place, sample in enumerate(samples):
        receive(base, sample, place)
    found = []
    for seed, before in itertools.product(range(3), (0, 3, 6)):
        archive = MemoryBackend()
        order = list(base.waiting)
        random.Random(seed).shuffle(order)
        index = Index.open(tmp_path / f"{seed}-{before}.db", KEY)
        for place, name in enumerate(order):
            if place == before:
                for one in taken:
                    archive.decide(seal(decisions.to_bytes(one), [EPOCH.notes]))
            archive.waiting[name] = base.waiting[name]
            settle(archive, index)
        if before == len(order):
            for one in taken:
                archive.decide(seal(decisions.to_bytes(one), [EPOCH.notes]))
            settle(archive, index)
        found.append(answers(index))
        index.close()
    assert all(one == found[0] for one in found)
    assert b'"Genou"' in found[0]["studies ()"][0] and b'"P1"' not in found[0]["studies ()"][0]


def test_an_index_that_followed_other_decisions_is_made_anew(tmp_path: Path) -> None:
    archive = MemoryBackend()
    index = Index.open(tmp_path / "index.db", KEY)
    receive(archive, image(1, 1))
    plain = settle(archive, index) and answers(index)
    archive.decide(
        seal(decisions.to_bytes(Decision("merge", AT, "0", patient={"00100020": "P1"}, attributes=IDENTITY)),
             [EPOCH.notes])
    )  # fmt: skip
    settle(archive, index)
    assert answers(index) != plain
    archive.decided.clear()  # a backup of before was restored
    settle(archive, index)
    assert answers(index) == plain
    index.close()


def test_what_was_quarantined_before_it_reached_its_shelf_stays_unlisted_when_the_first_is_gone(tmp_path: Path) -> None:
    archive = MemoryBackend()
    index = Index.open(tmp_path / "index.db", KEY)
    first = receive(archive, image(1, 1, content=1))
    settle(archive, index)
    second = receive(archive, image(1, 1, content=2))
    for one in (
        Decision("quarantine", AT, "settle", objects=(second,)),
        Decision("tombstone", AT, "0", objects=(first,)),
    ):
        archive.decide(seal(decisions.to_bytes(one), [EPOCH.notes]))
    settle(archive, index)
    assert index.counts() == (0, 0, 0) and list(archive.shelves) == [second] and archive.inbox() == []
    index.close()
