"""A small archive with an owner, two doctors, an assistant and a technician, made once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.keyring.disk import key_lock
from appliance.keyring.slots import unlock_slot
from appliance.paths import StatePaths
from appliance.people.store import People
from appliance.sealing.identities import Identity
from appliance.sealing.slots import FLOOR
from appliance.upkeep.key_changes import KeyChanges
from appliance.upkeep.owner import Owner, open_owner
from appliance.upkeep.setup import set_up
from tests.keyring.agentbox import AgentBox, agent_box

MOMENT = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
PASSPHRASE = "volcan-prairie-sept-lanterne-ciment-hublot-girafe-orage"
NAMES = {"Dr Deux": "doctor", "Dr Trois": "doctor", "Aide": "assistant", "Technique": "technician"}


@dataclass
class Archive:
    """The keys of one archive, with what only its people know."""

    root: Path
    paper: Identity
    identities: dict[str, Identity] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> StatePaths:
        return StatePaths(self.root)

    def people(self) -> People:
        return People(self.paths.system_db)

    def owner(self) -> Owner:
        people = self.people()
        owner = open_owner(self.paths, people, "Dr Essai", PASSPHRASE, MOMENT)
        people.close()
        return owner

    def change(self, owner: Owner, act: Callable[[KeyChanges], object]) -> object:
        """Carry out one change as the command line does."""
        people = self.people()
        try:
            with key_lock(self.paths):
                return act(KeyChanges(self.paths, people, owner, MOMENT, lambda: None))
        finally:
            people.close()

    def copy(self, root: Path) -> Archive:
        """Return the same keys elsewhere."""
        root.mkdir(parents=True)
        for name in ("keys", "audit"):
            shutil.copytree(self.root / name, root / name)
        shutil.copy(self.root / "system.db", root / "system.db")
        return Archive(root, self.paper, dict(self.identities), dict(self.ids))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    root = tmp_path_factory.mktemp("made") / "state"
    kept: list[Identity] = []
    set_up(StatePaths(root), "Dr Essai", PASSPHRASE, kept.append, FLOOR, MOMENT)
    archive = Archive(root, kept[0])
    owner = archive.owner()
    archive.identities["Dr Essai"], archive.ids["Dr Essai"] = owner.identity, owner.person.id
    for name, role in NAMES.items():
        secret = f"{PASSPHRASE}-{name}" if role != "technician" else ""
        archive.change(
            owner, lambda changes, name=name, role=role, secret=secret: changes.join(name, role, False, secret)
        )  # type: ignore[misc]
        people = archive.people()
        person = people.by_name(name)
        people.close()
        assert person is not None
        archive.ids[name] = person.id
        if secret:
            archive.identities[name] = unlock_slot(archive.paths, person.id, secret.encode())
    return archive


@pytest.fixture
def archive(made: Archive, tmp_path: Path) -> Iterator[Archive]:
    yield made.copy(tmp_path / "state")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentBox]:
    """A new archive; its agent is not started yet."""
    with agent_box(tmp_path) as box:
        yield box
