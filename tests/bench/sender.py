"""dcmtk's storescu as the sender of a folder of files, timed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.demo.box import Trouble

AET = "NEGATOSCOPE"


def spread(files: list[Path], shares: int, folder: Path) -> list[Path]:
    """Return ``shares`` folders below ``folder`` that link to the files in turn."""
    targets = []
    for share in range(min(shares, len(files))):
        target = folder / f"share-{shares}-{share}"
        if not target.exists():
            target.mkdir(parents=True)
            for file in files[share::shares]:
                (target / file.name).symlink_to(file)
        targets.append(target)
    return targets


def storescu(folders: list[Path], port: int, *, nodelay: bool) -> float:
    """Send each folder in an association of its own, all at once; return the seconds until the last has ended.

    ``nodelay`` sets ``TCP_NODELAY=1``, which dcmtk reads; its default leaves Nagle's algorithm on. Raises
    :class:`Trouble` when one image was not accepted.
    """
    program = shutil.which("storescu")
    if program is None:
        raise Trouble("storescu is missing.\nInstall Debian's package dcmtk.")
    environment = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    if nodelay:
        environment["TCP_NODELAY"] = "1"
    begun = time.monotonic()
    running = [
        subprocess.Popen(
            [program, "-aec", AET, "--scan-directories", "127.0.0.1", str(port), str(folder)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for folder in folders
    ]
    said = [process.communicate()[0] for process in running]
    seconds = time.monotonic() - begun
    for process, text in zip(running, said, strict=True):
        if process.returncode or "Store Failed" in text or "Status Code" in text:
            raise Trouble(f"storescu failed ({process.returncode}):\n{text[-600:]}")
    return seconds
