"""One byte range of a representation (RFC 9110 14.2)."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Unsatisfiable(Exception):
    """The range lies outside the representation: 416."""


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return offset and length of the range asked for, or ``None`` to send everything.

    Several ranges or another unit are ignored, as RFC 9110 allows. Raises :class:`Unsatisfiable`.
    """
    match = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        length = min(int(last), size)
        if length == 0:
            raise Unsatisfiable
        return size - length, length
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return start, end - start + 1
