"""What a backup, a repair or a careless hand changed in the state: the box goes on, and a check says what is left."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from tests.box import OWNER, Box, running, wait_for
from tests.e2e.test_clock import clock_at
from tests.ingest.tiny import image, study_uid
from tests.samples.modality import send


def check(box: Box, *options: str, state: Path | None = None) -> tuple[int, list[dict[str, Any]]]:
    done = box.run("check", "--json", "--state", str(state or box.state), *options)
    return done.returncode, json.loads(done.stdout)["findings"]


def as_owner(box: Box, *command: str) -> None:
    login = ("--user", OWNER, "--password-file", str(box.password_file))
    done = box.run(*command, "--state", str(box.state), *login)
    assert done.returncode == 0, done.stderr


def waiting(box: Box) -> list[Path]:
    return list((box.state / "inbox").glob("*.age"))


def objects(state: Path) -> list[Path]:
    return sorted((state / "objects").glob("*/*.age"))


def remove_empty_shelves(state: Path, besides: str = "") -> int:
    rooms = (state / "objects", state / "notes")
    every = (shelf for room in rooms for shelf in room.iterdir() if shelf != rooms[0] / besides)
    empty = [shelf for shelf in every if not any(shelf.iterdir())]
    for shelf in empty:
        shelf.rmdir()
    return len(empty)


def test_shelves_that_a_backup_left_out_are_made_when_something_goes_there(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.init()
    assert remove_empty_shelves(box.state) == 512
    try:
        box.start()
        with box.login() as client:
            send([image(1, 1), image(2, 1)], "127.0.0.1", box.dicom_port)
            box.settled(client, 2)
            wait_for(lambda: not waiting(box) and len(objects(box.state)) == 2, 10)
    finally:
        box.stop()


def test_missing_shelves_are_findings_that_a_repair_mends(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.init()
    (box.state / "objects" / "ab").rmdir()
    (box.state / "objects" / "ab").write_bytes(b"a file in its place")
    (box.state / "notes").chmod(0o2770)
    group = 4711 if os.geteuid() == 0 else os.getegid()
    os.chown(box.state / "notes", os.geteuid(), group)
    assert remove_empty_shelves(box.state, besides="ab") == 511
    code, findings = check(box)
    assert code == 5 and [one["what"] for one in findings] == ["stray", *512 * ["shelf-missing"]]
    code, findings = check(box, "--repair")
    assert code == 0 and all(one["repaired"] for one in findings)
    assert check(box) == (0, [])
    made = (box.state / "notes" / "ab").stat()
    assert (made.st_mode & 0o7777, made.st_gid) == (0o770, group)


def test_a_half_stays_in_the_inbox_and_stays_a_finding(tmp_path: Path) -> None:
    with running(tmp_path) as box:
        send([image(1, 1), image(2, 1), image(3, 1)], "127.0.0.1", box.dicom_port)
        copy = tmp_path / "copy"
        shutil.copytree(box.state, copy, ignore=shutil.ignore_patterns("run"))
    inbox = copy / "inbox"
    first, second, third = sorted(path.name[:64] for path in inbox.glob("*.note.age"))
    (inbox / f"{first}.note.age").unlink()
    (inbox / f"{second}.age").unlink()
    (inbox / f"{third}.note.age").unlink()
    (inbox / f"{third}.age").write_bytes(b"no object by its digest")
    (inbox / ".draft-receiver-0").write_bytes(b"half written")
    box.environment |= clock_at("+2m", tmp_path)  # what is younger than a minute belongs to somebody who is writing
    wanted = {("half", f"{first}.age"), ("half", f"{second}.note.age")}
    for _ in range(2):
        code, findings = check(box, "--repair", state=copy)
        left = {(one["what"], one["where"].removeprefix("inbox/")) for one in findings if not one["repaired"]}
        assert code == 5 and left == wanted
        assert all(
            one["next_step"].startswith("Run: appliance check --deep") for one in findings if not one["repaired"]
        )
    assert {path.name for path in inbox.iterdir()} == {name for _, name in wanted}
    assert sorted(path.read_bytes() for path in (copy / "strays").iterdir()) == [
        b"half written",
        b"no object by its digest",
    ]


def test_what_a_repair_set_aside_of_a_study_is_erased_with_it(tmp_path: Path) -> None:
    with running(tmp_path) as box, box.login() as client:
        send([image(1, 1), image(2, 1)], "127.0.0.1", box.dicom_port)
        box.settled(client, 2)
        wait_for(lambda: not waiting(box), 10)
        copied = box.state / "copy of objects"
        copied.mkdir()
        for path in objects(box.state):
            shelf, note = path.parent.name, f"{path.stem}.note.age"
            other = "00" if shelf != "00" else "01"
            shutil.copy(path, box.state / "objects" / other)
            shutil.copy(box.state / "notes" / shelf / note, box.state / "notes" / other)
            shutil.copy(path, copied)
        assert check(box, "--repair")[0] == 0
        strays = box.state / "strays"
        assert len([path for path in strays.rglob("*.age") if path.is_file()]) == 6
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        for path in objects(box.state):
            (elsewhere / path.name).write_bytes(b"not the box's")
        (strays / "link").symlink_to(elsewhere)
        before = {path.stem for path in objects(box.state)}
        as_owner(box, "study", "delete", study_uid(1), "--yes")
        wait_for(lambda: len(objects(box.state)) == 1, 10)
        (kept,) = {path.stem for path in objects(box.state)}
        (gone,) = before - {kept}
        wait_for(lambda: not [path for path in strays.rglob("*") if gone in path.name], 10)
        assert len([path for path in strays.rglob("*") if kept in path.name]) == 3
        assert len(list(elsewhere.iterdir())) == 2


def test_a_decision_under_another_name_is_a_finding(tmp_path: Path) -> None:
    with running(tmp_path) as box, box.login() as client:
        send([image(1, 1)], "127.0.0.1", box.dicom_port)
        box.settled(client, 1)
        as_owner(box, "study", "hold", study_uid(1), "--reason", "inquiry")
        assert check(box) == (0, [])
        (path,) = (box.state / "decisions").iterdir()
        for name in ("1", "0000001", "000000001", "\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661"):
            path = path.rename(path.with_name(f"{name}.note.age"))
            code, findings = check(box)
            assert code == 5 and [one["where"] for one in findings] == [f"decisions/{path.name}"]
        path.rename(path.with_name("00000001.note.age"))
        assert check(box) == (0, [])


def test_an_index_that_is_none_is_made_anew_by_a_deep_repair(tmp_path: Path) -> None:
    with running(tmp_path) as box, box.login() as client:
        send([image(1, 1), image(2, 1)], "127.0.0.1", box.dicom_port)
        box.settled(client, 2)
        wait_for(lambda: not waiting(box), 10)
        deep = ("--deep", "--user", OWNER, "--password-file", str(box.password_file))
        (box.state / "index.db").write_bytes(b"junk")
        assert [one["what"] for one in check(box)[1]] == ["index-damaged"]
        assert check(box, *deep, "--repair")[0] == 0
        wait_for(lambda: box.count(client) == 2, 20)
        (box.state / "index.db").unlink()
        (box.state / "index.db").mkdir()
        assert [one["what"] for one in check(box)[1]] == ["stray"]
        assert check(box, *deep, "--repair")[0] == 0
        wait_for(lambda: box.count(client) == 2, 20)
        assert check(box, *deep) == (0, [])
