"""Small wrappers of a backend, each named after the harm it does to whoever reads or writes through it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from appliance.archive.backend import Backend, Draft
from appliance.errors import StorageFull


class Through:
    """Hands everything on unchanged."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner

    def draft(self) -> Draft:
        return self.inner.draft()

    def admit(self, object_id: str, object_draft: Draft, note_draft: Draft) -> None:
        self.inner.admit(object_id, object_draft, note_draft)

    def inbox(self) -> list[str]:
        return self.inner.inbox()

    def shelve(self, object_ids: Iterable[str]) -> None:
        self.inner.shelve(object_ids)

    def discard(self, object_ids: Iterable[str]) -> None:
        self.inner.discard(object_ids)

    def shelved(self) -> Iterator[str]:
        return self.inner.shelved()

    def erase(self, object_ids: Iterable[str]) -> None:
        self.inner.erase(object_ids)

    def note(self, object_id: str) -> BinaryIO:
        return self.harmed(self.inner.note(object_id))

    def object(self, object_id: str) -> BinaryIO:
        return self.harmed(self.inner.object(object_id))

    def decide(self, sealed: bytes, above: int = 0) -> str:
        return self.inner.decide(sealed, above)

    def decisions(self, after: str = "") -> Iterator[tuple[str, BinaryIO]]:
        for number, file in self.inner.decisions(after):
            yield number, self.harmed(file)

    def harmed(self, file: BinaryIO) -> BinaryIO:
        return file


class TruncatingBackend(Through):
    """Every file lacks its last byte."""

    def harmed(self, file: BinaryIO) -> BinaryIO:
        with file:
            return io.BytesIO(file.read()[:-1])


class FlipLastByteBackend(Through):
    """One bit of every file's last byte is wrong."""

    def harmed(self, file: BinaryIO) -> BinaryIO:
        with file:
            raw = bytearray(file.read())
        raw[-1] ^= 1
        return io.BytesIO(bytes(raw))


class SwappingBackend(Through):
    """Every file is another one of its kind, whole and sealed to the right people."""

    def note(self, object_id: str) -> BinaryIO:
        return self.inner.note(self._other(object_id))

    def object(self, object_id: str) -> BinaryIO:
        return self.inner.object(self._other(object_id))

    def _other(self, object_id: str) -> str:
        ids = sorted([*self.inner.shelved(), *self.inner.inbox()])
        return ids[(ids.index(object_id) + 1) % len(ids)]


class DiskFullBackend(Through):
    """Nothing can be written any more."""

    def draft(self) -> Draft:
        raise StorageFull("The disk is full; nothing was stored.")

    def decide(self, sealed: bytes, above: int = 0) -> str:
        raise StorageFull("The disk is full; nothing was stored.")
