"""What every backend promises (appliance/archive/backend.py), stated once and run on each."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.archive.backend import Backend
from appliance.archive.files import FileBackend, make_shelves
from appliance.errors import Damaged, NotFound, StorageFull
from appliance.paths import StatePaths
from tests.archive.memory import MemoryBackend

MIB = 1024 * 1024


def files(root: Path) -> FileBackend:
    paths = StatePaths(root / "state")
    if not paths.root.exists():
        make_shelves(paths)
    return FileBackend(paths, "test")


def memory(_root: Path) -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture(params=[files, memory], ids=["files", "memory"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    make: Callable[[Path], Backend] = request.param
    return make(tmp_path)


def admit(backend: Backend, content: bytes, note: bytes = b"note") -> str:
    object_id = hashlib.sha256(content).hexdigest()
    drafts = backend.draft(), backend.draft()
    for draft, data in zip(drafts, (content, note), strict=True):
        assert draft.write(data) == len(data)
    backend.admit(object_id, *drafts)
    return object_id


def read(backend: Backend, object_id: str) -> tuple[bytes, bytes]:
    with backend.object(object_id) as object_file, backend.note(object_id) as note_file:
        return object_file.read(), note_file.read()


def test_a_draft_is_seen_by_nobody_before_it_is_admitted(backend: Backend) -> None:
    draft = backend.draft()
    draft.write(b"half")
    assert backend.inbox() == [] and list(backend.shelved()) == []


def test_an_admitted_pair_is_listed_and_reads_back(backend: Backend) -> None:
    object_id = admit(backend, b"object", b"its note")
    assert backend.inbox() == [object_id] and list(backend.shelved()) == []
    assert read(backend, object_id) == (b"object", b"its note")


def test_a_large_draft_written_in_pieces_reads_back_whole(backend: Backend) -> None:
    content = os.urandom(3 * MIB + 17)
    draft, note = backend.draft(), backend.draft()
    for start in range(0, len(content), 70_001):
        draft.write(memoryview(content)[start : start + 70_001])
    note.write(b"n")
    object_id = hashlib.sha256(content).hexdigest()
    backend.admit(object_id, draft, note)
    assert read(backend, object_id)[0] == content


def test_the_inbox_is_listed_oldest_first(backend: Backend) -> None:
    ids = [admit(backend, str(n).encode()) for n in range(5)]
    if isinstance(backend, FileBackend):  # whose clock is coarse: in one tick the name decides
        for second, object_id in enumerate(ids):
            os.utime(backend._inbox_note(object_id), (second, second))
    assert backend.inbox() == ids


def test_an_abandoned_draft_leaves_nothing(backend: Backend) -> None:
    draft = backend.draft()
    draft.write(b"given up")
    draft.abandon()
    draft.abandon()
    assert backend.inbox() == []


def test_abandoning_after_admission_takes_nothing_away(backend: Backend) -> None:
    object_draft, note_draft = backend.draft(), backend.draft()
    object_draft.write(b"o")
    note_draft.write(b"n")
    object_id = hashlib.sha256(b"o").hexdigest()
    backend.admit(object_id, object_draft, note_draft)
    object_draft.abandon()
    note_draft.abandon()
    assert read(backend, object_id) == (b"o", b"n")


def test_a_foreign_draft_is_not_admitted(backend: Backend, tmp_path: Path) -> None:
    other: Backend = MemoryBackend() if isinstance(backend, FileBackend) else files(tmp_path / "other")
    with pytest.raises(TypeError):
        backend.admit("0" * 64, other.draft(), other.draft())
    assert backend.inbox() == []


def test_shelving_moves_whole_pairs(backend: Backend) -> None:
    first, second = admit(backend, b"1"), admit(backend, b"2")
    backend.shelve([first])
    assert backend.inbox() == [second] and list(backend.shelved()) == [first]
    assert read(backend, first) == (b"1", b"note")


def test_shelving_may_be_repeated(backend: Backend) -> None:
    object_id = admit(backend, b"1")
    backend.shelve([object_id])
    backend.shelve([object_id])
    assert list(backend.shelved()) == [object_id]


def test_a_pair_whose_move_was_cut_short_is_still_waiting(tmp_path: Path) -> None:
    backend = files(tmp_path)
    kept, dropped = admit(backend, b"1"), admit(backend, b"2")
    state = tmp_path / "state"
    for object_id in (kept, dropped):
        (state / "inbox" / f"{object_id}.age").rename(state / "objects" / object_id[:2] / f"{object_id}.age")
    assert backend.inbox() == [kept, dropped] and list(backend.shelved()) == []
    assert read(backend, kept) == (b"1", b"note")
    backend.shelve([kept])
    backend.discard([dropped])
    assert list(backend.shelved()) == [kept] and backend.inbox() == []
    assert not (state / "objects" / dropped[:2] / f"{dropped}.age").exists()


def test_shelving_what_never_was_is_damage(backend: Backend) -> None:
    with pytest.raises(Damaged):
        backend.shelve(["0" * 64])


def test_discarding_takes_pairs_out_of_the_inbox_only(backend: Backend) -> None:
    shelved, waiting = admit(backend, b"1"), admit(backend, b"2")
    backend.shelve([shelved])
    backend.discard([shelved, waiting, "0" * 64])
    assert backend.inbox() == [] and list(backend.shelved()) == [shelved]


def test_erasing_deletes_a_pair_wherever_it_is_and_may_be_repeated(backend: Backend) -> None:
    shelved, waiting, kept = admit(backend, b"1"), admit(backend, b"2"), admit(backend, b"3")
    backend.shelve([shelved, kept])
    for _ in range(2):
        backend.erase([shelved, waiting, "0" * 64])
        assert backend.inbox() == [] and list(backend.shelved()) == [kept]
    for gone in (shelved, waiting):
        with pytest.raises(NotFound):
            backend.object(gone)
        with pytest.raises(NotFound):
            backend.note(gone)


def test_what_is_not_there_is_not_found(backend: Backend) -> None:
    for name in ("0" * 64, "../../etc/passwd", "", "A" * 64):
        with pytest.raises(NotFound):
            backend.object(name)
        with pytest.raises(NotFound):
            backend.note(name)


def test_decisions_are_numbered_in_order_and_never_replaced(backend: Backend) -> None:
    numbers = [backend.decide(f"decision {n}".encode()) for n in range(12)]
    assert numbers == sorted(numbers) and len(set(numbers)) == 12
    found = []
    for number, file in backend.decisions():
        with file:
            found.append((number, file.read()))
    assert found == [(number, f"decision {n}".encode()) for n, number in enumerate(numbers)]
    assert [number for number, _ in backend.decisions(numbers[9])] == numbers[10:]


def test_what_was_kept_is_there_for_the_next_process(tmp_path: Path) -> None:
    object_id = admit(files(tmp_path), b"1")
    again = files(tmp_path)
    assert again.inbox() == [object_id]
    again.shelve([object_id])
    assert list(files(tmp_path).shelved()) == [object_id]


def test_drafts_of_a_killed_writer_are_gone_when_it_starts_again(tmp_path: Path) -> None:
    files(tmp_path).draft().write(b"half")
    other = FileBackend(StatePaths(tmp_path / "state"), "other")
    other.draft().write(b"somebody else's")
    again = files(tmp_path)
    again.forget_drafts()
    left = [path.name for path in (tmp_path / "state" / "inbox").iterdir()]
    assert len(left) == 1 and left[0].startswith(".draft-other-")


@pytest.fixture
def full(backend: Backend) -> Iterator[Backend]:
    """The same backend, with no room for more than a few bytes."""
    if isinstance(backend, MemoryBackend):
        backend.room = 8
        yield backend
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
    try:
        yield backend
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_and_leaves_nothing_behind(full: Backend) -> None:
    draft = full.draft()
    with pytest.raises(StorageFull):
        draft.write(b"longer than what there is room for")
    draft.abandon()
    with pytest.raises(StorageFull):
        full.decide(b"a decision longer than the room")
    assert full.inbox() == [] and list(full.decisions()) == []


def test_what_lies_beside_a_pair_is_not_listed(tmp_path: Path) -> None:
    backend = files(tmp_path)
    object_id = admit(backend, b"1")
    backend.shelve([object_id])
    state = tmp_path / "state"
    for path in (
        state / "inbox" / f"{'1' * 64}.age",
        state / "inbox" / "readme.txt",
        state / "notes" / "22" / f"{'2' * 64}.note.age",
        state / "objects" / "33" / f"{'3' * 64}.age",
        state / "notes" / "44" / f"{object_id}.note.age",
        state / "objects" / "44" / f"{object_id}.age",
        state / "decisions" / "readme.txt",
    ):
        path.write_bytes(b"stray")
    assert backend.inbox() == [] and list(backend.shelved()) == [object_id] and list(backend.decisions()) == []


def test_what_was_derived_is_erased_with_its_object(tmp_path: Path) -> None:
    backend = files(tmp_path)
    object_id = admit(backend, b"1")
    rendition = tmp_path / "state" / "renditions" / object_id[:2] / f"{object_id}.age"
    rendition.parent.mkdir(parents=True)
    rendition.write_bytes(b"derived")
    backend.erase([object_id])
    assert not rendition.exists()


def test_a_decision_counts_under_its_eight_digits_only(tmp_path: Path) -> None:
    backend = files(tmp_path)
    folder = StatePaths(tmp_path / "state").decisions
    for name in ("1", "0000002", "000000003", "\u0664" * 8):
        (folder / f"{name}.note.age").write_bytes(b"misnamed")
    assert backend.decide(b"first") == "00000001"
    assert [number for number, file in backend.decisions() if not file.close()] == ["00000001"]


def test_a_shelf_that_is_not_there_is_made_and_its_name_durable_before_anything_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, paths = files(tmp_path), StatePaths(tmp_path / "state")
    object_id = admit(backend, b"object")
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append(str(Path(f"/proc/self/fd/{fd}").readlink())), fsync(fd)))
    monkeypatch.setattr(Path, "rename", lambda path, to: (done.append(str(to)), rename(path, to))[1])
    for room in (paths.objects, paths.notes):
        (room / object_id[:2]).rmdir()
    backend.shelve([object_id])
    for room in (paths.objects, paths.notes):
        moved = next(what for what in done if what.startswith(f"{room}/{object_id[:2]}/"))
        assert done.index(str(room)) < done.index(moved) < done.index(str(room / object_id[:2]))
    assert read(backend, object_id) == (b"object", b"note")


def test_what_was_set_aside_and_cannot_be_removed_holds_up_nothing(tmp_path: Path) -> None:
    backend, paths = files(tmp_path), StatePaths(tmp_path / "state")
    object_id = admit(backend, b"object")
    os.mkfifo(paths.strays)
    backend.erase([object_id])
    assert backend.inbox() == []
    paths.strays.unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"{object_id}.age").write_bytes(b"not the box's")
    paths.strays.symlink_to(elsewhere)
    backend.erase([object_id])
    assert [path.read_bytes() for path in elsewhere.iterdir()] == [b"not the box's"]


def test_folders_in_folders_without_end_hold_up_no_deletion(tmp_path: Path) -> None:
    backend, paths = files(tmp_path), StatePaths(tmp_path / "state")
    object_id = admit(backend, b"object")
    paths.strays.mkdir()
    fd = os.open(paths.strays, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    (paths.strays / f"1-{object_id}.age").write_bytes(b"copy")
    backend.erase([object_id])
    assert backend.inbox() == [] and not list(paths.strays.glob("*.age"))
    subprocess.run(["rm", "-r", paths.strays], check=True)  # pytest would not come to its end either
