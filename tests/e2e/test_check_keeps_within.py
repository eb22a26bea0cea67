"""``appliance check --repair`` touches nothing but the state, whoever else writes there, and never ends in an error."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.box import Box

PLACES = (
    "decisions", "inbox", "netd", "keys", "keys/box", "keys/slots", "notes", "objects", "notes/ab", "objects/ab",
    "renditions", "renditions/ab", "audit", "alarm", "courier", "tls", "tmp", "strays",
)  # fmt: skip


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    made.init()
    return made


def check(box: Box, *options: str) -> tuple[int, list[dict[str, Any]]]:
    done = box.run("check", "--json", "--state", str(box.state), *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["findings"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder outside of the state with what each place may hold."""
    made = tmp_path / "elsewhere"
    made.mkdir()
    for name in ("passwd", f"{'ab' * 32}.age", f"{'ab' * 32}.note.age", "1.notes.age", "ab"):
        (made / name).write_bytes(b"not the box's")
    return made


def seen(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_ino) for path in folder.iterdir()}


@pytest.mark.parametrize("place", PLACES)
def test_a_link_in_the_place_of_a_folder_is_a_finding_and_leads_nowhere(box: Box, elsewhere: Path, place: str) -> None:
    link, before = box.state / place, seen(elsewhere)
    if link.is_dir():
        shutil.rmtree(link)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(elsewhere)
    (box.state / "99-x.rules").write_bytes(b"a stray")
    for options in ((), ("--repair",), ("--repair",)):
        code, findings = check(box, *options)
        assert code == 5
        assert [one["next_step"] for one in findings if (one["what"], one["where"]) == ("folder-linked", place)]
        assert not [one for one in findings if one["where"].startswith(f"{place}/")], findings
        assert seen(elsewhere) == before
    assert link.is_symlink()
    assert (box.state / "99-x.rules").exists() == (place == "strays")


def test_links_under_names_of_no_folder_are_moved_themselves(box: Box, elsewhere: Path) -> None:
    before = seen(elsewhere)
    (box.state / "elsewhere").symlink_to(elsewhere)
    (box.state / "inbox" / "passwd").symlink_to(elsewhere / "passwd")
    code, findings = check(box, "--repair")
    assert code == 0 and {one["where"] for one in findings} == {"elsewhere", "inbox/passwd"}
    assert all(path.is_symlink() for path in (box.state / "strays").iterdir()) and seen(elsewhere) == before
    assert check(box) == (0, [])


def test_a_place_for_strays_that_somebody_else_made_is_not_used(box: Box) -> None:
    if os.geteuid():
        pytest.skip("giving a folder away needs root")
    strays = box.state / "strays"
    strays.mkdir()
    os.chown(strays, 65534, 65534)
    (box.state / "99-x.rules").write_bytes(b"a stray")
    code, findings = check(box, "--repair")
    assert code == 5 and {one["what"]: one["repaired"] for one in findings} == {"folder-foreign": False, "stray": False}
    assert not list(strays.iterdir()) and (box.state / "99-x.rules").exists()
    os.chown(strays, os.geteuid(), -1)
    assert check(box, "--repair")[0] == 0


def test_what_was_set_aside_belongs_to_whom_the_top_belongs_to(box: Box) -> None:
    """The pages, which may write at the top, remove from there what they delete."""
    group = 4711 if os.geteuid() == 0 else os.getegid()
    os.chown(box.state, os.geteuid(), group)
    box.state.chmod(0o1771)
    (box.state / "99-x.rules").write_bytes(b"a stray")
    assert check(box, "--repair")[0] == 0
    found = (box.state / "strays").stat()
    assert (found.st_mode & 0o7777, found.st_gid) == (0o770, group)


@pytest.mark.parametrize("place", ["strays", "audit", "keys", "netd", "objects", "decisions", "keys/slots", "alarm"])
def test_a_file_in_the_place_of_a_folder_is_a_finding(box: Box, place: str) -> None:
    folder = box.state / place
    if folder.is_dir():
        shutil.rmtree(folder)
    folder.write_bytes(b"")
    (box.state / "99-x.rules").write_bytes(b"a stray")
    code, findings = check(box, "--repair")
    assert code == 5 and ("no-folder", place) in {(one["what"], one["where"]) for one in findings}


def test_a_folder_that_belongs_nowhere_is_set_aside_as_a_whole(box: Box) -> None:
    (box.state / "objects" / "zz").mkdir()
    (box.state / "objects" / "zz" / "file").write_bytes(b"sand")
    (box.state / "renditions" / "ab" / f"{'ab' * 32}.age").mkdir(parents=True)
    code, findings = check(box, "--repair")
    assert code == 0 and all(one["repaired"] for one in findings)
    assert check(box) == (0, [])
