"""Reading a sealed file from anywhere in it.

Chunk i is readable alone, so a range costs the chunks it touches. No byte leaves before its chunk has
verified.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Iterator
from typing import Protocol

from cryptography.exceptions import InvalidTag

from appliance.errors import BadInput, Damaged
from appliance.sealing.derive import payload_cipher, verify_header
from appliance.sealing.header import FILE_KEY_SIZE, read_header
from appliance.sealing.stream import (
    CHUNK_SIZE,
    NONCE_SIZE,
    SEALED_CHUNK_SIZE,
    TAG_SIZE,
    Layout,
    chunk_nonce,
    layout_of,
)

_CACHED_CHUNKS = 2
_CHUNKS_A_READ = 8


class Source(Protocol):
    """A binary file that can seek."""

    def read(self, size: int, /) -> bytes: ...

    def readline(self, size: int = -1, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...


class SealedReader:
    """The plaintext of one sealed file, for one thread at a time.

    ``source`` is the whole file from its header on. Opening verifies the header's MAC and the last chunk,
    whose flag authenticates the length: a file cut at a chunk's edge is noticed before a range of it is read.
    Everything raises :class:`Damaged` for what does not verify, a key that belongs to another file included.
    """

    def __init__(self, source: Source, file_key: bytes) -> None:
        if len(file_key) != FILE_KEY_SIZE:
            raise BadInput("A file key has 16 bytes.")
        self._source = source
        source.seek(0)
        self.header = read_header(source)
        verify_header(file_key, self.header)
        nonce = self._read(len(self.header.raw), NONCE_SIZE)
        self._start = len(self.header.raw) + NONCE_SIZE
        self._cipher = payload_cipher(file_key, nonce)
        self._layout: Layout = layout_of(source.seek(0, io.SEEK_END) - self._start)
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._chunk(self._layout.chunks - 1)

    @property
    def size(self) -> int:
        """The length of the plaintext in bytes, authenticated."""
        return self._layout.size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``, fewer only at the end of the plaintext, as a slice
        would.

        Raises :class:`BadInput` for negative numbers, :class:`Damaged` if any chunk in the range does not
        verify.
        """
        if offset < 0 or length < 0:
            raise BadInput("A range of bytes cannot be negative.")
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        first, last = offset // CHUNK_SIZE, (end - 1) // CHUNK_SIZE
        if first == last:
            start = first * CHUNK_SIZE
            return self._chunk(first)[offset - start : end - start]
        # BytesIO hands its buffer over without a copy; on a damaged chunk it is dropped with all it holds.
        collected = io.BytesIO()
        for index, chunk in enumerate(self._span(first, last + 1), first):
            start = index * CHUNK_SIZE
            collected.write(memoryview(chunk)[max(0, offset - start) : end - start])
        return collected.getvalue()

    def read_all(self, limit: int) -> bytes:
        """Return the whole plaintext; :class:`BadInput` if it is longer than ``limit`` bytes."""
        if self.size > limit:
            raise BadInput("This sealed file is larger than what is read at once here.")
        return self.read_at(0, self.size)

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole plaintext in order, 64 KiB at a time; an empty plaintext yields nothing.

        What was yielded is verified; what follows may still raise :class:`Damaged`.
        """
        for chunk in self._span(0, self._layout.chunks):
            if chunk:
                yield chunk

    def _span(self, first: int, stop: int) -> Iterator[bytes]:
        """Yield chunks ``first`` to ``stop - 1``, reading several at once and caching none."""
        while first < stop:
            count = min(_CHUNKS_A_READ, stop - first)
            length = (count - 1) * SEALED_CHUNK_SIZE + self._layout.sealed_length(first + count - 1)
            view = memoryview(self._read(self._start + first * SEALED_CHUNK_SIZE, length))
            for i in range(count):
                yield self._open(first + i, view[i * SEALED_CHUNK_SIZE : (i + 1) * SEALED_CHUNK_SIZE])
            first += count

    def _chunk(self, index: int) -> bytes:
        cached = self._cache.get(index)
        if cached is not None:
            self._cache.move_to_end(index)
            return cached
        sealed = self._read(self._start + index * SEALED_CHUNK_SIZE, self._layout.sealed_length(index))
        chunk = self._open(index, sealed)
        self._cache[index] = chunk
        if len(self._cache) > _CACHED_CHUNKS:
            self._cache.popitem(last=False)
        return chunk

    def _open(self, index: int, sealed: bytes | memoryview) -> bytes:
        nonce = chunk_nonce(index, last=index == self._layout.chunks - 1)
        try:
            return self._cipher.decrypt(nonce, sealed, None)
        except InvalidTag:
            raise Damaged(
                "A sealed file does not verify: it was altered or cut short.", "Run: appliance check"
            ) from None

    def _read(self, offset: int, length: int) -> bytes:
        self._source.seek(offset)
        data = self._source.read(length)
        while len(data) < length:
            more = self._source.read(length - len(data))
            if not more:
                raise Damaged("A sealed file is cut short.", "Run: appliance check")
            data += more
        return data


def open_sealed(sealed: bytes, file_key: bytes) -> bytes:
    """Return the plaintext of a whole sealed file that fits in memory; :class:`Damaged` if it does not verify."""
    return SealedReader(io.BytesIO(sealed), file_key).read_all(max(0, len(sealed) - TAG_SIZE))
