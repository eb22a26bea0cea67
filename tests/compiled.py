"""Small programs and libraries in C that tests bring along, compiled once a run."""

from __future__ import annotations

import atexit
import functools
import subprocess
import tempfile
from pathlib import Path


@functools.cache
def compiled(source: Path, *options: str) -> Path:
    """Return what gcc makes of ``source``; it is gone when the tests end."""
    directory = tempfile.TemporaryDirectory(prefix="negatoscope-compiled-")
    atexit.register(directory.cleanup)
    built = Path(directory.name) / source.stem
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", *options, "-o", built, source], check=True)
    return built
