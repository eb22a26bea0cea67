"""Joining, leaving, other roles and rotation: who opens what afterwards, and after a kill at every point."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appliance.audit.entries import entries
from appliance.errors import BadInput, Damaged, EnvironmentProblem, Refused
from appliance.keyring.disk import key_lock, write_key_file
from appliance.keyring.epochs import open_epochs, open_key_file, seal_key_file
from appliance.keyring.public import KINDS, current_epoch, epoch_numbers, is_whole
from appliance.keyring.slots import has_slot, unlock_slot
from appliance.keyring.sums import is_as_written
from appliance.people.models import Person
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, unwrap
from appliance.sealing.writer import seal
from appliance.upkeep import key_journal
from appliance.upkeep.key_changes import KeyChanges
from appliance.upkeep.key_journal import Entry
from appliance.upkeep.owner import Owner, open_owner
from tests.keyring.conftest import MOMENT, PASSPHRASE, Archive
from tests.torture.judges import flipped

Act = Callable[[KeyChanges], object]


def opens(archive: Archive, identity: Identity) -> list[tuple[int, str]]:
    """Return the key files that an identity opens."""
    return [
        (number, kind)
        for number in epoch_numbers(archive.paths)
        for kind in KINDS
        if open_key_file(archive.paths, number, kind, identity) is not None
    ]


def everything(archive: Archive) -> list[tuple[int, str]]:
    return [(number, kind) for number in epoch_numbers(archive.paths) for kind in KINDS]


def person(archive: Archive, name: str) -> Person:
    people = archive.people()
    found = people.by_id(archive.ids[name])
    people.close()
    assert found is not None
    return found


def leave(archive: Archive) -> Act:
    return lambda changes: changes.leave(archive.ids["Dr Deux"], True)


def rotate(_archive: Archive) -> Act:
    return lambda changes: changes.rotate()


def join(_archive: Archive) -> Act:
    return lambda changes: changes.join("Dr Neuf", "doctor", False, f"{PASSPHRASE}-neuf")


def grant(archive: Archive) -> Act:
    return lambda changes: changes.change(person(archive, "Aide"), "assistant", True)


def narrow(archive: Archive) -> Act:
    return lambda changes: changes.change(person(archive, "Dr Trois"), "assistant", False)


def sheet(archive: Archive) -> Path:
    """Return where :func:`new_paper` writes its sheet."""
    return archive.root.with_name(f"{archive.root.name}.sheet")


def new_paper(archive: Archive) -> Act:
    return lambda changes: changes.new_paper(lambda paper: sheet(archive).write_text(paper.reveal()) and None)


def printed(archive: Archive) -> Identity | None:
    """Return the paper key of a new sheet, if one was written."""
    return Identity.parse(sheet(archive).read_text()) if sheet(archive).exists() else None


ACTS: dict[str, Callable[[Archive], Act]] = {
    "leave": leave, "rotate": rotate, "join": join, "grant": grant, "narrow": narrow, "paper": new_paper,
}  # fmt: skip


def check_valid(archive: Archive, staying: dict[str, set[str]]) -> None:
    """Fail unless every epoch that counts is whole and opens for those who stay; ``staying`` says which kinds."""
    paths = archive.paths
    numbers = epoch_numbers(paths)
    assert numbers
    assert all(is_whole(paths, number) for number in numbers)
    assert current_epoch(paths).number == numbers[-1]
    assert all(is_as_written(paths, path) for ending in ("age", "pub") for path in paths.keys.glob(f"*.{ending}"))
    papers = [paper for paper in (archive.paper, printed(archive)) if paper]
    found = [pair for paper in papers for pair in opens(archive, paper)]
    assert sorted(found) == sorted(everything(archive)), "each key file opens with one sheet that is at hand"
    index_header = read_header(io.BytesIO(paths.index_key.read_bytes()))
    for name, kinds in staying.items():
        identity = archive.identities[name]
        assert opens(archive, identity) == [pair for pair in everything(archive) if pair[1] in kinds], name
        notes = [epoch.notes for epoch in open_epochs(paths, identity) if epoch.notes]
        assert unwrap(notes, index_header)


BOTH, NOTES = {"notes", "images"}, {"notes"}
STAYING = {"Dr Essai": BOTH, "Dr Deux": BOTH, "Dr Trois": BOTH, "Aide": NOTES}


def test_a_leaver_opens_nothing_more_and_the_others_everything(archive: Archive) -> None:
    paths, slots = archive.paths, {path.name: path.read_bytes() for path in archive.paths.slots.iterdir()}
    before = current_epoch(paths)
    archive.change(archive.owner(), leave(archive))
    assert current_epoch(paths).number == before.number + 1
    assert current_epoch(paths).images != before.images
    assert opens(archive, archive.identities["Dr Deux"]) == []
    check_valid(archive, {name: kinds for name, kinds in STAYING.items() if name != "Dr Deux"})
    del slots[f"{archive.ids['Dr Deux']}.json"]
    assert {path.name: path.read_bytes() for path in paths.slots.iterdir()} == slots
    people = archive.people()
    assert people.by_name("Dr Deux") is None
    assert person(archive, "Dr Deux").left_at
    people.close()


def test_a_leaver_with_old_copies_of_every_key_file_opens_nothing_new(archive: Archive, made: Archive) -> None:
    """What is kept from before opens the old epoch, as the command says, and not the new key of the index."""
    archive.change(archive.owner(), leave(archive))
    kept = open_epochs(made.paths, archive.identities["Dr Deux"])
    identities = [found for epoch in kept for found in (epoch.notes, epoch.images) if found]
    assert len(identities) == 2
    new = current_epoch(archive.paths)
    for recipient in (new.notes, new.images):
        with pytest.raises(Refused):
            unwrap(identities, read_header(io.BytesIO(seal(b"new", [recipient]))))
    with pytest.raises(Refused):
        unwrap(identities, read_header(io.BytesIO(archive.paths.index_key.read_bytes())))


def test_the_index_key_survives_a_rotation_and_is_fresh_after_somebody_left_or_a_new_sheet(archive: Archive) -> None:
    def index_key() -> bytes:
        from appliance.sealing.reader import open_sealed

        raw = archive.paths.index_key.read_bytes()
        notes = open_epochs(archive.paths, archive.identities["Dr Essai"])[0].notes
        assert notes is not None
        return open_sealed(raw, unwrap([notes], read_header(io.BytesIO(raw))))

    owner, first = archive.owner(), index_key()
    archive.change(owner, rotate(archive))
    assert index_key() == first
    archive.change(owner, leave(archive))
    second = index_key()
    assert second != first
    archive.change(owner, new_paper(archive))
    assert index_key() not in (first, second), "whoever has the old sheet may have the old key"


def test_an_assistant_is_given_the_images_of_every_epoch_and_loses_those_of_new_ones(archive: Archive) -> None:
    owner = archive.owner()
    archive.change(owner, rotate(archive))
    archive.change(owner, grant(archive))
    assert opens(archive, archive.identities["Aide"]) == everything(archive)
    archive.change(owner, lambda changes: changes.change(person(archive, "Aide"), "assistant", False))
    assert epoch_numbers(archive.paths) == [1, 2, 3]
    check_valid(archive, STAYING)


def test_a_new_paper_key_opens_everything_and_the_old_one_nothing_that_lies_there(archive: Archive) -> None:
    owner, index_before = archive.owner(), archive.paths.index_key.read_bytes()
    archive.change(owner, rotate(archive))
    archive.change(owner, new_paper(archive))
    assert epoch_numbers(archive.paths) == [1, 2, 3]
    paper = printed(archive)
    assert paper is not None
    assert opens(archive, paper) == everything(archive)
    assert opens(archive, archive.paper) == []
    assert archive.paths.index_key.read_bytes() != index_before
    check_valid(archive, STAYING)
    # Later changes go on with the new sheet.
    archive.change(owner, leave(archive))
    assert opens(archive, paper) == everything(archive)


def test_without_a_sheet_no_paper_key_is_replaced(archive: Archive) -> None:
    def unwritable(_paper: Identity) -> None:
        raise EnvironmentProblem("no printer")

    owner, before = archive.owner(), _contents(archive)
    with pytest.raises(EnvironmentProblem):
        archive.change(owner, lambda changes: changes.new_paper(unwritable))
    assert _contents(archive) == before


def test_a_list_of_readers_of_an_earlier_version_gets_its_roles_at_a_rotation(archive: Archive) -> None:
    owner = archive.owner()
    for kind in KINDS:
        file = open_key_file(archive.paths, 1, kind, archive.paper)
        assert file is not None
        seal_key_file(archive.paths, 1, kind, file.with_readers([replace(r, role="") for r in file.readers]))
    identity = archive.identities["Aide"]
    assert [epoch.role for epoch in open_epochs(archive.paths, identity)] == [""]
    archive.change(owner, rotate(archive))
    assert [epoch.role for epoch in open_epochs(archive.paths, identity)] == ["assistant", ""]


def test_somebody_who_joins_reads_what_came_before(archive: Archive) -> None:
    owner = archive.owner()
    archive.change(owner, rotate(archive))
    archive.change(owner, join(archive))
    people = archive.people()
    found = people.by_name("dr  NEUF")
    people.close()
    assert found is not None
    identity = unlock_slot(archive.paths, found.id, f"{PASSPHRASE}-neuf".encode())
    assert opens(archive, identity) == everything(archive)


def test_a_technician_holds_no_slot(archive: Archive) -> None:
    assert not has_slot(archive.paths, archive.ids["Technique"])
    with pytest.raises(Refused):
        unlock_slot(archive.paths, archive.ids["Technique"], PASSPHRASE.encode())


@pytest.mark.parametrize("wrong", ["own leave", "own role", "technician", "to technician", "images", "role", "taken"])
def test_what_a_role_cannot_be_is_refused_and_changes_nothing(archive: Archive, wrong: str) -> None:
    own, technician, doctor = (person(archive, name) for name in ("Dr Essai", "Technique", "Dr Deux"))
    acts: dict[str, Act] = {
        "own leave": lambda c: c.leave(own.id, True),
        "own role": lambda c: c.change(own, "doctor", False),
        "technician": lambda c: c.change(technician, "doctor", False),
        "to technician": lambda c: c.change(doctor, "technician", False),
        "images": lambda c: c.join("T", "technician", True, ""),
        "role": lambda c: c.join("T", "king", False, PASSPHRASE),
        "taken": lambda c: c.join("DR deux", "doctor", False, PASSPHRASE),
    }
    owner, before = archive.owner(), _contents(archive)
    with pytest.raises(BadInput if wrong in ("role", "taken") else Refused):
        archive.change(owner, acts[wrong])
    assert _contents(archive) == before


@pytest.mark.parametrize("name", ["Dr Deux", "Aide", "Technique", "Nobody"])
def test_only_an_owner_acts_on_keys_and_a_refusal_is_audited(archive: Archive, name: str) -> None:
    people = archive.people()
    with pytest.raises(Refused):
        open_owner(archive.paths, people, name, f"{PASSPHRASE}-{name}", MOMENT)
    people.close()
    assert list(entries(archive.paths, "cli"))[-1].fields["event"] == "cli:owner:refused"


def test_a_row_of_system_db_makes_nobody_an_owner(archive: Archive) -> None:
    """The pages may write system.db; the slot of an assistant still opens no image."""
    people = archive.people()
    people.change_role(archive.ids["Aide"], "owner", False)
    with pytest.raises(Refused):
        open_owner(archive.paths, people, "Aide", f"{PASSPHRASE}-Aide", MOMENT)
    people.close()


def test_two_commands_do_not_change_keys_at_once(archive: Archive) -> None:
    with key_lock(archive.paths), pytest.raises(EnvironmentProblem), key_lock(archive.paths):
        pass


def test_an_exchanged_public_key_is_noticed_before_anything_is_sealed_to_it(archive: Archive) -> None:
    stranger = Identity.generate().recipient()
    write_key_file(archive.paths.epoch_recipient(1, "images"), f"{stranger}\n".encode())
    with pytest.raises(Damaged):
        archive.owner()


def test_a_journal_that_is_not_ours_is_refused(archive: Archive) -> None:
    for raw in (b"", b"[]", b"{}", b'{"act":"king"}', b'{"act":"leave","person":7}', b"x" * 9000, b"[" * 4000):
        archive.paths.key_journal.write_bytes(raw)
        with pytest.raises(Damaged):
            key_journal.pending(archive.paths)


@pytest.mark.parametrize("entry", [Entry("leave", "0123456789abcdef", epoch=3), Entry("change", "0" * 16, "doctor")])
def test_one_flipped_bit_of_a_journal_completes_no_other_change(archive: Archive, entry: Entry) -> None:
    key_journal.begin(archive.paths, entry)
    raw = archive.paths.key_journal.read_bytes()
    assert key_journal.pending(archive.paths) == entry
    for bit in range(8 * len(raw)):
        archive.paths.key_journal.write_bytes(flipped(raw, bit))
        with pytest.raises(Damaged):
            key_journal.pending(archive.paths)


def test_every_change_is_audited_at_its_beginning_and_end(archive: Archive) -> None:
    archive.change(archive.owner(), leave(archive))
    begin, end = [entry.fields for entry in entries(archive.paths, "cli")][-2:]
    assert (begin["event"], begin["person"], begin["epoch"]) == ("cli:leave:begin", archive.ids["Dr Deux"], 2)
    assert (end["event"], end["by"]) == ("cli:leave:end", archive.ids["Dr Essai"])


@pytest.mark.parametrize("act", ACTS)
def test_killed_at_any_file_operation_a_change_leaves_a_valid_archive_and_is_completed(
    made: Archive, tmp_path: Path, act: str
) -> None:
    """A child process dies at its n-th file operation below keys/, for every n; then the next command completes it."""
    owner = made.owner()
    cut, died = 0, True
    while died:
        archive = made.copy(tmp_path / str(cut))
        before = _contents(archive)
        died = _dies(archive, owner, ACTS[act](archive), cut)
        if act == "join":
            staying = STAYING
        elif act == "grant":
            staying = {name: kinds for name, kinds in STAYING.items() if name != "Aide"}
        else:
            touched = {"leave": "Dr Deux", "narrow": "Dr Trois"}.get(act, "")
            staying = {name: kinds for name, kinds in STAYING.items() if name != touched}
        check_valid(archive, staying)
        completed: Any = archive.change(owner, lambda changes: changes.resume())
        assert key_journal.pending(archive.paths) is None
        assert archive.change(owner, lambda changes: changes.resume()) is None
        assert [path.name for path in archive.paths.keys.rglob(".draft-*")] == []
        check_valid(archive, staying)
        # Only a kill before the journal leaves nothing to complete: then nothing has changed.
        if completed is not None or _contents(archive) != before:
            _check_complete(archive, act, died)
        cut += 1
    assert _contents(archive) != before, "the last child was not killed"
    assert cut > 5


def _check_complete(archive: Archive, act: str, was_cut: bool) -> None:
    if act == "leave":
        assert opens(archive, archive.identities["Dr Deux"]) == []
        assert not has_slot(archive.paths, archive.ids["Dr Deux"])
        assert person(archive, "Dr Deux").left_at
    if act in ("leave", "rotate", "narrow"):
        assert epoch_numbers(archive.paths) == [1, 2]
    if act == "paper":
        paper, begun = printed(archive), epoch_numbers(archive.paths) == [1, 2]
        # Cut short before the new epoch counted, it is taken back whole: nobody but the killed command knew the key.
        assert begun or was_cut
        assert opens(archive, archive.paper) == ([] if begun else everything(archive))
        assert paper is None or opens(archive, paper) == (everything(archive) if begun else [])
        assert [path.name for path in archive.paths.keys.glob("2.*")] == [] or begun
    if act == "grant":
        assert opens(archive, archive.identities["Aide"]) == everything(archive)
        assert person(archive, "Aide").sees_images
    if act == "narrow":
        assert opens(archive, archive.identities["Dr Trois"]) == [(1, "notes"), (2, "notes")]
    if act == "join":
        people = archive.people()
        joined = people.by_name("Dr Neuf")
        people.close()
        readers = open_key_file(archive.paths, 1, "images", archive.paper)
        assert readers is not None
        # Cut short, a joining is taken back whole unless the person was on the list already.
        assert len(readers.readers) == (4 if joined else 3)
        assert len(list(archive.paths.slots.glob("*.json"))) == (5 if joined else 4)
        assert joined is not None or was_cut


def _dies(archive: Archive, owner: Owner, act: Act, operation: int) -> bool:
    """Carry out ``act`` in a child that dies at its n-th file operation; return whether it got that far."""
    keys, audit_directory = str(archive.paths.keys), str(archive.paths.audit)
    child = os.fork()
    if child == 0:
        count = 0

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal count
            if event in ("open", "os.rename", "os.remove", "os.chmod") and str(arguments[0]).startswith(
                (keys, audit_directory)
            ):
                if count == operation:
                    os._exit(9)
                count += 1

        sys.addaudithook(hook)
        try:
            archive.change(owner, act)
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9), "the change failed by itself"
    return code == 9


def _contents(archive: Archive) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in archive.paths.keys.rglob("*") if path.is_file()}
