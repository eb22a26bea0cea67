"""Locked: no process holds a key, none but the receiver the name of an image, and that one only what it received."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.sealing.bech32 import decode
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, unwrap
from appliance.sealing.reader import open_sealed
from tests.box import Box, running, wait_for
from tests.e2e.memory import search, tree
from tests.samples.canary import stamp
from tests.samples.collection import collection
from tests.samples.modality import send

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root to read the memory of processes")

PROCESSES = {"receiver", "keyagent", "web", "decoder"}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with running(tmp_path_factory.mktemp("box")) as started:
        yield started


def keys(box: Box) -> dict[str, bytes]:
    """Return every secret of the archive, opened with the paper key alone, as text and as raw bytes."""
    text = next(line for line in box.kit.read_text().split() if line.startswith("AGE-SECRET-KEY-1"))
    paper = Identity.parse(text)
    found: dict[str, bytes] = {"paper key": text.encode()}
    identities = {}
    for kind in ("notes", "images"):
        opened = _open(box.state / "keys" / f"1.{kind}.age", paper).decode()
        identity = next(line for line in opened.splitlines() if line.startswith("AGE-SECRET-KEY-1"))
        identities[kind] = Identity.parse(identity)
        found[f"{kind} identity"] = identity.encode()
        found[f"{kind} scalar"] = bytes(decode(identity.lower())[1])
    found["index key"] = _open(box.state / "keys" / "index.age", identities["notes"])
    found["index key in hex"] = found["index key"].hex().encode()
    for folder, kind in (("objects", "images"), ("notes", "notes")):
        for number, path in enumerate(sorted((box.state / folder).glob("*/*.age"))):
            with path.open("rb") as file:
                found[f"file key {folder} {number}"] = unwrap([identities[kind]], read_header(file))
    return found


def _open(path: Path, identity: Identity) -> bytes:
    raw = path.read_bytes()
    return open_sealed(raw, unwrap([identity], read_header(io.BytesIO(raw))))


def test_after_the_lock_no_process_holds_a_key_or_the_name_of_an_image_stored_before(box: Box) -> None:
    plain = [sample for sample in collection() if "CT_small" in sample.name or "MR_small" in sample.name][:3]
    stamped = [stamp(sample) for sample in plain[:2]]
    later = [stamp(sample, "later") for sample in plain[2:]]
    names = {f"name {c.place} {c.text}": c.text.encode() for _, made in stamped for c in made}
    later_names = {f"later {c.place} {c.text}": c.text.encode() for _, made in later for c in made}

    assert all(answer.stored for answer in send([sample for sample, _ in stamped], "127.0.0.1", box.dicom_port))
    before = box.children()
    assert box.process is not None
    with box.login() as client:
        box.settled(client, len(stamped))
        for study in client.post("/api/studies/search", json={}).json()["studies"]:
            for series in client.get(f"/api/studies/{study['key']}").json()["series"]:
                for instance in client.get(f"/api/series/{series['key']}").json()["instances"]:
                    assert client.get(f"/api/instances/{instance['key']}/frames/1").status_code == 200
        secrets = keys(box)
        unlocked = search(tree(box.process.pid), secrets | names)
    # The search finds what is there: while the archive is open, the agent has the keys and the pages have the names.
    assert {"images scalar", "notes scalar"} <= unlocked["keyagent"]
    assert unlocked["web"] & names.keys()
    assert "index key" in unlocked["web"] or "index key in hex" in unlocked["web"]
    assert [label for label in unlocked["web"] if label.startswith("file key objects")]
    assert not unlocked["keyagent"] & names.keys(), "the agent never learns a name"
    assert not unlocked["decoder"] & (secrets.keys() | names.keys()), "the decoder's parent holds nothing"
    assert not unlocked["receiver"] & secrets.keys()

    box.lock()
    # They end to forget; the pages let answers under way finish for two seconds at most.
    wait_for(lambda: box.children().keys() >= PROCESSES and _others(box.children(), before), 10)
    after = box.children()
    assert after["receiver"] == before["receiver"], "it goes on receiving"
    assert all(answer.stored for answer in send([sample for sample, _ in later], "127.0.0.1", box.dicom_port))
    locked = search(tree(box.process.pid), secrets | names | later_names)
    assert locked.keys() >= PROCESSES
    for process, held in locked.items():
        assert not held & secrets.keys(), f"{process} holds a key"
        if process != "receiver":
            assert not held & (names.keys() | later_names.keys()), f"{process} holds a name"

    # The receiver may still hold what it received; one that has just started has received nothing.
    box.stop()
    box.start()
    assert box.process is not None
    fresh = search(tree(box.process.pid), secrets | names | later_names)
    assert fresh.keys() >= PROCESSES
    assert {process: held for process, held in fresh.items() if held} == {}


def _others(now: dict[str, int], before: dict[str, int]) -> bool:
    return all(now[process] != before[process] for process in ("keyagent", "web"))
