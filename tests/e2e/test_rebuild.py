"""What is lost and derived comes back; what is lost beyond that is read with the paper key and a standard tool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.dicom import note as notes
from appliance.keyring.public import current_epoch
from appliance.paths import StatePaths
from appliance.sealing.writer import seal
from tests.box import OWNER, Box, wait_for
from tests.ingest.test_rebuild_from_notes import note_of
from tests.ingest.tiny import image, study_uid
from tests.samples.modality import send

NOTES = 10_000
SECONDS = 60.0


def command(box: Box, *words: str) -> None:
    person = ["--state", str(box.state), "--user", OWNER, "--password-file", str(box.password_file)]
    done = box.run(*words, *person, timeout=300)
    assert done.returncode == 0, done.stderr.decode()


def decide(box: Box, **decision: Any) -> None:
    path = box.root / "decision.json"
    path.write_text(json.dumps(decision), "utf-8")
    command(box, "decide", "--file", str(path))


def answers(client: httpx.Client) -> dict[str, Any]:
    """Return what the pages and DICOMweb answer."""
    found: dict[str, Any] = {"list": client.post("/api/studies/search", json={"limit": 200}).json()}
    for text in ("dupont1", "p3", "thorax", "genou"):
        found[text] = client.post("/api/studies/search", json={"text": text, "limit": 200}).json()
    for level in ("studies", "series", "instances"):
        for query in ({}, {"PatientID": "P3"}, {"PatientID": "P1"}, {"includefield": "all", "limit": 100}):
            found[f"{level} {query}"] = client.get(f"/dicom-web/{level}", params={"limit": 1000, **query}).text
    for study in json.loads(found["studies {}"])[:5]:
        uid = study["0020000D"]["Value"][0]
        found[f"metadata {uid}"] = client.get(f"/dicom-web/studies/{uid}/metadata").json()
    return found


@pytest.mark.alone
def test_ten_thousand_notes_are_indexed_again_within_a_minute(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = Box(tmp_path)
    box.init()
    paths = StatePaths(box.state)
    recipient = current_epoch(paths).notes
    everything = [note_of(number) for number in range(NOTES)]
    for note in everything:
        name = note.object
        (paths.notes / name[:2] / f"{name}.note.age").write_bytes(seal(notes.to_bytes(note), [recipient]))
        (paths.objects / name[:2] / f"{name}.age").write_bytes(b"")
    box.start()
    try:
        with box.login() as client:
            wait_for(lambda: box.count(client) == NOTES, 120)
            into = {"00100020": {"vr": "LO", "Value": ["P3"]}}
            decide(box, kind="merge", patient={"00100020": "P1"}, attributes=into)
            decide(box, kind="correction", level="study", uid=everything[150].study,
                   attributes={"00081030": {"vr": "LO", "Value": ["Genou"]}})  # fmt: skip
            decide(box, kind="quarantine", objects=[note.object for note in everything[200:210]])
            command(box, "study", "hold", everything[300].study)
            command(box, "study", "delete", everything[400].study, "--yes")
            wait_for(lambda: box.count(client) == NOTES - 35, 30)
            before = answers(client)
            began = time.perf_counter()
            command(box, "index", "rebuild")
            seconds = time.perf_counter() - began
            with capsys.disabled():
                print(f"\nappliance index rebuild: {NOTES} notes in {seconds:.1f} s")
            assert seconds < SECONDS
            wait_for(lambda: box.count(client) == NOTES - 35, 30)
            assert answers(client) == before
        box.lock()
        paths.index_db.unlink()
        with box.login() as client:
            wait_for(lambda: box.count(client) == NOTES - 35, 120)
            assert answers(client) == before
    finally:
        box.stop()


def test_with_all_lost_but_objects_keys_and_paper_two_age_commands_restore_an_image(box: Box, tmp_path: Path) -> None:
    """The commands are taken from the recovery sheet, word for word."""
    age = shutil.which("age")
    assert age is not None, "apt-get install age"
    sample = image(1, 1, content=9)
    with box.login() as client:
        send([sample], "127.0.0.1", box.dicom_port)
        box.settled(client, 1)
        wait_for(lambda: not list((box.state / "inbox").glob("*.age")), 10)
    left = tmp_path / "left"
    (left / "keys").mkdir(parents=True)
    shutil.copytree(box.state / "objects", left / "objects")
    for key in (box.state / "keys").glob("*.age"):
        shutil.copy(key, left / "keys")
    sheet = box.kit.read_text("utf-8")
    (left / "paper.txt").write_text(re.search(r"AGE-SECRET-KEY-1[0-9A-Z]+", sheet)[0] + "\n")  # type: ignore[index]
    commands = re.findall(r"age -d -i .*", sheet)
    assert len(commands) == 2
    (stored,) = (left / "objects").rglob("*.age")
    for line in commands:
        line = line.replace("objects/ab/<id>.age", str(stored.relative_to(left)))
        subprocess.run(["sh", "-c", line], cwd=left, check=True, timeout=60)
    assert (left / "image.dcm").read_bytes().endswith(sample.dataset)
    assert study_uid(1).encode() in (left / "image.dcm").read_bytes()
