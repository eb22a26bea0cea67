"""Whoever reads through a damaged backend notices, and whoever writes to a full one leaves no trace."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.archive.backend import Backend
from appliance.clock import stamp
from appliance.dicom import decision as decisions
from appliance.dicom.decision import Decision
from appliance.errors import Damaged, StorageFull
from appliance.index.store import Index
from appliance.retrieve.contents import Contents
from appliance.sealing.header import read_header
from appliance.sealing.identities import unwrap
from appliance.sealing.writer import seal
from tests.archive.damage import DiskFullBackend, FlipLastByteBackend, SwappingBackend, TruncatingBackend
from tests.archive.memory import MemoryBackend
from tests.ingest.house import EPOCH, IMAGES, KEY, START, receive, settle, settler
from tests.ingest.tiny import image, study_uid

HARMFUL = [TruncatingBackend, FlipLastByteBackend, SwappingBackend]


@pytest.fixture
def archive() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = Index.open(tmp_path / "index.db", KEY)
    yield opened
    opened.close()


@pytest.mark.parametrize("harm", HARMFUL)
def test_settling_leaves_what_it_cannot_read_in_the_inbox(
    archive: MemoryBackend, index: Index, harm: type[TruncatingBackend]
) -> None:
    ids = [receive(archive, image(1, n)) for n in (1, 2, 3)]
    done = list(settler(harm(archive), index).run(START))
    assert sorted(name for one in done for name in one.damaged) == sorted(ids)
    assert archive.inbox() == ids and index.counts() == (0, 0, 0)
    settle(archive, index)
    assert index.counts() == (1, 1, 3) and archive.inbox() == []


@pytest.mark.parametrize("harm", HARMFUL)
def test_a_rebuild_lists_nothing_that_it_cannot_read(
    archive: MemoryBackend, index: Index, harm: type[TruncatingBackend]
) -> None:
    for n in (1, 2, 3):
        receive(archive, image(1, n))
    settle(archive, index)
    index.remove(index.objects())
    assert settler(harm(archive), index).catch_up() == 0
    assert index.counts() == (0, 0, 0)
    assert settler(archive, index).catch_up() == 3


@pytest.mark.parametrize("harm", [TruncatingBackend, FlipLastByteBackend])
def test_an_unreadable_decision_is_alarmed_and_the_others_hold(
    archive: MemoryBackend, index: Index, harm: type[TruncatingBackend], capfd: pytest.CaptureFixture[str]
) -> None:
    for uid in (study_uid(1), study_uid(2)):
        archive.decide(seal(decisions.to_bytes(Decision("hold", stamp(START), "0", uid=uid)), [EPOCH.notes]))
    archive.decided["00000002"] = _harmed(harm, archive.decided["00000002"])
    book = settle(archive, index).book
    assert book.decided.held == {study_uid(1)} and book.unreadable == ["00000002"]
    assert "decision.damaged" in capfd.readouterr().err


@pytest.mark.parametrize("harm", HARMFUL)
def test_no_byte_of_a_damaged_object_is_retrieved(
    archive: MemoryBackend, index: Index, harm: type[TruncatingBackend]
) -> None:
    names = [receive(archive, image(1, n)) for n in (1, 2)]
    settle(archive, index)
    with archive.object(names[0]) as file:
        key = unwrap([IMAGES], read_header(file))
    (entry,) = index.entries_of(names[:1])
    with Contents(archive.object(entry.object), key, entry) as whole:
        assert b"".join(whole.file()) == image(1, 1).data
    with pytest.raises(Damaged):
        Contents(harm(archive).object(entry.object), key, entry)


def test_a_full_disk_refuses_arrivals_and_keeps_what_waits(archive: MemoryBackend, index: Index) -> None:
    first = receive(archive, image(1, 1, content=1))
    settle(archive, index)
    second = receive(archive, image(1, 1, content=2))  # a conflict: its quarantine has to be written
    full: Backend = DiskFullBackend(archive)
    with pytest.raises(StorageFull):
        receive(full, image(2, 1))
    with pytest.raises(StorageFull):
        settle(full, index)
    assert archive.inbox() == [second] and index.objects() == {first} and not archive.decided
    settle(archive, index)
    assert archive.inbox() == [] and index.objects() == {first} and len(archive.decided) == 1


def _harmed(harm: type[TruncatingBackend], raw: bytes) -> bytes:
    return harm(MemoryBackend()).harmed(io.BytesIO(raw)).read()
