"""Room kept on the disk for lines to come: a disk that others filled stops neither the record nor, with it, reading."""

from __future__ import annotations

import ctypes

ROOM_BYTES = 2 * 1024 * 1024  # some ten thousand reads of one image, or some fifty of a whole CT series
KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE of linux/falloc.h


def keep_room(descriptor: int, size: int) -> bool:
    """Have the file system set aside room behind the end of a file of ``size`` bytes (fallocate(2)).

    The file does not grow by it. Returns whether it did; a file system that cannot leaves the file as it is.
    """
    offset, length = ctypes.c_int64(size), ctypes.c_int64(ROOM_BYTES)
    return int(ctypes.CDLL(None).fallocate64(descriptor, KEEP_SIZE, offset, length)) == 0
