"""Slots, key files and the epoch that is current, as they lie on disk."""

from __future__ import annotations

import os
import time

import pytest

from appliance.errors import Damaged, EnvironmentProblem, NotFound, Refused
from appliance.keyring.disk import DRAFT, key_lock, write_key_file
from appliance.keyring.epochs import make_epoch, open_key_file, seal_key_file
from appliance.keyring.public import EpochWatch, current_epoch
from appliance.keyring.readers import KeyFile, Reader, parse, render
from appliance.keyring.slots import change_passphrase, slot_header, unlock_slot
from appliance.sealing.identities import Identity
from tests.keyring.conftest import PASSPHRASE, Archive


def test_a_changed_passphrase_rewrites_one_slot_and_nothing_else(archive: Archive) -> None:
    before = {p: p.read_bytes() for p in archive.root.rglob("*") if p.is_file()}
    person = archive.ids["Dr Deux"]
    change_passphrase(archive.paths, person, f"{PASSPHRASE}-Dr Deux".encode(), b"new")
    after = {p: p.read_bytes() for p in archive.root.rglob("*") if p.is_file()}
    assert {p for p in after if after[p] != before.get(p)} == {archive.paths.slot(person)}
    assert after.keys() == before.keys()
    assert str(unlock_slot(archive.paths, person, b"new").recipient()) == str(archive.identities["Dr Deux"].recipient())
    with pytest.raises(Refused):
        unlock_slot(archive.paths, person, f"{PASSPHRASE}-Dr Deux".encode())


def test_a_wrong_old_passphrase_changes_nothing(archive: Archive) -> None:
    person = archive.ids["Dr Deux"]
    before = archive.paths.slot(person).read_bytes()
    with pytest.raises(Refused):
        change_passphrase(archive.paths, person, b"wrong", b"new")
    assert archive.paths.slot(person).read_bytes() == before


def test_a_slot_in_the_place_of_another_persons_is_not_opened(archive: Archive) -> None:
    mine, hers = (archive.paths.slot(archive.ids[name]) for name in ("Dr Deux", "Dr Trois"))
    hers.write_bytes(mine.read_bytes())
    with pytest.raises(Damaged):
        unlock_slot(archive.paths, archive.ids["Dr Trois"], f"{PASSPHRASE}-Dr Deux".encode())


def test_who_has_no_slot_has_no_header_either(archive: Archive) -> None:
    with pytest.raises(NotFound):
        slot_header(archive.paths, archive.ids["Technique"])


def test_the_list_of_readers_lies_inside_the_seal(archive: Archive) -> None:
    """Nothing beside the sealed file names a recipient that the next re-sealing would follow."""
    opened = open_key_file(archive.paths, 1, "images", archive.paper)
    assert opened is not None
    assert {reader.person for reader in opened.readers} == {archive.ids[n] for n in ("Dr Essai", "Dr Deux", "Dr Trois")}
    assert opened.paper == archive.paper.recipient()
    recipient = str(archive.identities["Dr Deux"].recipient()).encode()
    assert [path for path in archive.paths.keys.rglob("*") if path.is_file() and recipient in path.read_bytes()] == []


def test_a_key_file_forged_without_the_identity_is_refused(archive: Archive) -> None:
    """A thief with the disk can seal to the owner; he cannot know the identity that belongs to the public key."""
    thief = Identity.generate()
    owner, paper = archive.identities["Dr Essai"].recipient(), archive.paper.recipient()
    forged = KeyFile(Identity.generate(), (Reader("f" * 16, thief.recipient()), Reader("a" * 16, owner)), paper)
    seal_key_file(archive.paths, 1, "images", forged)
    with pytest.raises(Damaged):
        archive.owner()


def test_a_key_file_has_one_spelling() -> None:
    identity = Identity.generate()
    raw = render(KeyFile(identity, (Reader("a" * 16, identity.recipient()),), identity.recipient()))
    assert render(parse(raw)) == raw
    lines = raw.splitlines(keepends=True)
    for wrong in (raw[:-1], raw + b"\n", lines[0] + raw, b"".join(reversed(lines)), raw + lines[-1], b"", lines[-1]):
        with pytest.raises(Damaged):
            parse(wrong)


@pytest.mark.parametrize("missing", ["2.notes.age", "2.images.age", "2.images.pub", "2.notes.pub"])
def test_nothing_is_sealed_to_an_epoch_that_lacks_a_file(archive: Archive, missing: str) -> None:
    opened = open_key_file(archive.paths, 1, "notes", archive.paper)
    assert opened is not None
    make_epoch(archive.paths, 2, {"notes": opened.readers, "images": opened.readers}, opened.paper)
    assert current_epoch(archive.paths).number == 2
    (archive.paths.keys / missing).unlink()
    assert current_epoch(archive.paths).number == 1


def test_an_archive_without_keys_receives_nothing(archive: Archive) -> None:
    for path in archive.paths.keys.glob("*.age"):
        path.unlink()
    with pytest.raises(Damaged):
        current_epoch(archive.paths)
    for path in archive.paths.keys.glob("*.pub"):
        path.unlink()
    with pytest.raises(EnvironmentProblem):
        current_epoch(archive.paths)


def test_a_new_epoch_is_seen_without_a_restart(archive: Archive) -> None:
    watch = EpochWatch(archive.paths)
    opened = open_key_file(archive.paths, 1, "notes", archive.paper)
    assert opened is not None
    readers = {"notes": opened.readers, "images": opened.readers}
    for number in range(2, 30):
        assert watch.current().number == number - 1
        make_epoch(archive.paths, number, readers, opened.paper)  # type: ignore[arg-type]  # two literal keys
        assert watch.current().number == number


def test_a_new_epoch_is_seen_even_if_the_clock_of_the_files_did_not_move(archive: Archive) -> None:
    """A directory that changes twice within a tick of the kernel's clock keeps its time stamp."""
    opened = open_key_file(archive.paths, 1, "notes", archive.paper)
    assert opened is not None
    os.utime(archive.paths.keys)
    stamp = archive.paths.keys.stat().st_mtime_ns
    watch = EpochWatch(archive.paths)
    assert watch.current().number == 1
    make_epoch(archive.paths, 2, {"notes": opened.readers, "images": opened.readers}, opened.paper)
    os.utime(archive.paths.keys, ns=(stamp, stamp))
    assert watch.current().number == 2


def test_an_epoch_that_stays_costs_one_look_at_the_directory(archive: Archive) -> None:
    old = time.time() - 3600
    os.utime(archive.paths.keys, (old, old))
    watch = EpochWatch(archive.paths)
    first = watch.current()
    assert watch.current() is first
    os.utime(archive.paths.keys)
    assert watch.current() is not first


def test_what_a_killed_command_left_half_written_is_cleared(archive: Archive) -> None:
    for place in (archive.paths.keys, archive.paths.slots):
        (place / f"{DRAFT}1").write_bytes(b"half")
    with key_lock(archive.paths):
        assert list(archive.paths.keys.rglob(f"{DRAFT}*")) == []


def test_a_replaced_key_file_keeps_its_owner_group_and_mode(archive: Archive) -> None:
    """A command run as root leaves what the key agent's user can read."""
    path = archive.paths.epoch_identity(1, "notes")
    owner = (1234, 2345) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    path.chmod(0o600)
    write_key_file(path, b"new")
    write_key_file(archive.paths.epoch_identity(2, "notes"), b"new", like=path)
    for written in (path, archive.paths.epoch_identity(2, "notes")):
        about = written.stat()
        assert (about.st_uid, about.st_gid, about.st_mode & 0o777) == (*owner, 0o600)
