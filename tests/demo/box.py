"""A fresh appliance of the shipped command line, started and stopped by process id."""

from __future__ import annotations

import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from appliance.sealing.words import new_passphrase

COMMAND = [sys.executable, "-m", "appliance.cli.main"]
SOURCE = Path(__file__).resolve().parents[2]
STOP_SECONDS = 15


class Trouble(RuntimeError):
    """Something in the way, said in one sentence with what to do about it."""


@dataclass
class Box:
    """One appliance: ``state`` its archive, ``work`` a private folder for what must not lie in the archive."""

    state: Path
    http: str
    dicom: str
    owner: str = "Dr Demo"
    passphrase: str = field(default_factory=lambda: new_passphrase("french"), repr=False)
    settings: dict[str, str] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)
    work: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="negatoscope-demo-")))
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://{self.http}"

    def init(self) -> None:
        """Make the archive with ``appliance init``; raise :class:`Trouble` with what it said."""
        secret = self.work / "passphrase"
        _write_private(secret, self.passphrase)
        try:
            done = subprocess.run(
                [
                    *(*COMMAND, "init", "--state", str(self.state), "--owner", self.owner),
                    *("--password-file", str(secret), "--recovery-out", str(self.work / "recovery.txt")),
                ],
                env=self._environment(),
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            secret.unlink()
        if done.returncode:
            raise Trouble(f"appliance init failed:\n{done.stderr.strip() or done.stdout.strip()}")

    def start(self, timeout: float = 60) -> float:
        """Run ``appliance serve`` and return after how many seconds it said ready; raise :class:`Trouble`."""
        begun = time.monotonic()
        with (self.work / "serve.log").open("a") as log:
            self.process = subprocess.Popen(
                [
                    *(*self.prefix, *COMMAND, "serve", "--state", str(self.state)),
                    *("--http", self.http, "--dicom", self.dicom),
                ],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends the appliance in order.
            )
        assert self.process.stdout is not None
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_pump, args=(self.process.stdout, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=max(0.1, begun + timeout - time.monotonic()))
            except queue.Empty:
                self.stop()
                raise Trouble(f"The appliance was not ready after {timeout:.0f} s.\n{self.log()}") from None
            if line.startswith("ready"):
                return time.monotonic() - begun
            if not line:
                self.process.wait()
                raise Trouble(f"The appliance ended while it started.\n{self.log()}")

    def stop(self) -> None:
        """End the appliance, its children with it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def clean(self) -> None:
        """Stop, and remove the private folder; the archive is the caller's."""
        self.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    def log(self, lines: int = 15) -> str:
        """Return the end of what the appliance wrote to its error output."""
        try:
            return "\n".join((self.work / "serve.log").read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NEGATO_")}
        path = os.pathsep.join(filter(None, (str(SOURCE), kept.get("PYTHONPATH", ""))))
        return kept | {"PYTHONPATH": path} | self.settings


def require_free(host: str, port: int, name: str) -> None:
    """Raise :class:`Trouble` when ``port`` is taken; ``name`` is the variable that chooses another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Trouble(
                f"Port {port} cannot be used: {error.strerror}.\n"
                f"Stop the program that uses it (see: ss -ltnp) or choose another port: make demo {name}={port + 10}"
            ) from None


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _pump(pipe: object, lines: queue.Queue[str]) -> None:
    for line in pipe:  # type: ignore[attr-defined]
        lines.put(line)
    lines.put("")


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
