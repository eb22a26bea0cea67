"""Opens what must be a plain file: no link leads elsewhere, and no pipe or device can hold up or flood its reader."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path, most: int) -> BinaryIO:
    """Open a regular file of at most ``most`` bytes; :class:`OSError` for a link, anything special, or a longer one."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        if found.st_size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    except BaseException:
        os.close(fd)
        raise
    return os.fdopen(fd, "rb")


def read_regular(path: Path, most: int) -> bytes:
    """Return the bytes of such a file."""
    with open_regular(path, most) as file:
        return file.read(most)
