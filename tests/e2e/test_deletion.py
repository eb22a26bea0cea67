"""Decisions driven from the command line: a study is held, released, corrected, merged, deleted for good."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx

from tests.box import OWNER, Box, wait_for
from tests.ingest.tiny import image, study_uid
from tests.samples.modality import send
from tests.samples.part10 import Sample, split


def person(box: Box) -> list[str]:
    return ["--state", str(box.state), "--user", OWNER, "--password-file", str(box.password_file)]


def order(box: Box, *command: str) -> subprocess.CompletedProcess[bytes]:
    return box.run(*command, *person(box))


def done(box: Box, *command: str) -> str:
    finished = order(box, *command)
    assert finished.returncode == 0, finished.stderr.decode()
    return finished.stdout.decode()


def decide(box: Box, **decision: Any) -> subprocess.CompletedProcess[bytes]:
    path = box.root / "decision.json"
    path.write_text(json.dumps(decision), "utf-8")
    return order(box, "decide", "--file", str(path))


def fill(box: Box, client: httpx.Client, *samples: Sample) -> None:
    before = box.count(client)
    assert all(answer.stored for answer in send(samples, "127.0.0.1", box.dicom_port))
    box.settled(client, before + len(samples))


def studies(client: httpx.Client, **query: str) -> set[str]:
    found = client.get("/dicom-web/studies", params={"limit": 1000, **query})
    return {one["0020000D"]["Value"][0] for one in found.json()} if found.status_code == 200 else set()


def files(box: Box, *rooms: str) -> set[Path]:
    return {path for room in rooms for path in (box.state / room).rglob("*.age")}


def original(client: httpx.Client, study: int) -> bytes:
    """Return the data set of a study's only image as it is stored."""
    answer = client.get(
        f"/dicom-web/studies/{study_uid(study)}",
        headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
    )
    raw = answer.content.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
    return raw[split(raw)[1] :]


def test_a_deleted_study_is_gone_for_good_and_a_held_one_stays(box: Box) -> None:
    with box.login() as client:
        fill(box, client, image(1, 1), image(1, 2), image(2, 1))
        kept = files(box, "objects", "notes")
        refused = order(box, "study", "delete", study_uid(9), "--yes")
        assert refused.returncode == 2 and b"no such study" in refused.stderr
        done(box, "study", "hold", study_uid(1), "--reason", "expertise")
        refused = order(box, "study", "delete", study_uid(1), "--yes")
        assert refused.returncode == 4 and b"held" in refused.stderr
        assert files(box, "objects", "notes") == kept and studies(client) == {study_uid(1), study_uid(2)}
        listed = json.loads(done(box, "study", "list", "--json"))["studies"]
        assert {one["study"]: one["held"] for one in listed} == {study_uid(1): True, study_uid(2): False}
        done(box, "study", "release", study_uid(1))
        assert "deleted 2 images" in done(box, "study", "delete", study_uid(1), "--yes", "--reason", "demande")
        wait_for(lambda: studies(client) == {study_uid(2)}, 10)
        assert len(files(box, "objects")) == len(files(box, "notes")) == 1
        assert client.get(f"/dicom-web/studies/{study_uid(1)}/metadata").status_code == 404
        # Each decision has its line, who and which study by opaque names; one that was refused has none.
        lines = [json.loads(line) for line in (box.state / "audit" / "keyagent.log").read_text().splitlines()]
        taken = [line for line in lines if line["event"].startswith("keyagent:decision:")]
        assert [line["event"].rpartition(":")[2] for line in taken] == ["hold", "release", "tombstone"]
        assert len({(line["person"], line["study"]) for line in taken}) == 1 and study_uid(1) not in str(taken)
        # It may come anew, on purpose: the tombstone names the objects that were, not the patient's study.
        fill(box, client, image(1, 1))
        assert studies(client) == {study_uid(1), study_uid(2)}


def test_a_tombstone_outlives_a_backup_that_brings_the_study_back(own_box: Box) -> None:
    box = own_box
    with box.login() as client:
        fill(box, client, image(3, 1), image(4, 1))
        saved = {path: path.read_bytes() for path in files(box, "objects", "notes")}
        done(box, "study", "delete", study_uid(3), "--yes")
    box.lock()
    for path, raw in saved.items():
        path.write_bytes(raw)
    assert len(files(box, "objects")) == 2
    with box.login() as client:
        wait_for(lambda: len(files(box, "objects", "notes")) == 2, 10)
        assert studies(client) == {study_uid(4)}


def test_a_correction_changes_what_is_shown_and_no_byte_of_the_object(box: Box) -> None:
    sample = image(5, 1, patient="P5", name="DURAND^Luc")
    with box.login() as client:
        fill(box, client, sample)
        change = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "DURANT^Luc"}]}}
        decided = decide(box, kind="correction", level="study", uid=study_uid(5), attributes=change)
        assert decided.returncode == 0, decided.stderr.decode()
        wait_for(lambda: studies(client, PatientName="DURANT") == {study_uid(5)}, 10)
        assert studies(client, PatientName="DURAND") == set()
        assert original(client, 5) == sample.dataset


