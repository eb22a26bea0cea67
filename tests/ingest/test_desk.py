"""The desk goes on after trouble with the index, without being started again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import NotLoggedIn, StorageFull
from appliance.index.store import Index
from appliance.ingest.desk import Desk
from appliance.paths import StatePaths
from appliance.sealing.writer import seal
from tests.box import wait_for
from tests.ingest.house import EPOCH, KEY, START, Keys, files, receive
from tests.ingest.tiny import image


class UnlockedAgent(Keys):
    """Unlocked until ``over`` is set; leases of jobs end when ``ended`` says so."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.ended: set[str] = set()
        self.jobs = 0

    def watch(self, _patience: float) -> Iterator[bool]:
        yield False
        self.over.wait(60)

    def job(self) -> str:
        self.jobs += 1
        return f"job {self.jobs}"

    def unwrap(self, token: str, purpose: str, study: str, headers: Any) -> list[bytes]:
        if token in self.ended:
            raise NotLoggedIn("This session has ended.")
        return super().unwrap(token, purpose, study, headers)


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    found = StatePaths(tmp_path / "state")
    files(found.root)
    found.keys.mkdir()
    for kind, recipient in (("notes", EPOCH.notes), ("images", EPOCH.images)):
        (found.keys / f"1.{kind}.pub").write_text(f"{recipient}\n")
        (found.keys / f"1.{kind}.age").write_bytes(seal(b"the agent's, never opened here", [recipient]))
    found.index_key.write_bytes(seal(KEY, [EPOCH.notes]))
    return found


@pytest.fixture
def agent() -> Iterator[UnlockedAgent]:
    made = UnlockedAgent()
    yield made
    made.over.set()


@pytest.fixture
def desk(paths: StatePaths, agent: UnlockedAgent) -> Desk:
    made = Desk(paths, files(paths.root), agent, lambda: START, lambda: None)  # type: ignore[arg-type]
    made.start(lambda: None)
    assert made.wait_open(20)
    return made


def listed(desk: Desk) -> int:
    return desk.index().counts()[2]


def test_what_reached_its_shelf_but_not_the_full_index_is_listed_once_there_is_room(
    paths: StatePaths, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = files(paths.root)
    receive(archive, image(1, 1))
    wait_for(lambda: listed(desk) == 1, 20)
    refused = threading.Event()

    def full(_index: Index, _notes: object) -> None:
        refused.set()
        raise StorageFull("There is no room for the index.")

    with monkeypatch.context() as patch:
        patch.setattr(Index, "add", full)
        receive(archive, image(2, 1))
        assert refused.wait(20)
        assert listed(desk) == 1
    wait_for(lambda: listed(desk) == 2, 20)


def test_the_desk_asks_for_another_lease_when_its_own_has_ended(
    paths: StatePaths, desk: Desk, agent: UnlockedAgent
) -> None:
    archive = files(paths.root)
    receive(archive, image(1, 1))
    wait_for(lambda: listed(desk) == 1, 20)
    agent.ended.add("job 1")
    receive(archive, image(2, 1))
    wait_for(lambda: listed(desk) == 2, 20)


def test_an_index_that_is_damaged_while_open_is_made_anew(paths: StatePaths, desk: Desk) -> None:
    archive = files(paths.root)
    receive(archive, image(1, 1))
    wait_for(lambda: listed(desk) == 1 and not archive.inbox(), 20)
    damaged = desk.index()
    damaged.close()  # so that pages are read from the file again
    raw = paths.index_db.read_bytes()
    paths.index_db.write_bytes(raw[:4096] + bytes(len(raw) - 4096))
    receive(archive, image(2, 1))
    wait_for(lambda: desk.index() is not damaged and listed(desk) == 2, 30)
