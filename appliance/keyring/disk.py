"""Writing a key file so that it is either the old one or the new one, never a half."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.durable import let_go, sync_directory, told_as_ours
from appliance.errors import EnvironmentProblem
from appliance.paths import StatePaths

DRAFT = ".draft-"
UNCHANGED = "the keys may not be as they were asked to be"


def write_key_file(path: Path, content: bytes, mode: int = 0o640, like: Path | None = None) -> None:
    """Replace ``path`` by ``content`` durably.

    Raises :class:`StorageFull` or :class:`EnvironmentProblem` when the disk fails; then it is the old or the new one.
    Owner, group and mode are those of the file that is replaced, or of ``like``, so that a command run as root leaves
    what the processes of the box can read; without either, our own and ``mode``. Raises :class:`EnvironmentProblem`
    when this user may not give the file away.
    """
    with told_as_ours(UNCHANGED):
        model = next((file for file in (path, like) if file is not None and file.exists()), None)
        draft = path.with_name(f"{DRAFT}{secrets.token_hex(8)}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(fd, "wb") as file:
                if model is not None:
                    _take_after(fd, model)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def remove_key_file(path: Path) -> None:
    """Remove ``path`` durably; harmless when it is not there."""
    with told_as_ours(UNCHANGED):
        path.unlink(missing_ok=True)
        sync_directory(path.parent)


@contextmanager
def key_lock(paths: StatePaths) -> Iterator[None]:
    """Hold the right to change key files, across processes, and clear what a killed holder left half written.

    Raises :class:`EnvironmentProblem` while another process holds it.
    """
    directory = os.open(paths.keys, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EnvironmentProblem("Keys are being changed by another command.", "Wait until it ends.") from error
        for place in (paths.keys, paths.slots):
            for left in place.glob(f"{DRAFT}*"):
                with contextlib.suppress(PermissionError):  # The key agent changes slots alone.
                    left.unlink(missing_ok=True)
        yield
    finally:
        let_go(directory)


def _take_after(fd: int, model: Path) -> None:
    wanted, ours = model.stat(), os.fstat(fd)
    os.fchmod(fd, wanted.st_mode & 0o777)
    if (wanted.st_uid, wanted.st_gid) == (ours.st_uid, ours.st_gid):
        return
    try:
        os.fchown(fd, wanted.st_uid, wanted.st_gid)
    except PermissionError as error:
        raise EnvironmentProblem("This user may not change key files.", "Run the command as root.") from error
