"""A key agent by itself: a real archive, the real process, the real socket, and nothing else."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance import clock
from appliance.audit.entries import entries
from appliance.errors import EnvironmentProblem
from appliance.keyring.client import AgentClient
from appliance.keyring.public import read_recipient
from appliance.paths import Kind, RunPaths, StatePaths
from appliance.people.store import People
from appliance.sealing.header import read_header
from appliance.sealing.slots import FLOOR
from appliance.sealing.writer import seal
from appliance.upkeep.setup import set_up
from tests.box import APPLIANCE, OWNER, PASSPHRASE, wait_for


class AgentBox:
    """An archive with one owner, and its key agent."""

    def __init__(self, root: Path, prefix: tuple[str, ...] = (), **settings: str) -> None:
        """``prefix`` is put before the command, for example a program that changes the clock."""
        self.paths = StatePaths(root / "state")
        self.kit = ""
        set_up(self.paths, OWNER, PASSPHRASE, self._keep, FLOOR, clock.now())
        people = People(self.paths.system_db)
        owner = people.by_name(OWNER)
        people.close()
        assert owner is not None
        self.person = owner.id
        self.run = RunPaths(root / "run")
        self.run.root.mkdir(mode=0o755)
        self.prefix = prefix
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("NEGATO_")} | {
            "NEGATO_STATE": str(self.paths.root),
            "NEGATO_RUN": str(self.run.root),
            **{f"NEGATO_{name.upper()}": value for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None

    def _keep(self, text: str) -> None:
        self.kit = text

    def start(self) -> AgentClient:
        """Start the agent and return a client once it answers."""
        self.process = subprocess.Popen(
            [*self.prefix, *APPLIANCE, "run", "keyagent"], env=self.environment, stderr=subprocess.DEVNULL
        )
        client = self.client()
        wait_for(lambda: self.answers(client), 20)
        return client

    def client(self) -> AgentClient:
        """Return a client of the agent."""
        return AgentClient(self.run.keyagent)

    def answers(self, client: AgentClient) -> bool:
        """Return whether the agent is there."""
        assert self.process is not None
        assert self.process.poll() is None, "the key agent ended"
        try:
            client.locked()
        except EnvironmentProblem:
            return False
        return True

    def login(self, client: AgentClient, passphrase: str = PASSPHRASE) -> str:
        """Log the owner in; return the token."""
        return client.login(self.person, passphrase)[0]

    def end(self, number: int = signal.SIGKILL) -> None:
        """End the agent by a signal."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def header(self, kind: Kind = "images") -> tuple[bytes, bytes]:
        """Return the header of a fresh sealed file, and the file."""
        sealed = seal(os.urandom(8), [read_recipient(self.paths, 1, kind)])
        return read_header(io.BytesIO(sealed)).raw, sealed

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Return the fields of the audit lines whose event begins so; every line must be whole."""
        found = list(entries(self.paths, "keyagent"))
        assert [entry for entry in found if entry.fault not in ("", "torn")] == []
        return [e.fields for e in found if not e.fault and e.fields["event"].startswith(event)]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run an ``appliance`` command on this archive."""
        return subprocess.run([*APPLIANCE, *arguments], capture_output=True, env=self.environment, timeout=60)

    def verify(self) -> tuple[int, dict[str, Any]]:
        """Run ``appliance audit verify --json``; return its exit code and what it says."""
        done = self.command("audit", "verify", "--json")
        return done.returncode, json.loads(done.stdout)


@contextmanager
def agent_box(root: Path, **settings: str) -> Iterator[AgentBox]:
    """Yield an archive, and end its agent afterwards."""
    box = AgentBox(root, **settings)
    try:
        yield box
    finally:
        box.end()
