"""The appliance as a system under measurement: logged in, so that it settles and indexes what arrives."""

from __future__ import annotations

import http.client
import json
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.memory import family
from tests.demo.box import Box, Trouble, free_port


@dataclass
class Ours:
    """One appliance on ports of its own over a fresh archive in a temporary folder."""

    http_port: int = field(default_factory=free_port)
    dicom_port: int = field(default_factory=free_port)
    state: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="negatoscope-bench-")))
    box: Box | None = None
    cookie: str = ""

    @property
    def name(self) -> str:
        """How the reports call it."""
        return "ours"

    def start(self, *, login: bool = True) -> float:
        """Make an archive, serve it, log in; return the seconds from start to ready, set-up and login left out."""
        self.box = Box(self.state, f"127.0.0.1:{self.http_port}", f"127.0.0.1:{self.dicom_port}")
        self.box.init()
        seconds = self.box.start()
        if login:
            self.login()
        return seconds

    def restart(self, *, login: bool = True) -> float:
        """Stop, start again over the same archive, log in; return the seconds from start to ready."""
        assert self.box is not None
        self.box.stop()
        seconds = self.box.start()
        if login:
            self.login()
        return seconds

    def login(self) -> None:
        """Log the owner in; the archive is unlocked afterwards."""
        assert self.box is not None
        body = json.dumps({"user": self.box.owner, "password": self.box.passphrase})
        link = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        try:
            link.request("POST", "/api/session", body, {"Content-Type": "application/json"})
            answer = link.getresponse()
            said = answer.read()
            if answer.status != 200:
                raise Trouble(f"The login failed ({answer.status}): {said[:200]!r}")
            self.cookie = "; ".join(
                value.split(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"
            )
        finally:
            link.close()

    def headers(self) -> dict[str, str]:
        """Return what a request must carry: the session."""
        return {"Cookie": self.cookie}

    def count(self) -> int:
        """Return how many instances are listed."""
        link = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=120)
        try:
            link.request("GET", "/dicom-web/studies?limit=5000&includefield=00201208", headers=self.headers())
            answer = link.getresponse()
            studies = json.loads(answer.read() or b"[]")
            if answer.status not in {200, 204}:
                raise Trouble(f"The list of studies failed ({answer.status}).")
            return sum(int(study["00201208"]["Value"][0]) for study in studies)
        finally:
            link.close()

    def pids(self) -> dict[str, int]:
        """Return the processes by name: the supervisor and what it runs."""
        if self.box is None or self.box.process is None:
            return {}
        found = {}
        for pid in family(self.box.process.pid):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            except OSError:
                continue
            name = words[words.index("run") + 1] if "run" in words else "supervisor"
            found[name if name not in found else f"{name} {pid}"] = pid
        return found

    def stop(self) -> None:
        """End it."""
        if self.box is not None:
            self.box.stop()

    def clean(self) -> None:
        """End it and remove its archive."""
        if self.box is not None:
            self.box.clean()
        shutil.rmtree(self.state, ignore_errors=True)


def wait_for(system: object, instances: int, timeout: float = 900) -> float:
    """Wait until ``instances`` are listed; return the seconds. Raises :class:`Trouble` when they do not come."""
    begun = time.monotonic()
    listed = -1
    while time.monotonic() < begun + timeout:
        listed = system.count()  # type: ignore[attr-defined]
        if listed >= instances:
            return time.monotonic() - begun
        time.sleep(0.05)
    raise Trouble(f"Only {listed} of {instances} instances are listed after {timeout:.0f} s.")
