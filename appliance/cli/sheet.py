"""The file that a recovery sheet is written to: there before anything depends on it, gone again if nothing does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from appliance.durable import sync_directory, told_as_ours
from appliance.errors import BadInput, EnvironmentProblem
from appliance.sealing.identities import Identity
from appliance.upkeep.recovery_kit import Kit, as_text, make_kit


class Sheet:
    """A new, empty file that waits for its sheet. ``counts`` says that something is sealed to its key by now."""

    def __init__(self, path: Path, descriptor: int, render: Callable[[Kit], bytes]) -> None:
        self.counts = False
        self._path = path
        self._descriptor = descriptor
        self._render = render

    def write(self, paper: Identity, moment: datetime, tunnel: str = "") -> None:
        """Write the sheet of a paper key durably; ``tunnel`` is the text of its emergency tunnel, if it has one."""
        with told_as_ours("the recovery sheet was not written"):
            with os.fdopen(os.dup(self._descriptor), "wb") as file:
                file.write(self._render(make_kit(paper, moment, tunnel)))
                file.flush()
                os.fsync(file.fileno())
            sync_directory(self._path.absolute().parent)


@contextmanager
def new_sheet(path: Path) -> Iterator[Sheet]:
    """Yield the sheet that will lie at ``path``, .pdf or .txt; the file is removed unless the sheet counts at the end.

    Raises :class:`BadInput` for another form, :class:`EnvironmentProblem` when no new file can be made there.
    """
    render = _renderer(path)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EnvironmentProblem(
            f"The recovery sheet cannot be written to {path}: {error.strerror}.",
            "Name a new file in a directory of yours.",
        ) from error
    sheet = Sheet(path, descriptor, render)
    try:
        yield sheet
    finally:
        os.close(descriptor)
        if not sheet.counts:
            path.unlink(missing_ok=True)


def _renderer(path: Path) -> Callable[[Kit], bytes]:
    """Return what makes the sheet in the form that the file's suffix asks for."""
    if path.suffix.lower() == ".pdf":
        from appliance.upkeep.recovery_pdf import as_pdf  # Loaded when it is needed

        return as_pdf
    if path.suffix.lower() in (".txt", ""):
        return as_text
    raise BadInput("The recovery sheet is a PDF or a text.", "Name a file that ends in .pdf or .txt.")
