"""One appliance for a test, started as a person starts it: ``appliance init``, then ``appliance serve``."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

OWNER = "Dr Essai"
PASSPHRASE = "volcan-prairie-sept-lanterne-ciment-hublot-girafe-orage"
APPLIANCE = [sys.executable, "-m", "appliance.cli.main"]
READY_SECONDS = 60


class Box:
    """An appliance in a directory of its own, on free ports of loopback."""

    def __init__(self, root: Path, **settings: str) -> None:
        self.root = root
        self.state = root / "state"
        self.kit = root / "kit.txt"
        self.password_file = root / "password.txt"
        self.password_file.write_text(PASSPHRASE, "utf-8")
        self.http_port, self.dicom_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.log = root / "serve.log"
        self.out = root / "serve.out"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("NEGATO_")} | {
            f"NEGATO_{name.upper()}": value for name, value in settings.items()
        }
        self.process: subprocess.Popen[bytes] | None = None
        # What is put before "appliance serve", and where its pages and its receiver listen.
        self.prefix: tuple[str, ...] = ()
        self.listen = self.dicom_listen = "127.0.0.1"

    def run(
        self, *arguments: str, stdin: bytes | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one ``appliance`` command to its end."""
        return subprocess.run(
            [*APPLIANCE, *arguments], input=stdin, capture_output=True, env=self.environment, timeout=timeout
        )

    def init(self) -> None:
        """Have an archive: a copy of the one that ``appliance init`` made for this test process."""
        made = fresh_archive()
        shutil.copytree(made.state, self.state, dirs_exist_ok=True)
        shutil.copy2(made.kit, self.kit)

    def make(self) -> None:
        """Make the archive, at the cost of a passphrase that is allowed at least."""
        done = self.run(
            "init", "--state", str(self.state), "--owner", OWNER, "--login-seconds", "0",
            "--password-file", str(self.password_file), "--recovery-out", str(self.kit),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> float:
        """Start the appliance and wait for its ready line; return the seconds that took."""
        began = time.monotonic()
        with self.log.open("ab") as log, self.out.open("ab") as out:
            told = out.tell()
            self.process = subprocess.Popen(
                [
                    *self.prefix, *APPLIANCE, "serve", "--state", str(self.state),
                    "--http", f"{self.listen}:{self.http_port}", "--dicom", f"{self.dicom_listen}:{self.dicom_port}",
                ],
                stdout=out, stderr=log, env=self.environment,
            )  # fmt: skip

        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"serve ended: {self.log.read_text()}"
            return b"ready http://" in self.out.read_bytes()[told:]

        wait_for(ready, READY_SECONDS)
        return time.monotonic() - began

    def stop(self) -> None:
        """Stop the appliance as Ctrl-C does."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def children(self) -> dict[str, int]:
        """Return the pids of the supervised processes by name."""
        assert self.process is not None
        found = {}
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            for pid in (task / "children").read_text().split():
                with contextlib.suppress(OSError):
                    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                    if b"run" in command:
                        found[command[command.index(b"run") + 1].decode()] = int(pid)
        return found

    def client(self) -> httpx.Client:
        """Return an HTTP client that is not logged in."""
        return httpx.Client(base_url=self.url, timeout=60)

    @contextlib.contextmanager
    def login(self, password: str = PASSPHRASE) -> Iterator[httpx.Client]:
        """Yield an HTTP client that is logged in; it stays logged in afterwards.

        A box that is just being locked asks to try again in a moment.
        """
        credentials, deadline = {"user": OWNER, "password": password}, time.monotonic() + 20
        with self.client() as client:
            answer = client.post("/api/session", json=credentials)
            while answer.status_code == 503 and time.monotonic() < deadline:
                time.sleep(0.1)
                answer = client.post("/api/session", json=credentials)
            assert answer.status_code == 200, answer.text
            yield client

    def lock(self) -> None:
        """Lock from the command line and wait until the pages answer again."""
        with self.client() as client:
            before = self.children()
            done = self.run("lock", "--state", str(self.state))
            assert done.returncode == 0, done.stderr.decode()
            # The pages end after the key agent does: until then the old ones answer, and forget what they are told.
            ending = {"web", "keyagent"} & before.keys()
            wait_for(lambda: all(self.children().get(name, before[name]) != before[name] for name in ending), 20)
            wait_for(lambda: self._locked(client), 20)

    def _locked(self, client: httpx.Client) -> bool:
        try:
            return bool(client.get("/api/status").json().get("locked"))
        except httpx.TransportError:
            return False

    def storescu(self, *files: Path, options: Sequence[str] = ()) -> subprocess.CompletedProcess[bytes]:
        """Send files with dcmtk's storescu, every transfer syntax as the file has it."""
        return subprocess.run(
            ["storescu", *options, "-aec", "NEGATOSCOPE", "127.0.0.1", str(self.dicom_port), *map(str, files)],
            capture_output=True,
            timeout=120,
        )

    def settled(self, client: httpx.Client, instances: int, seconds: float = 120) -> None:
        """Wait until so many instances are listed."""
        wait_for(lambda: self.count(client) >= instances, seconds)

    def count(self, client: httpx.Client) -> int:
        """Return how many instances are listed, by QIDO-RS."""
        total, offset = 0, 0
        while page := client.get("/dicom-web/instances", params={"limit": 1000, "offset": offset}).json():
            total, offset = total + len(page), offset + len(page)
        return total


@contextlib.contextmanager
def running(root: Path, **settings: str) -> Iterator[Box]:
    """Yield a box that was made and started, and stop it afterwards."""
    box = Box(root, **settings)
    box.init()
    box.start()
    try:
        yield box
    finally:
        box.stop()


@functools.cache
def fresh_archive() -> Box:
    """Return a box with a fresh archive that nobody starts: others are copies of it, for a second less each."""
    directory = tempfile.TemporaryDirectory(prefix="negatoscope-fresh-")
    atexit.register(directory.cleanup)
    box = Box(Path(directory.name))
    box.make()
    return box


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def wait_for(condition: Callable[[], Any], seconds: float) -> None:
    """Return once ``condition`` holds; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {seconds} s"
        time.sleep(0.02)
