"""Settling goes on whatever lies in the inbox, and waits where there is no room."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from appliance.sealing.identities import Identity
from appliance.sealing.writer import seal
from tests.box import Box, wait_for
from tests.ingest.tiny import image, study_uid
from tests.samples.modality import send


def test_damaged_and_foreign_notes_stop_nobody_and_are_alarmed(own_box: Box) -> None:
    box = own_box
    inbox = box.state / "inbox"
    assert all(answer.stored for answer in send([image(n, 1) for n in range(1, 9)], "127.0.0.1", box.dicom_port))
    flipped, truncated, swapped, foreign, empty = sorted(inbox.glob("*.note.age"))[:5]
    raw = bytearray(flipped.read_bytes())
    raw[-1] ^= 1
    flipped.write_bytes(raw)
    os.truncate(truncated, 200)
    swapped.write_bytes(max(inbox.glob("*.note.age")).read_bytes())
    foreign.write_bytes(seal(b"{}", [Identity.generate().recipient()]))
    empty.write_bytes(b"")
    bad = {path.name.split(".")[0] for path in (flipped, truncated, swapped, foreign, empty)}
    public = (box.state / "keys" / "1.notes.pub").read_text().strip()
    for content in (b"[" * 100_000, b'{"version":1}', os.urandom(100)):
        bad.add(_plant(inbox, content, public))
    with box.login() as client:
        box.settled(client, 3)
        wait_for(lambda: {path.name.split(".")[0] for path in inbox.glob("*.age")} == bad, 10)
        wait_for(lambda: all(f'"settle.damaged", "object": "{name}"' in box.log.read_text() for name in bad), 10)
        send([image(20, 1)], "127.0.0.1", box.dicom_port)
        box.settled(client, 4)


def _plant(inbox: Path, note: bytes, public: str) -> str:
    """Put a pair into the inbox as somebody would who knows the public key."""
    from appliance.sealing.recipients import Recipient

    name = hashlib.sha256(note).hexdigest()
    (inbox / f"{name}.age").write_bytes(note)
    (inbox / f"{name}.note.age").write_bytes(seal(note, [Recipient.parse(public)]))
    return name


@pytest.fixture
def small_box(tmp_path: Path) -> Iterator[Box]:
    """A box whose state lies on a file system of 24 MiB."""
    box = Box(tmp_path, reserve_mib="1")
    box.state.mkdir()
    mount = shutil.which("mount")
    done = subprocess.run([mount or "mount", "-t", "tmpfs", "-o", "size=24m", "none", str(box.state)])
    if done.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        box.init()
        box.start()
        yield box
    finally:
        box.stop()
        subprocess.run(["umount", "-l", str(box.state)], check=True)


def fill_disk(box: Box) -> Path:
    """Take every free byte; return the file that holds them."""
    ballast = box.state / "tmp" / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


def listed(client: httpx.Client) -> int:
    return len(client.get("/dicom-web/studies", params={"limit": 1000}).json())


def test_with_a_full_disk_reading_goes_on_arrivals_wait_and_all_recovers_without_a_restart(small_box: Box) -> None:
    box = small_box
    with box.login() as client:
        send([image(1, 1)], "127.0.0.1", box.dicom_port)
        box.settled(client, 1)
        pids = box.children()
        # Arrivals are acknowledged while nothing can settle, then the disk fills, then the box is let go on.
        os.kill(pids["web"], 19)
        assert all(answer.stored for answer in send([image(n, 1) for n in range(2, 42)], "127.0.0.1", box.dicom_port))
        ballast = fill_disk(box)
        os.kill(pids["web"], 18)
        wait_for(lambda: '"settle.waiting"' in box.log.read_text(), 30)
        refused = send([image(50, 1)], "127.0.0.1", box.dicom_port)
        assert refused[0].status is not None and refused[0].status & 0xFF00 == 0xA700
        answer = client.get(f"/dicom-web/studies/{study_uid(1)}/metadata")
        assert answer.status_code == 200 and listed(client) < 41
        ballast.unlink()
        box.settled(client, 41, 30)
        assert all(answer.stored for answer in send([image(50, 1)], "127.0.0.1", box.dicom_port))
        box.settled(client, 42)
        assert box.children() == pids
        wait_for(lambda: not list((box.state / "inbox").glob("*.age")), 10)