def test_merged_patients_are_one_and_later_arrivals_join_them(box: Box) -> None:
    with box.login() as client:
        fill(box, client, image(6, 1, patient="P6", name="MARTIN^Z"), image(7, 1, patient="P7", name="MARTIN^Zoe"))
        into = {
            "00100020": {"vr": "LO", "Value": ["P7"]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "MARTIN^Zoe"}]},
        }
        decided = decide(box, kind="merge", patient={"00100020": "P6"}, attributes=into)
        assert decided.returncode == 0, decided.stderr.decode()
        wait_for(lambda: studies(client, PatientID="P7") == {study_uid(6), study_uid(7)}, 10)
        assert studies(client, PatientID="P6") == set()
        fill(box, client, image(8, 1, patient="P6"))
        assert studies(client, PatientID="P7") == {study_uid(6), study_uid(7), study_uid(8)}
        assert original(client, 6) == image(6, 1, patient="P6", name="MARTIN^Z").dataset


def test_a_malformed_decision_is_refused_and_leaves_nothing(box: Box) -> None:
    before = files(box, "decisions")
    wrong: list[dict[str, Any]] = [
        {"kind": "merge", "patient": {"00100020": "P1"}, "attributes": {}},
        {"kind": "correction", "level": "study", "uid": study_uid(1), "attributes": {"0020000D": {"vr": "UI"}}},
        {"kind": "correction", "level": "study", "uid": "../1", "attributes": {"00081030": {"vr": "LO"}}},
        {"kind": "tombstone", "objects": ["../../etc/passwd"]},
        {"kind": "hold", "uid": study_uid(77)},
        {"kind": "bless", "uid": study_uid(1)},
        {"kind": "hold", "uid": study_uid(1), "by": "somebody"},
    ]
    for decision in wrong:
        assert decide(box, **decision).returncode == 2, decision
    assert files(box, "decisions") == before


def test_a_conflicting_image_is_kept_unlisted_until_it_takes_the_place_of_the_first(box: Box) -> None:
    with box.login() as client:
        fill(box, client, image(10, 1, content=1))
        wait_for(lambda: not files(box, "inbox"), 10)  # It is listed before it is on its shelf.
        first = files(box, "objects")
        assert all(answer.stored for answer in send([image(10, 1, content=2)], "127.0.0.1", box.dicom_port))
        wait_for(lambda: len(files(box, "objects")) == len(first) + 1 and not files(box, "inbox"), 10)
        assert original(client, 10) == image(10, 1, content=1).dataset
        (second,) = (path.stem for path in files(box, "objects") - first)
        shown = max(first, key=lambda path: path.stat().st_mtime_ns).stem
        for decision in ({"kind": "release", "objects": [second]}, {"kind": "quarantine", "objects": [shown]}):
            decided = decide(box, **decision)
            assert decided.returncode == 0, decided.stderr.decode()
        wait_for(lambda: original(client, 10) == image(10, 1, content=2).dataset, 10)
        # Deleting the study takes what was quarantined of it, too.
        before = len(files(box, "objects"))
        assert "deleted 2 images" in done(box, "study", "delete", study_uid(10), "--yes")
        assert len(files(box, "objects")) == before - 2


def test_nothing_is_deleted_while_what_may_hold_it_cannot_be_read(box: Box) -> None:
    """A damaged hold holds nobody's hand; so the list says that it is damaged, and deletions wait for its backup."""
    with box.login() as client:
        fill(box, client, image(21, 1))
        before = files(box, "notes")
        fill(box, client, image(22, 1))
        wait_for(lambda: len(files(box, "notes")) == len(before) + 1, 10)
        (note,) = files(box, "notes") - before
        objects = files(box, "objects")
        done(box, "study", "hold", study_uid(21))
        hold = max(files(box, "decisions"), key=lambda path: path.name)
        kept = hold.read_bytes()
        hold.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        for study in (21, 22):
            refused = order(box, "study", "delete", study_uid(study), "--yes")
            assert refused.returncode == 5 and hold.name[:8] in refused.stderr.decode(), refused.stderr
        told = order(box, "study", "list", "--json")
        assert json.loads(told.stdout)["unreadable_decisions"] == [hold.name[:8]]
        assert f"decision {hold.name[:8]} cannot be read" in order(box, "study", "list").stderr.decode()
        hold.write_bytes(kept)
        assert json.loads(done(box, "study", "list", "--json"))["unreadable_decisions"] == []
        # A note that cannot be read might belong to the study that is held.
        whole = note.read_bytes()
        note.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        refused = order(box, "study", "delete", study_uid(22), "--yes")
        assert refused.returncode == 5 and note.name[:64] in refused.stderr.decode(), refused.stderr
        note.write_bytes(whole)
        assert files(box, "objects") == objects
        assert order(box, "study", "delete", study_uid(21), "--yes").returncode == 4
        done(box, "study", "delete", study_uid(22), "--yes")
        done(box, "study", "release", study_uid(21))
