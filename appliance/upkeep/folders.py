"""Folders at and below a state directory, opened one by one from its top, so that no link leads out of it.

Other users than the one who checks may write in some of them: what is a folder now may be a link in a moment. The top
itself may be reached by links, since whoever checks names it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def opened(root: Path, folder: Path) -> Iterator[int]:
    """Yield a descriptor of a folder; :class:`OSError` when it, or one above it below ``root``, is none or a link."""
    fd = os.open(root, FLAGS)
    try:
        for name in folder.relative_to(root).parts:
            inner = os.open(name, FLAGS | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


def entries(root: Path, folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted; nothing for one that is not there or behind a link.

    Raises :class:`PermissionError` for one that the caller may not read.
    """
    try:
        with opened(root, folder) as fd, os.scandir(fd) as found:
            return sorted(folder / entry.name for entry in found)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return []
        raise


def is_folder(root: Path, folder: Path) -> bool:
    """Return whether a folder is there and no link leads to it; errors as :func:`entries`."""
    try:
        with opened(root, folder):
            return True
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return False
        raise
