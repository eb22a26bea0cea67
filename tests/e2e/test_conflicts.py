"""Copies, conflicts, a lost index and a lost program: what was stored first stays, and opens again."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread

from tests.box import OWNER, Box, running, wait_for
from tests.e2e.objects import STOW, stow_body, tiny
from tests.samples.modality import send
from tests.samples.part10 import Sample, wrap

LEVELS = ("studies", "series", "instances")


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[tuple[Box, httpx.Client]]:
    """An unlocked appliance with six images of two studies, and its owner's session."""
    with running(tmp_path) as box:
        assert all(answer.stored for answer in send(images(), "127.0.0.1", box.dicom_port))
        with box.login() as client:
            box.settled(client, 6)
            yield box, client


def images() -> list[Sample]:
    return [tiny("conflict", n, study=n % 2, InstanceNumber=n, StudyDescription=f"Étude {n % 2}") for n in range(6)]


def search(client: httpx.Client) -> dict[str, Any]:
    """Return every answer of the search resources."""
    found = {}
    for level in LEVELS:
        answer = client.get(f"/dicom-web/{level}", params={"includefield": "all"})
        assert answer.status_code == 200, answer.text
        found[level] = answer.json()
    return found


def as_owner(box: Box, *command: str) -> str:
    """Run a command as the owner; return what it printed."""
    done = box.run(
        *command, "--state", str(box.state), "--user", OWNER, "--password-file", str(box.password_file)
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def retrieve(client: httpx.Client, sample: Sample) -> bytes:
    """Return the stored Part 10 file of a sample."""
    found = dcmread(BytesIO(sample.data))
    answer = client.get(
        f"/dicom-web/studies/{found.StudyInstanceUID}/series/{found.SeriesInstanceUID}/instances/{sample.sop_instance}",
        headers={"Accept": "application/dicom; transfer-syntax=*"},
    )
    assert answer.status_code == 200, answer.text
    return answer.content


def sorted_in(box: Box, client: httpx.Client) -> bool:
    """Return whether nothing waits to be sorted."""
    return client.get("/api/status").json()["waiting"] == 0 and not list((box.state / "inbox").glob("*.age"))


def on_shelves(box: Box) -> int:
    return len(list((box.state / "objects").rglob("*.age")))


def test_an_identical_copy_sent_twice_by_two_ways_is_one_instance(filled: tuple[Box, httpx.Client]) -> None:
    box, client = filled
    before = search(client)
    assert all(answer.stored for answer in send(images(), "127.0.0.1", box.dicom_port))
    assert client.post("/dicom-web/studies", content=stow_body(s.data for s in images()), headers=STOW).is_success
    wait_for(lambda: sorted_in(box, client), 20)
    assert search(client) == before
    assert on_shelves(box) == 6


def test_other_bytes_under_the_same_uid_never_replace_the_first_and_are_kept(
    filled: tuple[Box, httpx.Client],
) -> None:
    box, client = filled
    first = images()[0]
    other = tiny("conflict", 0, study=0, PatientName="AUTRE^Patient", pixels=bytes(range(128)))
    assert other.sop_instance == first.sop_instance
    assert send([other], "127.0.0.1", box.dicom_port)[0].stored
    wait_for(lambda: sorted_in(box, client), 20)
    wait_for(lambda: on_shelves(box) == 7, 5)
    assert box.count(client) == 6
    assert retrieve(client, first).endswith(first.dataset)
    assert client.get("/dicom-web/studies", params={"PatientName": "AUTRE*"}).json() == []
    assert len(list((box.state / "decisions").glob("*.age"))) == 1
    assert client.post("/api/studies/search", json={}).json()["quarantined"] == 1
    told = json.loads(as_owner(box, "study", "quarantined", "--json"))["images"]
    assert [(one["patient_name"], one["sop_instance"]) for one in told] == [("AUTRE^Patient", first.sop_instance)]
    assert "AUTRE^Patient" in as_owner(box, "study", "quarantined")
    before = search(client)
    rebuild(box)
    wait_for(lambda: search(client) == before, 10)


def test_the_same_bytes_in_another_transfer_syntax_are_no_copy(filled: tuple[Box, httpx.Client]) -> None:
    """A sender that mends a wrong label sends the same data set again; what was acknowledged is kept, both times."""
    box, client = filled
    sample = tiny("labelled", study=0)
    labels = ("1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.1")  # Encapsulated Uncompressed is laid out alike.
    for label in labels:
        file = wrap("labelled", sample.sop_class, sample.sop_instance, label, sample.dataset)
        assert client.post("/dicom-web/studies", content=stow_body([file.data]), headers=STOW).status_code == 200
    wait_for(lambda: sorted_in(box, client) and on_shelves(box) == 8, 20)
    assert box.count(client) == 7
    assert len(list((box.state / "decisions").glob("*.age"))) == 1


def rebuild(box: Box) -> None:
    done = box.run(
        "index", "rebuild", "--state", str(box.state), "--user", OWNER, "--password-file", str(box.password_file)
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"indexed 6 images" in done.stdout


def test_a_rebuilt_index_answers_as_the_old_one_did(filled: tuple[Box, httpx.Client]) -> None:
    box, client = filled
    before, inode = search(client), (box.state / "index.db").stat().st_ino
    rebuild(box)
    assert (box.state / "index.db").stat().st_ino != inode
    assert send([tiny("conflict", "late")], "127.0.0.1", box.dicom_port)[0].stored
    box.settled(client, 7)
    after = search(client)
    late = tiny("conflict", "late").sop_instance
    kept = [found for found in after["instances"] if found["00080018"]["Value"] != [late]]
    assert sorted(kept, key=repr) == sorted(before["instances"], key=repr)


@pytest.mark.parametrize("harm", ["deleted", "overwritten", "cut short"])
def test_an_index_lost_while_stopped_is_made_anew_at_the_next_login(
    filled: tuple[Box, httpx.Client], harm: str
) -> None:
    box, client = filled
    before = search(client)
    box.stop()
    path = box.state / "index.db"
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    if harm == "deleted":
        path.unlink()
    elif harm == "overwritten":
        path.write_bytes(os.urandom(path.stat().st_size))
    else:
        os.truncate(path, path.stat().st_size // 2)
    box.start()
    with box.login() as again:
        box.settled(again, 6)
        assert search(again) == before


def test_the_recovery_sheet_and_the_age_program_open_an_image_without_our_software(
    filled: tuple[Box, httpx.Client], tmp_path: Path
) -> None:
    box, _ = filled
    sample = tiny("conflict", "locked away")
    box.lock()
    assert send([sample], "127.0.0.1", box.dicom_port)[0].stored
    with box.login() as client:
        box.settled(client, 7)
        stored = retrieve(client, sample)
    box.stop()
    (key,) = re.findall(r"^AGE-SECRET-KEY-1\w+$", box.kit.read_text("utf-8"), re.MULTILINE)
    paper, identity = tmp_path / "paper.txt", tmp_path / "id.txt"
    paper.write_text(f"{key}\n")
    identity.write_bytes(age(paper, box.state / "keys" / "1.images.age"))
    opened = [age(identity, path) for path in sorted((box.state / "objects").rglob("*.age"))]
    assert len(opened) == 7
    assert opened.count(stored) == 1
    assert stored.endswith(sample.dataset)
    assert dcmread(BytesIO(stored)).SOPInstanceUID == sample.sop_instance
    ours = box.run("open", "--identity", str(identity), stdin=next((box.state / "objects").rglob("*.age")).read_bytes())
    assert ours.stdout in opened


def age(identity: Path, sealed: Path) -> bytes:
    """Open one file with Debian's ``age``."""
    done = subprocess.run(["age", "-d", "-i", str(identity), str(sealed)], capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout
