"""The head of a Part 10 file: preamble, prefix, File Meta Information (PS3.10 7.1)."""

from __future__ import annotations

import struct
from typing import Any

from appliance.dicom.charsets import decoder
from appliance.dicom.jsonmodel import element
from appliance.dicom.vrs import HEADERS
from appliance.errors import BadInput

_PREFIX_END = 132
_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<L")
_DECODE = decoder(())


class MetaReader:
    """Reads the head incrementally. Group 2 ends where another group begins; the stated group length is not
    trusted.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._need = _PREFIX_END
        self._at = 0
        self.elements: dict[str, Any] = {}
        """Group 2 in the DICOM JSON model."""

    def feed(self, chunk: memoryview) -> tuple[bytes, memoryview] | None:
        """Take bytes; once the head is complete return those that already belong to the data set, in two
        pieces.

        Before that return ``None``. The length of the head is then :attr:`size`. Raises :class:`BadInput`.
        """
        pos = 0
        while True:
            take = min(self._need - len(self._held), len(chunk) - pos)
            self._held += chunk[pos : pos + take]
            pos += take
            if len(self._held) < self._need:
                return None
            if self._step():
                return bytes(self._held[self._at :]), chunk[pos:]

    @property
    def size(self) -> int:
        """Bytes of the head so far; where the data set begins once the head is complete."""
        return self._at

    def finish(self) -> None:
        """Raise :class:`BadInput`: the input ended inside the head. Two bytes of a group are enough to
        know.
        """
        if self._at < _PREFIX_END:
            raise BadInput("This is not a DICOM file: it is shorter than the preamble.")
        raise BadInput(f"There is no data set: the file ends at byte {len(self._held)}.")

    def _step(self) -> bool:
        """Consume one element of ``_held``, which has ``_need`` bytes; say whether the data set begins
        here.
        """
        held, at = self._held, self._at
        if at == 0:
            if held[128:132] != b"DICM":
                raise BadInput("This is not a DICOM file: the DICM prefix is missing.", "Export it as DICOM Part 10.")
            self._at, self._need = _PREFIX_END, _PREFIX_END + 8
            return False
        group, number, code, length = _SHORT.unpack_from(held, at)
        if group != 2:
            return True
        header = HEADERS.get(code)
        if header is None:
            raise BadInput(f"The file's meta information is malformed at byte {at}.")
        start = at + 8
        if header[1]:
            if len(held) < at + 12:
                self._need = at + 12
                return False
            length = _LONG.unpack_from(held, at + 8)[0]
            start = at + 12
        stop = start + length
        if stop > self._limit:
            raise BadInput(f"The file's meta information is too long, at byte {at}.")
        if len(held) < stop:
            self._need = stop
            return False
        if number:
            self.elements[f"{group:04X}{number:04X}"] = element(header[0], bytes(held[start:stop]), _DECODE)
        self._at, self._need = stop, stop + 8
        return False
