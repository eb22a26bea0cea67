"""What every writer to disk shares: durable names, and a failing disk told as an error of ours."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.errors import DiskFailed, EnvironmentProblem, StorageFull

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What one file's place on the disk can be to blame for; rights, memory and descriptors concern all of them.
OF_ONE_FILE = (errno.EIO, errno.EISDIR, errno.ELOOP, errno.ENOTDIR, errno.EBADMSG, errno.EUCLEAN)


def sync_directory(path: Path) -> None:
    """Return once the names in a directory are on the disk (fsync(2)); raises :class:`OSError`.

    A file that was synced can still lose its name until its directory is.
    """
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        let_go(directory)


def let_go(fd: int) -> None:
    """Close a descriptor through which nothing was written since its last sync: a close that fails loses nothing."""
    with contextlib.suppress(OSError):
        os.close(fd)


def as_its_folders(fd: int, folder: Path) -> None:
    """Give a new file to whom its folder belongs to, readable for the folder's group; raises :class:`OSError`."""
    owner = folder.stat()
    os.fchown(fd, owner.st_uid, owner.st_gid)
    os.fchmod(fd, 0o640)


def write_durably(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace ``path`` by ``content``, synced with its directory: it is the old one or the new one, never a half.

    Raises :class:`OSError`. The caller is the only writer in the directory, so the draft needs no name of its own.
    """
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


@contextmanager
def told_as_ours(consequence: str) -> Iterator[None]:
    """Let an :class:`OSError` come out as :class:`StorageFull`, :class:`DiskFailed` or :class:`EnvironmentProblem`.

    ``consequence`` ends the sentence: what was not done.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull(f"The disk is full; {consequence}.", "Free space or move to a larger disk.") from error
        kind = DiskFailed if error.errno in OF_ONE_FILE else EnvironmentProblem
        raise kind(f"The disk failed: {error.strerror}; {consequence}.", "Look at the disk, then try again.") from error
