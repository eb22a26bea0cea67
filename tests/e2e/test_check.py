"""``appliance check`` finds each kind of damage, names the study when it may read, and mends what is derived."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.audit.line import line_hash, parse, render
from appliance.sealing.tunnel_keys import new_private_key, public_key_of
from tests.box import APPLIANCE, OWNER, Box, running, wait_for
from tests.ingest.tiny import image, study_uid
from tests.samples.modality import send

Harm = Callable[[Path], object]


@pytest.fixture(scope="module")
def filled(box: Box) -> Iterator[Box]:
    """An unlocked box with two studies on its shelves."""
    with box.login() as client:
        send([image(1, 1), image(1, 2), image(2, 1)], "127.0.0.1", box.dicom_port)
        box.settled(client, 3)
        wait_for(lambda: not list((box.state / "inbox").glob("*.age")), 10)
        yield box


def check(box: Box, *options: str, state: Path | None = None) -> tuple[int, list[dict[str, Any]]]:
    done = box.run("check", "--json", "--state", str(state or box.state), *options)
    found = json.loads(done.stdout) if done.stdout else {"findings": [{"what": done.stderr.decode()}]}
    return done.returncode, found["findings"]


def deep(box: Box, *options: str) -> tuple[int, list[dict[str, Any]]]:
    return check(box, "--deep", "--user", OWNER, "--password-file", str(box.password_file), *options)


def first(room: str, ending: str) -> Callable[[Path], Path]:
    return lambda state: min((state / room).rglob(f"*{ending}"))


def flip(path: Path, place: int = -1) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)


OBJECT, NOTE = first("objects", ".age"), first("notes", ".note.age")
HARMS: dict[str, tuple[Harm, str]] = {
    "one-bit-of-an-object": (lambda state: flip(OBJECT(state)), "object-altered"),
    "an-object-cut-short": (lambda state: os.truncate(OBJECT(state), 300), "object-altered"),
    "an-object-gone": (lambda state: OBJECT(state).unlink(), "object-missing"),
    "a-note-gone": (lambda state: NOTE(state).unlink(), "note-missing"),
    "a-note-without-form": (lambda state: NOTE(state).write_bytes(b"no age file"), "note-damaged"),
    "a-stray-on-a-shelf": (lambda state: (state / "objects" / "00" / "holiday.jpg").write_bytes(b"sand"), "stray"),
    "an-object-on-another-shelf": (lambda state: _misplace(state), "stray"),
    "a-public-key-gone": (lambda state: (state / "keys" / "1.images.pub").unlink(), "key-missing"),
    "a-public-key-altered": (lambda state: flip(state / "keys" / "1.notes.pub", 10), "key-damaged"),
    "an-identity-gone": (lambda state: (state / "keys" / "1.images.age").unlink(), "key-missing"),
    "an-identity-without-form": (lambda state: (state / "keys" / "1.notes.age").write_bytes(b"x"), "key-damaged"),
    "the-index-key-gone": (lambda state: (state / "keys" / "index.age").unlink(), "key-missing"),
    "one-bit-of-a-slot": (lambda state: flip(min((state / "keys" / "slots").iterdir()), 40), "key-damaged"),
    "one-bit-of-the-list-of-people": (lambda state: _rename_owner(state), "people-damaged"),
    "the-list-of-people-gone": (lambda state: (state / "system.db").unlink(), "people-damaged"),
    "FORMAT-altered": (lambda state: flip(state / "FORMAT", 3), "format"),
    "an-object-that-is-a-pipe": (lambda state: _instead(OBJECT(state), os.mkfifo), "object-altered"),
    "an-object-that-leads-elsewhere": (
        lambda state: _instead(OBJECT(state), lambda path: path.symlink_to("/dev/zero")), "object-altered",
    ),
    "a-note-that-is-a-pipe": (lambda state: _instead(NOTE(state), os.mkfifo), "note-damaged"),
    "an-object-of-eight-terabytes": (lambda state: os.truncate(OBJECT(state), 8 << 40), "object-altered"),
    "a-slot-that-is-a-pipe": (
        lambda state: _instead(min((state / "keys" / "slots").iterdir()), os.mkfifo), "key-damaged",
    ),
    "a-key-file-of-four-terabytes": (lambda state: os.truncate(state / "keys" / "1.notes.age", 4 << 40), "key-damaged"),
    "a-FORMAT-of-four-terabytes": (lambda state: os.truncate(state / "FORMAT", 4 << 40), "format"),
    "somebody-elses-slot": (
        lambda state: min((state / "keys" / "slots").iterdir()).rename(state / "keys/slots/0123456789abcdef.json"),
        "key-damaged",
    ),
    "the-owners-slot-gone": (lambda state: min((state / "keys" / "slots").iterdir()).unlink(), "key-missing"),
    "the-list-of-key-files-gone": (lambda state: (state / "keys" / "SHA256SUMS").unlink(), "key-missing"),
    "the-papers-public-half-gone": (lambda state: (state / "keys" / "paper.pub").unlink(), "key-missing"),
    "a-decision-removed": (lambda state: _second_decision(state).write_bytes(b"x"), "decision-missing"),
    "a-stray-at-the-top": (lambda state: (state / "patients.csv").write_bytes(b"sand"), "stray"),
    "a-stray-folder-at-the-top": (lambda state: (state / "copy of objects").mkdir(), "stray"),
    "a-stray-among-keys": (lambda state: (state / "keys" / "2.notes.key").write_bytes(b"sand"), "stray"),
    "a-stray-among-slots": (lambda state: (state / "keys" / "slots" / "old.json").write_bytes(b"sand"), "stray"),
    "a-stray-among-the-boxs-keys": (lambda state: (state / "keys" / "box" / "other.age").write_bytes(b"x"), "stray"),
    "a-stray-beside-the-tunnels-key": (lambda state: (state / "netd" / "server.key.old").write_bytes(b"x"), "stray"),
    "a-stray-beside-the-record": (lambda state: (state / "audit" / "notes.txt").write_bytes(b"sand"), "stray"),
    "a-stray-among-the-shelves": (lambda state: (state / "objects" / "holiday.jpg").write_bytes(b"sand"), "stray"),
    "a-shelf-that-is-a-file": (lambda state: (state / "renditions").mkdir() or _file(state / "renditions/00"), "stray"),
    "the-inbox-gone": (lambda state: (state / "inbox").rmdir(), "folder-missing"),
    "the-decisions-gone": (lambda state: (state / "decisions").rmdir(), "folder-missing"),
    "the-tunnels-key-gone": (lambda state: (state / "netd" / "server.key").unlink(), "tunnel-key-missing"),
    "one-bit-of-the-record": (lambda state: flip(state / "audit" / "keyagent.log", 70), "record-altered"),
    "the-end-of-the-record-cut": (lambda state: os.truncate(state / "audit" / "keyagent.log", 0), "record-altered"),
    "the-agents-record-gone": (lambda state: (state / "audit" / "keyagent.log").unlink(), "record-altered"),
    "the-commands-record-gone": (lambda state: (state / "audit" / "cli.log").unlink(), "record-altered"),
    "a-record-that-is-a-pipe": (lambda state: _instead(state / "audit" / "cli.log", os.mkfifo), "record-altered"),
    "a-list-of-key-files-that-is-a-pipe": (lambda state: _instead(state / "keys/SHA256SUMS", os.mkfifo), "key-damaged"),
    "an-endless-list-of-key-files": (lambda state: _instead(state / "keys/SHA256SUMS", _endless), "key-damaged"),
    "a-public-key-that-is-a-pipe": (lambda state: _instead(state / "keys/1.notes.pub", os.mkfifo), "key-damaged"),
    "an-endless-public-key": (lambda state: _instead(state / "keys/1.images.pub", _endless), "key-damaged"),
    "a-key-journal-that-is-a-pipe": (lambda state: os.mkfifo(state / "keys/journal.json"), "key-damaged"),
    "an-endless-key-journal": (lambda state: _endless(state / "keys/journal.json"), "key-damaged"),
    "a-half-of-a-slot-that-is-a-pipe": (lambda state: os.mkfifo(_devices(state)), "key-damaged"),
    "an-endless-half-of-a-slot": (lambda state: _endless(_devices(state)), "key-damaged"),
    "a-number-of-the-record-without-end": (lambda state: _count_far(state / "audit/keyagent.log"), "record-altered"),
    "a-tunnels-key-of-junk": (lambda state: (state / "netd/server.key").write_bytes(b"x"), "tunnel-key-damaged"),
    "a-tunnels-key-that-is-a-folder": (
        lambda state: _instead(state / "netd/server.key", Path.mkdir), "tunnel-key-damaged",
    ),
    "a-tunnels-key-that-is-a-pipe": (
        lambda state: _instead(state / "netd/server.key", os.mkfifo), "tunnel-key-damaged",
    ),
    "a-public-half-of-the-tunnel-of-junk": (
        lambda state: (state / "netd/server.pub").write_bytes(b"x"), "tunnel-key-damaged",
    ),
    "another-public-half-of-the-tunnel": (
        lambda state: (state / "netd/server.pub").write_text(public_key_of(new_private_key()) + "\n"),
        "tunnel-key-damaged",
    ),
    "a-sealed-tunnels-key-of-junk": (lambda state: _file(state / "keys/box/wireguard.age"), "key-damaged"),
    "a-sealed-tunnels-key-for-nobody": (
        lambda state: (state / "keys/box/wireguard.age").write_bytes(
            (state / "keys/index.age").read_bytes().replace(b"-> X25519", b"-> X25510")
        ),
        "key-damaged",
    ),
    "an-index-of-junk": (lambda state: (state / "index.db").write_bytes(b"x"), "index-damaged"),
    "an-index-in-clear": (lambda state: shutil.copy(state / "system.db", state / "index.db"), "index-damaged"),
    "an-index-that-is-a-folder": (lambda state: _instead(state / "index.db", Path.mkdir), "stray"),
    "an-index-that-is-a-pipe": (lambda state: _instead(state / "index.db", os.mkfifo), "stray"),
    "a-lock-of-the-index-that-is-a-folder": (lambda state: _instead(state / "index.lock", Path.mkdir), "stray"),
    "a-list-of-people-that-is-a-pipe": (lambda state: _instead(state / "system.db", os.mkfifo), "people-damaged"),
    "a-list-of-people-that-leads-elsewhere": (
        lambda state: (state / "system.db").rename(state.parent / "system.db")
        and (state / "system.db").symlink_to(state.parent / "system.db"),
        "people-damaged",
    ),
    "a-record-that-is-a-file": (
        lambda state: shutil.rmtree(state / "audit") or _file(state / "audit"), "no-folder",
    ),
    "an-inbox-that-is-a-file": (lambda state: (state / "inbox").rmdir() or _file(state / "inbox"), "no-folder"),
    "a-place-for-strays-that-is-a-file": (lambda state: _file(state / "strays"), "no-folder"),
    "an-alarm-over-a-public-key": (lambda state: _alarm(state).write_text("1.images.pub\n"), "key-exchanged"),
    "an-alarm-that-is-a-pipe": (lambda state: os.mkfifo(_alarm(state)), "key-exchanged"),
    "a-shelf-of-objects-gone": (lambda state: _empty_shelf(state / "objects").rmdir(), "shelf-missing"),
    "a-shelf-of-notes-gone": (lambda state: _empty_shelf(state / "notes").rmdir(), "shelf-missing"),
    "a-stray-rendition": (lambda state: _rendition(state), "rendition-stray"),
}  # fmt: skip


def _file(path: Path) -> None:
    path.write_bytes(b"sand")


def _instead(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def _alarm(state: Path) -> Path:
    (state / "alarm").mkdir(exist_ok=True)
    return state / "alarm" / "recipients"


def _empty_shelf(room: Path) -> Path:
    return next(shelf for shelf in sorted(room.iterdir()) if not any(shelf.iterdir()))


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _devices(state: Path) -> Path:
    return min((state / "keys" / "slots").glob("*.json")).with_suffix(".devices")


def _count_far(log: Path) -> None:
    """Append a line with a right hash and a number that has one digit less than Python prints, then one that is not."""
    last = parse(log.read_bytes().splitlines()[-1])
    assert last is not None
    line = {"seq": int("9" * 4300), "at": last["at"], "event": "x:y:z", "prev": last["hash"]}
    with log.open("ab") as file:
        file.write(render(line | {"hash": line_hash(line)}) + b"\njunk\n")


def _rename_owner(state: Path) -> None:
    path = state / "system.db"
    path.write_bytes(path.read_bytes().replace(OWNER.encode(), OWNER.replace("E", "D").encode()))


def _second_decision(state: Path) -> Path:
    return state / "decisions" / "00000002.note.age"


def _misplace(state: Path) -> None:
    path = OBJECT(state)
    shutil.copy(path, state / "objects" / ("00" if path.name[:2] != "00" else "01") / path.name)


def _rendition(state: Path) -> None:
    folder = state / "renditions" / "00"
    folder.mkdir(parents=True)
    (folder / f"{'0' * 64}.age").write_bytes(b"derived from nothing")


def test_a_whole_archive_is_clean_locked_or_not_and_without_keys(filled: Box, tmp_path: Path) -> None:
    assert check(filled) == (0, [])
    copy = tmp_path / "state"
    shutil.copytree(filled.state, copy, ignore=shutil.ignore_patterns("run"))
    assert check(filled, state=copy) == (0, [])


@pytest.mark.parametrize("name", HARMS)
def test_each_harm_is_found_while_locked(filled: Box, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "state"
    shutil.copytree(filled.state, copy, ignore=shutil.ignore_patterns("run"))
    harm, what = HARMS[name]
    harm(copy)
    code, findings = check(filled, state=copy)
    assert code == 5 and what in {one["what"] for one in findings}, findings
    assert all(set(one) == {"what", "where", "study", "next_step", "repaired"} for one in findings)
    assert all(one["next_step"] and one["study"] is None for one in findings)


def test_strays_are_set_aside_and_kept(filled: Box, tmp_path: Path) -> None:
    copy = tmp_path / "state"
    shutil.copytree(filled.state, copy, ignore=shutil.ignore_patterns("run"))
    (copy / "notes" / "00" / "holiday.jpg").write_bytes(b"sand")
    _rendition(copy)
    code, findings = check(filled, "--repair", state=copy)
    assert code == 0 and all(one["repaired"] for one in findings) and len(findings) == 2
    assert [path.read_bytes() for path in (copy / "strays").iterdir()] == [b"sand"]
    assert check(filled, state=copy) == (0, [])


def test_a_stray_with_a_long_or_an_odd_name_is_set_aside_and_told_without_harm(filled: Box, tmp_path: Path) -> None:
    copy = tmp_path / "state"
    shutil.copytree(filled.state, copy, ignore=shutil.ignore_patterns("run"))
    for name in (b"x" * 250, b"\x1b[2Jcleared", b"latin-\xe9", "\u202egnp.exe".encode()):
        Path(os.fsdecode(bytes(copy / "inbox") + b"/" + name)).write_bytes(name)
    told = filled.run("check", "--state", str(copy))
    assert told.returncode == 5 and told.stdout.count(b"stray  inbox/") == 4
    assert all(letter.isprintable() for line in told.stdout.decode().splitlines() for letter in line)
    assert filled.run("check", "--repair", "--state", str(copy)).returncode == 0
    assert len(list((copy / "strays").iterdir())) == 4
    assert check(filled, state=copy) == (0, [])


def test_a_deep_check_of_a_whole_archive_is_clean_and_audited(filled: Box) -> None:
    before = (filled.state / "audit" / "keyagent.log").read_text().count("keyagent:study:retrieve")
    assert deep(filled) == (0, [])
    after = (filled.state / "audit" / "keyagent.log").read_text().count("keyagent:study:retrieve")
    assert after - before == 2  # one line a study


def test_a_deep_check_names_the_study_of_what_is_lost(own_box: Box) -> None:
    box = own_box
    with box.login() as client:
        by_study: dict[str, str] = {}
        for number in range(1, 6):
            send([image(number, 1, content=number)], "127.0.0.1", box.dicom_port)
            box.settled(client, number)
            shelved = {path.stem for path in (box.state / "objects").rglob("*.age")}
            (by_study[study_uid(number)],) = shelved - set(by_study.values())
        objects = {uid: box.state / "objects" / name[:2] / f"{name}.age" for uid, name in by_study.items()}
        notes = {uid: box.state / "notes" / name[:2] / f"{name}.note.age" for uid, name in by_study.items()}
        flip(objects[study_uid(1)])
        os.truncate(objects[study_uid(2)], 300)
        objects[study_uid(3)].unlink()
        flip(notes[study_uid(4)])
        notes[study_uid(5)].write_bytes(notes[study_uid(4)].read_bytes())
        code, findings = deep(box)
        assert code == 5
        named = {(one["what"], one["study"]) for one in findings if one["study"]}
        assert {
            ("object-damaged", study_uid(1)),
            ("object-damaged", study_uid(2)),
            ("object-missing", study_uid(3)),
            ("note-damaged", study_uid(4)),
            ("note-damaged", study_uid(5)),
        } <= named, named
        assert {one["study"] for one in findings} <= set(by_study) | {None}


def test_a_lost_index_is_found_and_made_anew(own_box: Box) -> None:
    box = own_box
    with box.login() as client:
        send([image(1, 1), image(2, 1)], "127.0.0.1", box.dicom_port)
        box.settled(client, 2)
        raw = (box.state / "index.db").read_bytes()
        (box.state / "index.db").write_bytes(raw[:4096] + bytes(len(raw) - 4096))
        code, findings = deep(box, "--repair")
        assert code == 0, findings
        wait_for(lambda: box.count(client) == 2, 20)
        assert deep(box) == (0, [])


def test_a_wrong_password_and_a_missing_user_are_refused(filled: Box) -> None:
    assert check(filled, "--deep")[0] == 2
    wrong = filled.root / "wrong.txt"
    wrong.write_text("not the passphrase")
    assert check(filled, "--deep", "--user", OWNER, "--password-file", str(wrong))[0] == 4


def test_progress_is_drawn_on_a_terminal_only(filled: Box) -> None:
    quiet = filled.run("check", "--state", str(filled.state))
    assert quiet.stderr == b"" and quiet.stdout.splitlines()[0] == b"all is well"
    assert b"takes --deep" in quiet.stdout
    ours, theirs = pty.openpty()
    command = [*APPLIANCE, "check", "--state", str(filled.state)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env=filled.environment, timeout=60)
    os.close(theirs)
    drawn = os.read(ours, 65536)
    os.close(ours)
    assert done.returncode == 0 and b"Names" in drawn and b"100%" in drawn


def test_what_only_the_index_still_tells_of_stays_a_finding_and_is_not_repaired_away(tmp_path: Path) -> None:
    with running(tmp_path) as box, box.login() as client:
        send([image(1, 1), image(2, 1)], "127.0.0.1", box.dicom_port)
        box.settled(client, 2)
        wait_for(lambda: not list((box.state / "inbox").glob("*.age")), 10)
        lost = OBJECT(box.state)
        note = next(box.state.rglob(f"notes/*/{lost.name.removesuffix('.age')}.note.age"))
        lost.unlink()
        note.unlink()
        for _ in range(2):
            code, findings = deep(box, "--repair")
            assert code == 5 and [one["what"] for one in findings] == ["image-lost"]
            assert findings[0]["study"] in {study_uid(1), study_uid(2)} and not findings[0]["repaired"]


def test_what_is_lost_is_told_on_the_list_and_named_by_a_check_after_every_login_until_it_is_back(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as box:
        with box.login() as client:
            send([image(1, 1), image(2, 1)], "127.0.0.1", box.dicom_port)
            box.settled(client, 2)
            wait_for(lambda: not list((box.state / "inbox").glob("*.age")), 10)
            assert missing(client) == {"images": 0, "decisions": False}
        box.lock()
        gone = OBJECT(box.state)
        note = next(box.state.rglob(f"notes/*/{gone.name.removesuffix('.age')}.note.age"))
        kept = [(path, path.read_bytes()) for path in (gone, note)]
        for path, _ in kept:
            path.unlink()
        for _ in range(2):
            with box.login() as client:
                wait_for(lambda: missing(client) == {"images": 1, "decisions": False}, 10)
                assert client.post("/api/studies/search", json={}).json()["total"] == 1
                code, findings = deep(box, "--repair")
                assert code == 5 and [one["what"] for one in findings] == ["image-lost"]
                assert findings[0]["study"] in {study_uid(1), study_uid(2)}
            box.lock()
        with box.login() as client:
            rebuild(box)
            assert missing(client) == {"images": 1, "decisions": False}
        for path, raw in kept:
            path.write_bytes(raw)
        box.lock()
        with box.login() as client:
            wait_for(lambda: client.post("/api/studies/search", json={}).json()["total"] == 2, 10)
            assert missing(client) == {"images": 0, "decisions": False}
            assert deep(box) == (0, [])


def test_a_decision_that_was_cut_is_told_on_the_list_and_named_by_a_check_after_every_login(tmp_path: Path) -> None:
    with running(tmp_path) as box:
        with box.login() as client:
            send([image(1, 1)], "127.0.0.1", box.dicom_port)
            box.settled(client, 1)
            hold(box)
            wait_for(lambda: deep(box) == (0, []), 10)
        box.lock()
        last = max((box.state / "decisions").iterdir())
        kept = last.read_bytes()
        last.unlink()
        for _ in range(2):
            with box.login() as client:
                wait_for(lambda: missing(client) == {"images": 0, "decisions": True}, 10)
                assert client.post("/api/studies/search", json={}).json()["total"] == 1
                code, findings = deep(box)
                assert code == 5 and [one["what"] for one in findings] == ["decision-missing"], findings
            box.lock()
        last.write_bytes(kept)
        with box.login() as client:
            wait_for(lambda: missing(client) == {"images": 0, "decisions": False}, 10)
            assert deep(box) == (0, [])
            last.unlink()
            OBJECT(box.state).unlink()
            rebuild(box)
            assert {one["what"] for one in deep(box)[1]} >= {"decision-missing", "object-missing"}
            NOTE(box.state).unlink()
            rebuild(box, "--give-up")
            wait_for(lambda: missing(client) == {"images": 0, "decisions": False}, 10)
            assert deep(box) == (0, [])


def missing(client: httpx.Client) -> dict[str, Any]:
    return dict(client.post("/api/studies/search", json={}).json()["missing"])


def as_owner(box: Box, *command: str) -> None:
    done = box.run(
        *command, "--state", str(box.state), "--user", OWNER, "--password-file", str(box.password_file)
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def hold(box: Box) -> None:
    as_owner(box, "study", "hold", study_uid(1), "--reason", "inquiry")


def rebuild(box: Box, *options: str) -> None:
    as_owner(box, "index", "rebuild", *options)


def test_an_unreadable_file_does_not_end_a_deep_check(tmp_path: Path) -> None:
    with running(tmp_path) as box, box.login() as client:
        send([image(1, 1), image(2, 1)], "127.0.0.1", box.dicom_port)
        box.settled(client, 2)
        wait_for(lambda: not list((box.state / "inbox").glob("*.age")), 10)
        _instead(OBJECT(box.state), Path.mkdir)
        code, findings = deep(box)
        assert code == 5 and {study_uid(1), study_uid(2)} & {one["study"] for one in findings}, findings


def test_a_last_decision_that_is_gone_is_noticed(tmp_path: Path) -> None:
    with running(tmp_path) as box, box.login() as client:
        send([image(1, 1)], "127.0.0.1", box.dicom_port)
        box.settled(client, 1)
        hold(box)
        assert deep(box) == (0, [])
        max((box.state / "decisions").iterdir()).unlink()
        code, findings = deep(box)
        assert code == 5 and "decision-missing" in {one["what"] for one in findings}, findings
