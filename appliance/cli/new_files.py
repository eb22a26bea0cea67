"""Files with keys that a command hands out: there before anybody is let in, gone again if nobody is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.errors import EnvironmentProblem


class NewFiles:
    """New, empty files (0600) that wait for their content. ``count`` says that somebody was let in by it."""

    def __init__(self) -> None:
        self.count = False
        self._waiting: dict[Path, int] = {}
        self._written: list[Path] = []

    def reserve(self, path: Path) -> None:
        """Make an empty file at ``path``; :class:`EnvironmentProblem` when that cannot be, or one is there."""
        try:
            self._waiting[path] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EnvironmentProblem(
                f"{path} cannot be written: {error.strerror}.", "Name a new file in a directory of yours."
            ) from error

    def write(self, path: Path, content: bytes) -> None:
        """Write a reserved file; :class:`EnvironmentProblem` when there is no room for it."""
        self._written.append(path)
        try:
            with os.fdopen(self._waiting.pop(path), "wb") as sink:
                sink.write(content)
                sink.flush()
                os.fsync(sink.fileno())
        except OSError as error:
            raise EnvironmentProblem(
                f"{path} cannot be written: {error.strerror}.", "Name a file elsewhere; nobody was let in by this one."
            ) from error

    def end(self) -> None:
        """Remove what was not written; all of it unless it counts."""
        for path, descriptor in self._waiting.items():
            os.close(descriptor)
            path.unlink(missing_ok=True)
        if not self.count:
            for path in self._written:
                path.unlink(missing_ok=True)


@contextmanager
def new_files(*paths: Path | None) -> Iterator[NewFiles]:
    """Yield the files at ``paths``, made now; those that were not written are gone afterwards."""
    made = NewFiles()
    try:
        for path in paths:
            if path is not None:
                made.reserve(path)
        yield made
    finally:
        made.end()
