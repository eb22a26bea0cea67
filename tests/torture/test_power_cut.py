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
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.box import OWNER, PASSPHRASE, wait_for
from tests.ingest.tiny import image, study_uid
from tests.practice import Practice
from tests.samples import modality
from tests.samples.part10 import Sample, split
from tests.torture.archive import command, decide
from tests.torture.disk import Disk, Ignored
from tests.torture.served import images
from tests.torture.shim import Call, Record, Shim
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

    def states(self, ignored: Ignored) -> Iterator[tuple[int, Disk, Told]]:
        """Yield the disk and what was told after each record that changes either."""
        disk, told = self.disk(), Told()
        for number, record in enumerate(self.records):
            if record.call is Call.MARK:
                told.hear(read_mark(record.data))
                yield number, disk, told
            elif disk.apply(record, ignored):
                yield number, disk, told


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    box = Practice(tmp_path_factory.mktemp("day"))
    box.init()
    before = {str(path.relative_to(box.state)): path.read_bytes() for path in box.state.rglob("*") if path.is_file()}
    shim = Shim(box)
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
        gone = [image(14, n).sop_instance for n in range(1, 5)]
        shim.mark(deleting=gone)
        command(box, "study", "delete", study_uid(14), "--yes")
        shim.mark(deleted=gone)
        wait_for(lambda: not list((box.state / "inbox").glob("*.age")), 60)
    box.add(OTHER, "doctor")
    shim.mark(person=OTHER, here=True)
    command(box, "rotate")
    shim.mark(epoch=2)
    box.enter(OWNER).close()
    send(image(2, 1), image(2, 2))
    with box.login() as client:
        box.settled(client, 16)
        read(client, 2)
    shim.mark(leaving=OTHER)
    command(box, "user", "leave", OTHER)
    shim.mark(person=OTHER, here=False)
    shim.mark(epoch=3)
    box.enter(OWNER).close()
    send(image(3, 1))
    box.lock()
    send(image(3, 2))


def nothing(_name: str, _directory: bool) -> bool:
    return False


def test_after_a_power_cut_at_any_moment_everything_that_was_told_is_kept(day: Day) -> None:
    looked = 0
    for number, disk, told in day.states(nothing):
        try:
            day.keeper.keeps(disk.survives(), told)
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

    def ignored(path: str, directory: bool) -> bool:
        full = f"{path}/" if directory else f"{path}=>{short[path]}" if path in short and ".draft" in path else path
        if pattern.fullmatch(full):
            left_out.add(full)
            return True
        return False

    # Whatever it fails with: something is missing, of no length, or does not open.
    with pytest.raises(Exception):  # noqa: B017
        for _, disk, told in day.states(ignored):
            day.keeper.keeps(disk.survives(), told)
    assert left_out, "no such sync was done"


@pytest.mark.parametrize("cut", range(CUTS))
def test_a_box_that_is_started_after_the_cut_shows_every_acknowledged_image(day: Day, tmp_path: Path, cut: int) -> None:
    chance = random.Random(SEED + cut)
    places = [number for number, _, _ in day.states(nothing)]
    chosen = chance.choice(places)
    disk, told = next((d.survives(), t) for number, d, t in day.states(nothing) if number == chosen)
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
