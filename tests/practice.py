"""A box with several people, driven by its commands as a practice would."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx

from appliance.paths import StatePaths
from appliance.sealing.identities import Identity
from tests.box import OWNER, PASSPHRASE, Box, wait_for
from tests.samples.modality import send
from tests.samples.part10 import Sample


class Practice(Box):
    """A box with several people, at the least cost of a login."""

    def __init__(self, root: Path) -> None:
        root.mkdir(exist_ok=True)
        super().__init__(root)
        self.paths = StatePaths(self.state)

    def user(self, *arguments: str, by: str = OWNER) -> subprocess.CompletedProcess[bytes]:
        """Run ``appliance user`` or another command that an owner logs in to."""
        return self.run(
            *arguments, "--state", str(self.state), "--user", by, "--password-file", str(self.secret_of(by))
        )

    def add(self, name: str, role: str, *more: str) -> None:
        """Add somebody, with a passphrase that :meth:`enter` knows."""
        secret = () if role == "technician" else ("--new-password-file", str(self.secret_of(name)))
        done = self.user("user", "add", name, "--role", role, *secret, *more)
        assert done.returncode == 0, done.stderr.decode()

    def secret_of(self, name: str) -> Path:
        """Return the file of somebody's passphrase."""
        file = self.root / f"{name}.secret"
        file.write_text(PASSPHRASE if name == OWNER else f"{PASSPHRASE}-{name}", "utf-8")
        return file

    def enter(self, name: str) -> httpx.Client:
        """Return a client with which somebody is logged in."""
        client = self.client()
        answer = self.post_session(client, name)
        assert answer.status_code == 200, answer.text
        return client

    def post_session(self, client: httpx.Client, name: str) -> httpx.Response:
        """Try to log in, again for as long as the pages start afresh after a lock."""
        found: list[httpx.Response] = []

        def answered() -> bool:
            try:
                found[:] = [
                    client.post("/api/session", json={"user": name, "password": self.secret_of(name).read_text()})
                ]
            except httpx.TransportError:
                return False
            return found[0].status_code in (200, 401)

        wait_for(answered, 90)
        return found[0]

    def send(self, *samples: Sample) -> None:
        """Send images by C-STORE; every one is acknowledged."""
        assert all(answer.stored for answer in send(samples, "127.0.0.1", self.dicom_port))

    def secret(self, name: str) -> bytes:
        """Return somebody's passphrase."""
        return self.secret_of(name).read_bytes()

    def twin(self, number: int) -> Practice:
        """Return another box with the same keys and people, and no image."""
        twin = Practice(self.root / f"twin{number}")
        twin.state.mkdir()
        for name in ("keys", "audit"):
            shutil.copytree(self.state / name, twin.state / name)
        for name in ("FORMAT", "system.db"):
            shutil.copy(self.state / name, twin.state / name)
        return twin

    def person(self, name: str) -> str:
        """Return somebody's id."""
        done = self.run("user", "list", "--json", "--state", str(self.state))
        return next(str(row["id"]) for row in json.loads(done.stdout) if row["name"] == name)

    def paper(self) -> Identity:
        """Return the paper key, read off the sheet."""
        match = re.search(r"AGE-SECRET-KEY-1[A-Z0-9]+", self.kit.read_text("utf-8"))
        assert match
        return Identity.parse(match[0])
