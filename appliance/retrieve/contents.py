"""The plaintext of one object as its note describes it: any range of it, opened chunk by chunk."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from appliance.dicom.note import Bulk
from appliance.dicom.syntaxes import DEFLATED
from appliance.errors import Damaged, NotFound
from appliance.index.rows import Entry
from appliance.sealing.reader import SealedReader

LARGEST_INFLATED = 1 << 30


class Contents:
    """One object opened for reading; a context manager that closes its file."""

    def __init__(self, file: BinaryIO, file_key: bytes, entry: Entry) -> None:
        self._file = file
        self._entry = entry
        self._inflated: bytes | None = None
        try:
            self._reader = SealedReader(file, file_key)
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> Contents:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the sealed file."""
        self._file.close()

    @property
    def size(self) -> int:
        """Return the length of the Part 10 file in bytes."""
        return self._reader.size

    def file(self) -> Iterator[bytes]:
        """Yield the Part 10 file as it was received."""
        return self._reader.chunks()

    def whole(self, limit: int) -> bytes:
        """Return the whole Part 10 file; :class:`Damaged` when it is longer than ``limit``."""
        return self._reader.read_all(limit)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes by the offsets of the note: of the file, or of the inflated data set where it is deflated."""
        if self._entry.transfer_syntax != DEFLATED:
            return self._reader.read_at(offset, length)
        if self._inflated is None:
            self._inflated = self._inflate()
        return self._inflated[offset : offset + length]

    def bulk(self, path: str) -> tuple[Bulk, bytes]:
        """Return a bulk value and where it lay; :class:`NotFound` when the object has no such one.

        Encapsulated pixel data comes as its items lie in the file, without their heads, one after the other.
        """
        bulk = self._entry.bulk.get(path)
        if bulk is None:
            raise NotFound("The object has no such bulk value.")
        if bulk.fragments is None:
            return bulk, self.read_at(bulk.offset, bulk.length)
        return bulk, b"".join(self.read_at(offset, length) for offset, length in bulk.fragments)

    def _inflate(self) -> bytes:
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        deflated = self._reader.read_at(self._entry.dataset_offset, self.size - self._entry.dataset_offset)
        try:
            inflated = engine.decompress(deflated, LARGEST_INFLATED)
        except zlib.error as error:
            raise Damaged("A deflated object cannot be inflated.", "Run: appliance check") from error
        if engine.unconsumed_tail:
            raise Damaged("A deflated object is too large.", "Retrieve it as it is stored.")
        return inflated
