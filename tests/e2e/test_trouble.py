"""A taken port, a newer state or a damaged key: each is named, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.box import OWNER, PASSPHRASE, Box, free_ports, running, wait_for
from tests.e2e.objects import below, tiny
from tests.samples.modality import send

DAMAGED, ENVIRONMENT, USAGE = 5, 6, 2


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """An archive with one image, stopped; tests work on copies of it."""
    with running(tmp_path_factory.mktemp("archive")) as box:
        assert send([tiny("kept")], "127.0.0.1", box.dicom_port)[0].stored
        with box.login() as client:
            box.settled(client, 1)
    return box


@pytest.fixture
def copy(archive: Box, tmp_path: Path) -> Iterator[Box]:
    """A copy of the archive for one test to harm."""
    box = Box(tmp_path)
    shutil.copytree(archive.state, box.state, symlinks=True)
    shutil.copy(archive.kit, box.kit)
    try:
        yield box
    finally:
        box.stop()


def serve(box: Box) -> subprocess.CompletedProcess[bytes]:
    """Run ``appliance serve``, which is expected to end by itself."""
    http, dicom = f"127.0.0.1:{box.http_port}", f"127.0.0.1:{box.dicom_port}"
    return box.run("serve", "--state", str(box.state), "--http", http, "--dicom", dicom, timeout=30)


@pytest.mark.parametrize("which", ["http_port", "dicom_port"])
def test_a_port_in_use_is_named(copy: Box, which: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", getattr(copy, which)))
        taken.listen()
        done = serve(copy)
    assert done.returncode == ENVIRONMENT
    assert f"Port {getattr(copy, which)} of 127.0.0.1" in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert serves_what_it_had(copy)


def serves_what_it_had(box: Box) -> bool:
    """Return whether a login lists the one image of the archive."""
    box.start()
    with box.login() as client:
        box.settled(client, 1)
        return box.count(client) == 1


def test_a_state_of_a_newer_version_is_left_alone(copy: Box) -> None:
    (copy.state / "FORMAT").write_text("negatoscope 99\n")
    before = below(copy.state)
    done = serve(copy)
    assert done.returncode == ENVIRONMENT
    assert b"newer version" in done.stderr and b"Update" in done.stderr
    assert below(copy.state) == before


def test_an_unreadable_format_is_damage(copy: Box) -> None:
    (copy.state / "FORMAT").write_bytes(b"\xff\x00")
    done = serve(copy)
    assert (done.returncode, b"FORMAT" in done.stderr) == (DAMAGED, True)


HARMED = [
    (name, harm)
    for name in ("slot", "1.notes.age", "1.images.age", "index.age")
    for harm in ("empty", "one bit", "other bytes", "missing")
    if (name[0], harm) != ("1", "missing")
]


@pytest.mark.parametrize(("name", "harm"), HARMED)
def test_a_damaged_key_stops_the_login_with_its_reason_and_loses_nothing(copy: Box, name: str, harm: str) -> None:
    keys = copy.state / "keys"
    path = next((keys / "slots").iterdir()) if name == "slot" else keys / name
    whole = path.read_bytes()
    damage(path, harm)
    copy.start()
    assert send([tiny("while damaged")], "127.0.0.1", copy.dicom_port)[0].stored
    with copy.client() as client:
        began = time.monotonic()
        answer = client.post("/api/session", json={"user": OWNER, "password": PASSPHRASE})
        refused = name == "slot" and harm in ("missing", "one bit")
        assert answer.status_code in ((401, 500) if refused else (500,)), answer.text
        assert answer.json()["error"] in (("refused", "damaged") if refused else ("damaged",))
        assert time.monotonic() - began < 15
        assert client.get("/healthz").text == "ok"
        wait_for(lambda: is_locked(client), 15)
    path.write_bytes(whole)
    wait_for(lambda: logs_in(copy), 15)
    with copy.login() as client:
        copy.settled(client, 2)


def logs_in(box: Box) -> bool:
    try:
        return box.client().post("/api/session", json={"user": OWNER, "password": PASSPHRASE}).status_code == 200
    except httpx.TransportError:
        return False


def is_locked(client: httpx.Client) -> bool:
    try:
        return bool(client.get("/api/status").json().get("locked"))
    except httpx.TransportError:
        return False


def damage(path: Path, harm: str) -> None:
    raw = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        middle = len(raw) // 2
        path.write_bytes(
            {
                "empty": b"",
                "cut short": raw[:-20],
                "one bit": raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :],
                "other bytes": os.urandom(len(raw)),
            }[harm]
        )


@pytest.mark.parametrize(
    ("name", "harm"),
    [("1.images.pub", "empty"), ("1.images.pub", "missing"), ("1.images.age", "missing"), ("1.notes.age", "missing")],
)
def test_without_whole_keys_nothing_is_taken_in_and_serve_says_which(copy: Box, name: str, harm: str) -> None:
    """What is sealed to an epoch whose identity is lost could never be opened."""
    path = copy.state / "keys" / name
    whole = path.read_bytes()
    damage(path, harm)
    done = serve(copy)
    assert done.returncode == DAMAGED
    assert name.encode() in done.stderr and b"Traceback" not in done.stderr
    path.write_bytes(whole)
    assert serves_what_it_had(copy)


def test_a_strangers_public_key_is_noticed_at_the_login(copy: Box, archive: Box, tmp_path: Path) -> None:
    other = Box(tmp_path / "..")
    other.state, other.kit = tmp_path / "other", tmp_path / "other-kit.txt"
    other.make()
    shutil.copy(other.state / "keys" / "1.images.pub", copy.state / "keys" / "1.images.pub")
    copy.start()
    with copy.client() as client:
        answer = client.post("/api/session", json={"user": OWNER, "password": PASSPHRASE})
    assert (answer.status_code, answer.json()["error"]) == (500, "damaged")
    assert "exchanged" in answer.json()["message"]


def init(box: Box, **changed: str) -> subprocess.CompletedProcess[bytes]:
    options = {
        "state": str(box.state),
        "owner": OWNER,
        "password-file": str(box.password_file),
        "recovery-out": str(box.kit),
        **changed,
    }
    return box.run("init", *(word for name, value in options.items() for word in (f"--{name}", value)))


def test_init_leaves_a_directory_that_is_not_empty_as_it_is(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.state.mkdir()
    (box.state / "letter.txt").write_text("dear")
    done = init(box)
    assert done.returncode == ENVIRONMENT and b"not empty" in done.stderr
    assert below(box.state) == {"letter.txt"}
    assert not box.kit.exists()


@pytest.mark.parametrize("weak", ["", "password", "Dr Essai 2026", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])
def test_init_refuses_a_weak_passphrase(tmp_path: Path, weak: str) -> None:
    box = Box(tmp_path)
    box.password_file.write_text(weak)
    done = init(box)
    assert done.returncode == USAGE, done.stderr
    assert not box.state.exists() and not box.kit.exists()
    assert not weak or weak.encode() not in done.stderr.replace(b"password-file", b"").replace(b"passphrase", b"")


def test_an_archive_whose_recovery_sheet_cannot_be_written_does_not_come_to_be(tmp_path: Path) -> None:
    box = Box(tmp_path)
    for place in (tmp_path / "missing" / "kit.txt", tmp_path, box.password_file):
        done = init(box, **{"recovery-out": str(place)})
        assert done.returncode == ENVIRONMENT and b"recovery sheet" in done.stderr, done.stderr
        assert below(box.state) == set()
    assert box.password_file.read_text() == PASSPHRASE
    box.make()


def test_a_taken_port_of_the_whole_machine_is_named_too(copy: Box) -> None:
    (port,) = free_ports(1)
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", port))
        taken.listen()
        copy.http_port = port
        done = serve(copy)
    assert done.returncode == ENVIRONMENT and str(port).encode() in done.stderr
