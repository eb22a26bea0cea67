"""A power cut at any moment, on a disk that kept only what was synced: whatever was told still holds.

A day of the appliance is written down call by call (shim.c) through its shipped processes and commands; then every
state that the most pessimistic disk could be in is looked at, and some of them are served again.
``NEGATO_TORTURE_CUTS`` says how many (3 in ``make test``, 40 in ``make torture``).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.box import APPLIANCE, OWNER, PASSPHRASE, wait_for
from tests.e2e.test_clock import clock_at
from tests.ingest.tiny import image, study_uid
from tests.practice import Practice
from tests.samples import modality
from tests.samples.part10 import Sample, split
from tests.torture.archive import command, decide
from tests.torture.disk import Disk, Ignored
from tests.torture.served import images
from tests.torture.shim import Call, Record, Shim
from tests.torture.sites import sited
from tests.torture.told import Files, Keeper, Told, lay_out, read_mark

CUTS = int(os.environ.get("NEGATO_TORTURE_CUTS", "3"))
SEED = 20261126
OTHER = "Dr Autre"


@dataclass(frozen=True)
class Day:
    """What was done in a day, with what lay there before, and who can look whether it is kept."""

    box: Practice
    records: list[Record]
    before: Files
    keeper: Keeper

    def disk(self) -> Disk:
        """Return the disk as it was before the day."""
        disk = Disk(str(self.box.state))
        for name, raw in self.before.items():
            disk.put(name, raw)
        return disk

    def states(self, ignored: Ignored) -> Iterator[tuple[int, Files, Told]]:
        """Yield what survives and what was told after each record that changes either.

        A new name in keys/ also survives by itself: a disk may write it before older ones that were not synced.
        """
        disk, told = self.disk(), Told()
        sites: dict[tuple[int, int], str] = {}
        for number, record in enumerate(self.records):
            if record.call is Call.MARK and record.pid:
                sites[record.pid, record.fd] = read_mark(record.data)["site"]
            elif record.call is Call.MARK:
                told.hear(read_mark(record.data))
                yield number, disk.survives(), told
            elif disk.apply(record, ignored, sites.pop((record.pid, record.fd), "")):
                yield number, disk.survives(), told
            elif record.call is Call.RENAME and Path(record.other).parent == self.box.state / "keys":
                yield number, disk.survives_early(record.other), told


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    box = Practice(tmp_path_factory.mktemp("day"))
    box.init()
    # A file of the record that can be pruned: the month changed, and changed again.
    for moment in (clock_at("+40d", box.root), {}):
        done = subprocess.run(
            [*APPLIANCE, "audit", "export", "--state", str(box.state)],
            capture_output=True, env=box.environment | moment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
    before = {str(path.relative_to(box.state)): path.read_bytes() for path in box.state.rglob("*") if path.is_file()}
    shim = Shim(box)
    sited(box)
    box.start()
    try:
        work(box, shim)
    finally:
        box.stop()
    keeper = Keeper(box.paper(), {OWNER: PASSPHRASE.encode(), OTHER: box.secret(OTHER)}, OWNER)
    return Day(box, list(shim.records()), before, keeper)


def work(box: Practice, shim: Shim) -> None:
    """Receive, settle, look, decide, delete, let somebody come and go; mark each thing once it was told."""

    def send(*samples: Sample) -> None:
        def note(answer: modality.Answer) -> None:
            if answer.stored:
                shim.mark(stored=answer.sample.sop_instance, sha256=hashlib.sha256(answer.sample.dataset).hexdigest())

        modality.send(samples, "127.0.0.1", box.dicom_port, progress=note)

    def read(client: object, count: int) -> None:
        images(client)  # type: ignore[arg-type]
        shim.mark(viewed=count)

    def delete(study: int, count: int) -> None:
        gone = [image(study, n).sop_instance for n in range(1, count + 1)]
        shim.mark(deleting=gone)
        command(box, "study", "delete", study_uid(study), "--yes")
        shim.mark(deleted=gone)

    def waiting_is_done() -> bool:
        return not list((box.state / "inbox").glob("*.age"))

    send(image(1, 1), image(1, 2))
    with box.login() as client:
        senders = [
            threading.Thread(target=send, args=[image(study, n) for n in range(1, 5)]) for study in (11, 12, 13, 14)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        box.settled(client, 18)
        read(client, 1)
        send(image(11, 1, content=9), image(12, 1))  # Another picture under a UID that is taken; a copy.
        command(box, "study", "hold", study_uid(12))
        shim.mark(decided="hold")
        decide(box, kind="correction", level="study", uid=study_uid(13),
               attributes={"00081030": {"vr": "LO", "Value": ["Genou"]}})  # fmt: skip
        shim.mark(decided="correction")
        wait_for(waiting_is_done, 60)
        delete(14, 4)
        send(image(15, 1))
        wait_for(waiting_is_done, 60)
        delete(15, 1)  # Shelved: no image has arrived since, nor was one dropped.
        send(image(11, 2))  # A copy that is dropped, before what it is a copy of is deleted.
        wait_for(waiting_is_done, 60)
        delete(11, 4)
    shim.mark(changing=True)
    box.add(OTHER, "doctor")
    shim.mark(changing=False)
    shim.mark(person=OTHER, here=True)
    shim.mark(changing=True)
    command(box, "rotate")
    shim.mark(changing=False)
    shim.mark(epoch=2)
    box.enter(OWNER).close()
    send(image(2, 1), image(2, 2))
    with box.login() as client:
        box.settled(client, 12)
        read(client, 2)
    old = [path.name for path in sorted((box.state / "audit").glob("cli.*.log"))]
    done = box.run("audit", "prune", "--before", "2200-01-01", "--state", str(box.state))
    assert done.returncode == 0 and len(old) == 2, done.stderr.decode()
    shim.mark(pruned=old)
    shim.mark(leaving=OTHER)
    shim.mark(changing=True)
    command(box, "user", "leave", OTHER)
    shim.mark(changing=False)
    shim.mark(person=OTHER, here=False)
    shim.mark(epoch=3)
    box.enter(OWNER).close()
    send(image(3, 1))
    box.lock()
    send(image(3, 2))


def nothing(_name: str, _directory: bool, _site: str) -> bool:
    return False


def test_after_a_power_cut_at_any_moment_everything_that_was_told_is_kept(day: Day) -> None:
    looked = 0
    for number, disk, told in day.states(nothing):
        try:
            day.keeper.keeps(disk, told)
        except Exception as error:
            raise AssertionError(f"cut after record {number}: {error!r}") from error
        looked += 1
    print(f"{len(day.records)} calls, {looked} different disks")
    assert len(told.stored) >= 20 and told.epochs == 3 and told.views == 2


# Each kind of sync that keeps a promise: without it a cut somewhere loses what was told.
SYNCS = {
    "an object's bytes": r"inbox/\.draft-receiver-.*=>inbox/[0-9a-f]{64}\.age",
    "a note's bytes": r"inbox/\.draft-receiver-.*=>inbox/.*\.note\.age",
    "the names in the inbox": r"inbox/",
    "the names on the objects' shelves": r"objects/../",
    "the names on the notes' shelves": r"notes/../",
    "a decision's bytes": r"decisions/\.draft.*",
    "the names of decisions": r"decisions/",
    "the record's bytes": r"audit/.*\.log",
    "the names of the record's files": r"audit/",
    "an epoch's identities": r"keys/\.draft-.*=>keys/\d+\.(notes|images)\.age",
    "an epoch's recipients": r"keys/\.draft-.*=>keys/\d+\.(notes|images)\.pub",
    "the key of the index": r"keys/\.draft-.*=>keys/index\.age",
    "the digests of the keys": r"keys/\.draft-.*=>keys/SHA256SUMS",
    "the names of keys": r"keys/",
    "a slot's bytes": r"keys/slots/\.draft-.*",
    "the names of slots": r"keys/slots/",
    "the list of people": r"system\.db",
}


@pytest.mark.parametrize("name", SYNCS)
def test_without_any_one_kind_of_sync_something_that_was_told_is_lost(day: Day, name: str) -> None:
    pattern = re.compile(SYNCS[name])
    short = {  # What a draft becomes.
        record.path.removeprefix(f"{day.box.state}/"): record.other.removeprefix(f"{day.box.state}/")
        for record in day.records
        if record.call in (Call.RENAME, Call.LINK)
    }
    left_out: set[str] = set()

    def ignored(path: str, directory: bool, _site: str) -> bool:
        full = f"{path}/" if directory else f"{path}=>{short[path]}" if path in short and ".draft" in path else path
        if pattern.fullmatch(full):
            left_out.add(full)
            return True
        return False

    # Whatever it fails with: something is missing, of no length, or does not open.
    with pytest.raises(Exception):  # noqa: B017
        for _, disk, told in day.states(ignored):
            day.keeper.keeps(disk, told)
    assert left_out, "no such sync was done"


# Every function that asks for a sync, with the one that it does so for: which of a file or a directory. Without it...
# What keeps the name of a shelf that was made again: this disk knows no names of directories. The order of these calls
# is asserted in tests/archive/test_backend_contract.py.
ELSEWHERE = {("archive.files.FileBackend._make_shelves < archive.files.FileBackend._move", "directory")}
SITES = {
    ("archive.files.FileBackend.admit < ingest.receive.Admission.finish", "file"): "half-written",
    ("archive.files.FileBackend.admit < ingest.receive.Admission.finish", "directory"): "images lost",
    ("archive.files.FileBackend._move < archive.files.FileBackend.shelve", "directory"): "images lost",
    ("archive.files.FileBackend.shelve < ingest.settle.Settler.run", "directory"): "deleted study is left",
    ("archive.files.FileBackend.discard < ingest.settle.Settler._settle", "directory"): "deleted study comes back",
    ("archive.files.FileBackend.erase < ingest.apply.Applier._erase_tombstoned", "directory"): "deleted study is left",
    ("archive.files.FileBackend.decide < ingest.decision_book.DecisionBook.write", "file"): "no length",
    ("archive.files.FileBackend.decide < ingest.decision_book.DecisionBook.write", "directory"): "is lost",
    ("audit.log.AuditLog.append < audit.prune.prune", "file"): "no pruning removed",
    ("audit.log.AuditLog.append < audit.witness.Witness.see", "file"): "does not verify",
    ("audit.log.AuditLog.append < keyring.record.Record.write", "file"): "does not verify|lost its line",
    ("audit.log.AuditLog.append < upkeep.cli_log.record", "file"): "does not verify",
    ("audit.log._open < audit.log.AuditLog._current", "directory"): "lost its line|does not verify",
    ("audit.prune.prune < cli.audit.prune", "directory"): "pruned is back",
    ("keyring.disk.remove_key_file < keyring.slots.remove_slot", "directory"): "slot of .* is back",
    ("keyring.disk.remove_key_file < upkeep.key_journal.end", "directory"): "is unfinished",
    ("keyring.disk.write_key_file < keyring.slots.add_slot", "file"): "slot cannot be read",
    ("keyring.disk.write_key_file < keyring.slots.add_slot", "directory"): "Dr Autre",
    ("keyring.disk.write_key_file < keyring.sums._write", "file"): "is accused",
    ("keyring.disk.write_key_file < keyring.sums._write", "directory"): "is accused",
    ("keyring.disk.write_key_file < keyring.sums.write_summed", "file"): "no length",
    ("keyring.disk.write_key_file < keyring.sums.write_summed", "directory"): "is accused",
    ("keyring.disk.write_key_file < upkeep.key_journal.begin", "file"): "Expecting value",
    ("keyring.disk.write_key_file < upkeep.key_journal.begin", "directory"): "nobody knows",
}


def test_every_place_that_syncs_is_known(day: Day) -> None:
    found: set[tuple[str, str]] = set()

    def note(_name: str, directory: bool, site: str) -> bool:
        found.add((site, "directory" if directory else "file"))
        return False

    for _ in day.states(note):
        pass
    assert {one for one in found if one[0]} - ELSEWHERE == SITES.keys(), "SQLite alone syncs without a function of ours"


@pytest.mark.parametrize("site", SITES, ids=" ".join)
def test_without_the_sync_of_any_one_place_something_that_was_told_is_lost(day: Day, site: tuple[str, str]) -> None:
    def ignored(_name: str, directory: bool, asked: str) -> bool:
        return (asked, "directory" if directory else "file") == site

    with pytest.raises(Exception, match=SITES[site]):
        for _, disk, told in day.states(ignored):
            day.keeper.keeps(disk, told)


def test_at_no_moment_there_is_a_note_without_its_object(day: Day) -> None:
    """Neither for a process that looks nor on the disk: settling and ``check`` would take it for an image that is lost.

    So an object comes before its note, and a deletion removes the note, makes that durable, then removes the object.
    """
    disk, removed = day.disk(), 0
    for number, record in enumerate(day.records):
        if record.call is Call.MARK:
            continue
        disk.apply(record, nothing, "")
        if record.call not in (Call.RENAME, Call.UNLINK, Call.SYNC):
            continue
        removed += record.call is Call.UNLINK and record.path.endswith(".note.age")
        for what, names in (("seen", disk.names), ("kept", disk.synced)):
            assert not (alone := lone_notes(names)), f"after record {number}, a lone note is {what}: {alone}"
    assert removed >= 9 + 1, "two studies of four and one, and a copy, were removed"


def lone_notes(names: Iterable[str]) -> set[str]:
    """Return the ids of notes without their object; of one on its shelf the object has to be on its shelf, too."""
    found = [re.fullmatch(r"(inbox|notes|objects)/(?:../)?([0-9a-f]{64})(\.note)?\.age", name) for name in names]
    files = {(match[1], match[2], bool(match[3])) for match in found if match}
    shelved = {one for place, one, note in files if place == "objects"}
    waiting = {one for place, one, note in files if place == "inbox" and not note}
    notes = {(place, one) for place, one, note in files if note}
    return {one for place, one in notes if one not in (shelved if place == "notes" else shelved | waiting)}


@pytest.mark.parametrize("cut", range(CUTS))
def test_a_box_that_is_started_after_the_cut_shows_every_acknowledged_image(day: Day, tmp_path: Path, cut: int) -> None:
    chance = random.Random(SEED + cut)
    places = [number for number, _, _ in day.states(nothing)]
    chosen = chance.choice(places)
    disk, told = next((d, t) for number, d, t in day.states(nothing) if number == chosen)
    box = Practice(tmp_path / "box")
    shutil.copytree(day.box.state, box.state, ignore=lambda at, names: [n for n in names if (Path(at) / n).is_file()])
    shutil.rmtree(box.state / "run", ignore_errors=True)
    lay_out(disk, box.state)
    box.start()
    try:
        with box.login() as client:
            kept = {uid for uid, _ in told.stored if uid not in told.deleting | told.deleted}
            wait_for(lambda: kept <= images(client).keys(), 90)
            shown = images(client)
            for uid in kept:
                offset = split(shown[uid])[1]
                assert (uid, hashlib.sha256(shown[uid][offset:]).hexdigest()) in told.stored
            assert not told.deleted & shown.keys()
        done = box.run("check", "--json", "--state", str(box.state))
        found = {finding["what"] for finding in json.loads(done.stdout)["findings"]}
        assert found <= {"stray", "half", "keys-unfinished"}, found
        assert box.run("audit", "verify", "--state", str(box.state)).returncode == 0
    finally:
        box.stop()
