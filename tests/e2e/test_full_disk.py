"""A disk without a byte left: images are refused, everything that reads goes on, and all is well once there is room."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box import OWNER, PASSPHRASE, wait_for
from tests.e2e.objects import STOW, below, stow_body, tiny
from tests.practice import Practice
from tests.samples.modality import send
from tests.samples.uids import uid

OUT_OF_RESOURCES = 0xA700
ENVIRONMENT = 6


class Full:
    """A box on a file system of 160 MB, with what its people keep elsewhere."""

    def __init__(self, disk: Path, elsewhere: Path) -> None:
        self.disk = disk
        self.elsewhere = elsewhere
        self.box = Practice(disk / "box")
        self.box.root = elsewhere
        self.box.password_file = elsewhere / "password.txt"
        self.box.password_file.write_text(PASSPHRASE, "utf-8")
        self.box.kit, self.box.log, self.box.out = (elsewhere / name for name in ("kit.txt", "log", "out"))

    def fill(self, left: int = 0) -> None:
        """Take all of the disk's room but ``left`` bytes."""
        space = os.statvfs(self.disk)
        with (self.disk / "filler").open("wb", buffering=0) as file:
            free = space.f_bavail * space.f_frsize - left
            try:
                while free > 0:
                    free -= file.write(bytes(min(free, 1 << 20)))
                while not left:
                    file.write(bytes(4096))
            except OSError:
                pass

    def empty(self) -> None:
        (self.disk / "filler").unlink()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Full]:
    disk, elsewhere = tmp_path / "disk", tmp_path / "elsewhere"
    disk.mkdir(), elsewhere.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    made = Full(disk, elsewhere)
    try:
        made.box.make()
        made.box.start()
        yield made
    finally:
        made.box.stop()
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("left", [40 << 20, 0], ids=["below the reserve", "not a byte left"])
def test_a_full_disk_refuses_images_lets_read_and_recovers_by_itself(full: Full, left: int) -> None:
    box = full.box
    assert send([tiny("first")], "127.0.0.1", box.dicom_port)[0].stored
    with contextlib.closing(box.enter(OWNER)) as client:
        box.settled(client, 1)
        before = below(box.state / "objects"), below(box.state / "notes")
        processes = box.children()
        full.fill(left)
        assert send([tiny("refused")], "127.0.0.1", box.dicom_port)[0].status == OUT_OF_RESOURCES
        answer = client.post("/dicom-web/studies", content=stow_body([tiny("stow").data]), headers=STOW)
        assert answer.status_code == 507
        assert answer.json()["0008119A"]["Value"][0]["00081197"]["Value"] == [OUT_OF_RESOURCES]
        assert list((box.state / "inbox").iterdir()) == []
        assert len(client.get("/dicom-web/instances").json()) == 1
        study = client.get("/dicom-web/studies").json()[0]["0020000D"]["Value"][0]
        # There is room for the lines of many reads and logins, each of which leaves its trace.
        for _ in range(20):
            assert client.get(f"/dicom-web/studies/{study}").status_code == 200
            assert box.post_session(client, OWNER).status_code == 200
        full.empty()
        assert send([tiny("again")], "127.0.0.1", box.dicom_port)[0].stored
        box.settled(client, 2)
        assert client.get(f"/dicom-web/studies/{study}").status_code == 200
        assert (below(box.state / "objects") >= before[0], below(box.state / "notes") >= before[1]) == (True, True)
        assert box.children() == processes, "nothing had to start again"


def test_what_arrived_before_the_disk_was_full_is_sorted_once_there_is_room(full: Full) -> None:
    box = full.box
    assert send([tiny("first")], "127.0.0.1", box.dicom_port)[0].stored
    box.settled(box.enter(OWNER), 1)
    box.lock()
    # Enough that the index cannot take them in what room its files have left.
    many = [tiny("waiting", number, study=number, ImageComments="x" * 9000) for number in range(300)]
    assert all(answer.stored for answer in send(many, "127.0.0.1", box.dicom_port))
    full.fill()
    client = box.enter(OWNER)
    study = uid("e2e study", "study")
    assert client.get(f"/dicom-web/studies/{study}").status_code == 200
    log = box.log.read_text()
    wait_for(lambda: "settle.waiting" in box.log.read_text() or box.count(client) == 301, 30)
    assert box.count(client) < 301, "the disk was not full enough for this test"
    assert "settle.damaged" not in log and "unexpected" not in box.log.read_text()
    full.empty()
    box.settled(client, 301)
    wait_for(lambda: not list((box.state / "inbox").iterdir()), 10)  # Listed first, then put on the shelves.
    assert box.run("check", "--state", str(box.state)).returncode == 0


def test_what_would_write_says_that_the_disk_is_full_changes_nothing_and_works_later(full: Full) -> None:
    box, study, sheet = full.box, uid("e2e study", "study"), full.elsewhere / "sheet.txt"
    box.add("Dr Deux", "doctor")
    assert send([tiny("first")], "127.0.0.1", box.dicom_port)[0].stored
    box.settled(box.enter(OWNER), 1)
    new = full.elsewhere / "new.txt"
    new.write_text(f"{PASSPHRASE}-new")
    state = ("--state", str(box.state))
    passphrase = ("user", "passphrase", OWNER, *state, "--password-file", str(box.password_file))
    keys = {path: path.read_bytes() for path in box.paths.keys.rglob("*") if path.is_file()}
    full.fill()
    refused = [
        box.user("study", "hold", study),
        box.user("study", "delete", study, "--yes"),
        box.user("user", "add", "Aide", "--role", "assistant", "--generate", "fr"),
        box.user("user", "add", "Technique", "--role", "technician"),
        box.user("user", "role", "Dr Deux", "owner"),
        box.user("user", "leave", "Dr Deux"),
        box.user("rotate"),
        box.user("rotate", "--new-paper", str(sheet)),
        box.run(*passphrase, "--new-password-file", str(new)),
        box.user("index", "rebuild"),
    ]
    for done in refused:
        assert done.returncode == ENVIRONMENT, done.stderr.decode()
        assert b"disk is full" in done.stderr or b"no room" in done.stderr, done.stderr.decode()
        assert b"Free space" in done.stderr and b"unexpected" not in done.stderr
    assert not sheet.exists()
    assert list(box.paths.decisions.iterdir()) == []
    assert {path: path.read_bytes() for path in box.paths.keys.rglob("*") if path.is_file()} == keys
    # What only reads goes on, and so does locking and opening again.
    for works in (
        box.user("study", "list"), box.user("check", "--deep"), box.run("check", *state), box.run("status", *state),
        box.run("audit", "verify", *state), box.run("audit", "export", *state), box.run("user", "list", *state),
    ):  # fmt: skip
        assert works.returncode == 0, works.stderr.decode()
    box.lock()
    client = box.enter(OWNER)
    assert client.get(f"/dicom-web/studies/{study}").status_code == 200
    full.empty()
    assert box.user("study", "hold", study).returncode == 0
    assert box.user("user", "leave", "Dr Deux").returncode == 0
    assert box.user("rotate", "--new-paper", str(sheet)).returncode == 0
    client = box.enter(OWNER)
    box.settled(client, 1)
    assert box.user("check", "--deep").returncode == 0
    assert box.run("audit", "verify", *state).returncode == 0
