"""How fast an object of 1 GB is sealed and opened, beside Debian's age."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, unwrap
from appliance.sealing.reader import SealedReader
from appliance.sealing.writer import SealingWriter

MIB = 1 << 20
Say = Callable[[str], None]


class _Digest:
    """A sink that keeps the SHA-256 of what it is given, as the receiver does, and nothing else."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes | memoryview) -> int:
        """Take all of ``data``."""
        self.sha256.update(data)
        return len(data)


def measure(mebibytes: int, work: Path, say: Say) -> list[dict[str, Any]]:
    """Return MB/s of each way, ours and age's where it has the same; files lie in ``work``."""
    identity = Identity.generate()
    key = work / "identity.txt"
    key.write_text(identity.reveal() + "\n")
    key.chmod(0o600)
    plain, sealed = work / "plain", work / "sealed.age"
    piece = os.urandom(MIB)
    with plain.open("wb") as file:
        for _ in range(mebibytes):
            file.write(piece)
    size = mebibytes * MIB / 1e6

    rows: list[dict[str, Any]] = []

    def timed(what: str, ours: Callable[[], object], peer: list[str] | None = None) -> None:
        say(f"{what} ...")
        rows.append({"what": what, "unit": "MB/s", "system": "ours", "value": size / _seconds(ours)})
        if peer and shutil.which("age"):
            seconds = _seconds(lambda: subprocess.run(peer, check=True, stdout=subprocess.DEVNULL))
            rows.append({"what": what, "unit": "MB/s", "system": "age", "value": size / seconds})

    def seal(sink: Any) -> None:
        writer = SealingWriter(sink, [identity.recipient()])
        with plain.open("rb") as file:
            while data := file.read(MIB):
                writer.write(data)
        writer.finish()

    def seal_to_disk() -> None:
        with sealed.open("wb") as file:
            seal(file)

    def read() -> None:
        with sealed.open("rb") as file:
            file_key = unwrap([identity], read_header(file))
            for _ in SealedReader(file, file_key).chunks():
                pass

    command = [sys.executable, "-m", "appliance.cli.main", "open", "--identity", str(key)]

    def open_file() -> None:
        with sealed.open("rb") as file:
            subprocess.run(command, stdin=file, stdout=subprocess.DEVNULL, check=True)

    def open_pipe() -> None:
        with subprocess.Popen(["cat", str(sealed)], stdout=subprocess.PIPE) as cat:
            subprocess.run([*command, "--tmp", str(work)], stdin=cat.stdout, stdout=subprocess.DEVNULL, check=True)

    recipient = str(identity.recipient())
    timed("sealing with digest", lambda: seal(_Digest()), ["age", "-r", recipient, str(plain)])
    to_disk = ["age", "-r", recipient, "-o", str(work / "peer.age"), str(plain)]
    timed("sealing to this disk", seal_to_disk, to_disk)
    timed("reading", read)
    timed("appliance open, a file", open_file, ["age", "-d", "-i", str(key), str(sealed)])
    timed("appliance open, a pipe", open_pipe)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rows.append({"what": "memory of open at most", "unit": "MB", "system": "ours", "value": peak})
    return rows


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
