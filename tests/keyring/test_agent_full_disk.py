"""No room for the record: nothing is given out, nothing is left open by halves, and locking never waits for room."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import Refused, StorageFull
from appliance.keyring.client import AgentClient
from tests.box import wait_for
from tests.keyring.agentbox import AgentBox

THIEF = """
import sys
from pathlib import Path
from appliance.keyring.client import AgentClient
try:
    AgentClient(Path(sys.argv[1])).{verb}
except Exception as error:
    print(type(error).__name__)
"""


class FullDisk:
    """The record on a file system of 64 kB."""

    def __init__(self, agent: AgentBox) -> None:
        self._agent = agent
        self._guesses = 0
        self._audit = agent.paths.audit
        kept = {path.name: path.read_bytes() for path in self._audit.iterdir()}
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", self._audit], capture_output=True)
        if mounted.returncode:
            pytest.skip("a small file system cannot be mounted here")
        for name, raw in kept.items():
            (self._audit / name).write_bytes(raw)

    def fill(self) -> None:
        """Take all room, and what is left in the last page of the log."""
        with (self._audit / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        wait_for(self._refuses, 60)

    def empty(self) -> None:
        (self._audit / "filler").unlink()

    def _refuses(self) -> bool:
        self._guesses += 1  # Another person each time: who guesses wrongly has to wait.
        try:
            self._agent.client().login(f"{self._guesses:016x}", "wrong")
        except StorageFull:
            return True
        except Refused:
            pass
        return False


@pytest.fixture
def disk(agent: AgentBox) -> Iterator[FullDisk]:
    made = FullDisk(agent)
    try:
        yield made
    finally:
        agent.end()
        subprocess.run(["umount", "-l", str(agent.paths.audit)], check=True)


def leases(client: AgentClient) -> int:
    return int(client._call("status")["leases"])


def test_a_login_that_found_no_room_for_its_line_leaves_no_lease_that_keeps_the_archive_open(
    agent: AgentBox, disk: FullDisk
) -> None:
    client = agent.start()
    disk.fill()
    for _ in range(3):
        with pytest.raises(StorageFull):
            agent.login(client)
    assert leases(client) == 0
    with pytest.raises(Refused):
        client.job()
    disk.empty()
    token = agent.login(client)
    assert leases(client) == 1
    client.logout(token)
    assert agent.process is not None
    assert agent.process.wait(10) == 0, "the last session has ended, so the agent ends"
    assert agent.verify()[0] == 0


def test_without_room_for_a_line_no_key_and_no_lease_is_given_and_all_goes_on_once_there_is(
    agent: AgentBox, disk: FullDisk
) -> None:
    client = agent.start()
    token = agent.login(client)
    header = agent.header()[0]
    disk.fill()
    for refused in (
        lambda: client.unwrap(token, "view", "study", [header]),
        lambda: client.decide(token, "hold", "study", "0" * 64),
        lambda: client.ticket(token, ["study"]),
        client.job,
    ):
        with pytest.raises(StorageFull):
            refused()
    assert client.peek(token)[0] > 0, "the session goes on"
    thief = THIEF.format(verb=f"peek({token!r})")
    told = subprocess.run(
        [sys.executable, "-c", thief, str(agent.run.keyagent)], capture_output=True, cwd=Path(__file__).parents[2]
    )
    assert told.stdout == b"StorageFull\n", "somebody else's token is refused with an answer, not with silence"
    disk.empty()
    assert len(client.unwrap(token, "view", "study", [header])) == 1
    client.logout(client.job())
    assert agent.verify()[0] == 0


@pytest.mark.parametrize("how", ["lock", "logout"])
def test_locking_does_not_wait_for_room(agent: AgentBox, disk: FullDisk, how: str) -> None:
    client = agent.start()
    token = agent.login(client)
    disk.fill()
    client.lock() if how == "lock" else client.logout(token)
    assert agent.process is not None
    assert agent.process.wait(10) == 0
    disk.empty()
    assert agent.verify()[0] == 0
    agent.login(agent.start())
