"""Writing all of something to a sink that may take it in pieces."""

from __future__ import annotations

import errno
from typing import Protocol


class Sink(Protocol):
    """Where bytes go: any binary file. ``write`` says how much it took, which may be less than it was given."""

    def write(self, data: bytes | memoryview, /) -> int | None: ...


def write_all(sink: Sink, data: bytes) -> None:
    """Write every byte of ``data``, as raw files and pipes may take less at a time than they are given.

    Raises :class:`BlockingIOError` for a sink that would block, because a byte left out would only be found on reading.
    """
    written = sink.write(data)
    if written == len(data):
        return
    view = memoryview(data)
    while True:
        if not written:
            raise BlockingIOError(errno.EAGAIN, "a sink took nothing")
        view = view[written:]
        if not view:
            return
        written = sink.write(view)
