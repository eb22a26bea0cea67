"""A deflated data set, inflated piece by piece within a bound (PS3.5 A.5)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from appliance.errors import BadInput

_INPUT = 64 << 10
_OUTPUT = 1 << 20
_TAIL = 512


class Inflater:
    """Raw inflate at constant memory: at most 1 MiB of output exists at a time, ``limit`` bytes in all."""

    def __init__(self, limit: int) -> None:
        self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
        self._limit = limit
        self._produced = 0
        self._tail = bytearray()

    def feed(self, chunk: memoryview) -> Iterator[bytes]:
        """Yield what ``chunk`` inflates to; raise :class:`BadInput` for a broken stream or more than the
        limit.

        After the end of the stream only a little may follow, which :meth:`finish` judges.
        """
        for start in range(0, len(chunk), _INPUT):
            rest: bytes | memoryview = chunk[start : start + _INPUT]
            while len(rest) and not self._ended():
                out = self._more(rest)
                rest = self._zlib.unused_data if self._ended() else self._zlib.unconsumed_tail
                if out:
                    yield out
            self._tail += rest
            if len(self._tail) > _TAIL:
                raise BadInput("Something follows the end of the deflated data set.")

    def _ended(self) -> bool:
        return self._zlib.eof

    def finish(self) -> Iterator[bytes]:
        """Yield what is left; raise :class:`BadInput` if the stream has not ended or is followed by anything.

        Allowed are zeros, which pad to an even length, and the trailer of gzip with the right size, which
        some writers leave there.
        """
        while not self._zlib.eof:
            out = self._more(b"")
            if not out and not self._zlib.eof:
                raise BadInput("The deflated data set is truncated.", "Send the image again.")
            yield out

        trailer = self._produced.to_bytes(8, "little")[:4]
        tail = self._tail[8:] if self._tail[4:8] == trailer else self._tail
        if any(tail):
            raise BadInput("Something follows the end of the deflated data set.")

    def _more(self, rest: bytes | memoryview) -> bytes:
        try:
            out = self._zlib.decompress(rest, _OUTPUT)
        except zlib.error as error:
            raise BadInput("The deflated data set is broken.", "Send the image again.") from error
        self._produced += len(out)
        if self._produced > self._limit:
            raise BadInput(f"The deflated data set inflates to more than {self._limit} bytes.")
        return out
