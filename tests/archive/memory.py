"""A backend in memory that keeps the contract of ``appliance.archive.backend``: a simulator, not a mock."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from appliance.archive.backend import Draft
from appliance.archive.files import checked
from appliance.errors import Damaged, NotFound, StorageFull


class MemoryDraft:
    """Bytes that nobody sees yet."""

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend
        self.data = bytearray()

    def write(self, data: bytes | memoryview) -> int:
        self._backend.take_room(len(data))
        self.data += data
        return len(data)

    def abandon(self) -> None:
        if self in self._backend.drafts:
            self._backend.drafts.remove(self)
            self._backend.room += len(self.data)


class MemoryBackend:
    """Pairs of object and note in dictionaries; ``room`` is how many bytes still fit."""

    def __init__(self, room: int = 1 << 40) -> None:
        self.room = room
        self.drafts: list[MemoryDraft] = []
        self.waiting: dict[str, tuple[bytes, bytes]] = {}
        self.shelves: dict[str, tuple[bytes, bytes]] = {}
        self.decided: dict[str, bytes] = {}

    def take_room(self, size: int) -> None:
        if size > self.room:
            raise StorageFull("The disk is full; nothing was stored.")
        self.room -= size

    def draft(self) -> MemoryDraft:
        self.take_room(0 if self.room else 1)
        self.drafts.append(MemoryDraft(self))
        return self.drafts[-1]

    def admit(self, object_id: str, object_draft: Draft, note_draft: Draft) -> None:
        if not isinstance(object_draft, MemoryDraft) or not isinstance(note_draft, MemoryDraft):
            raise TypeError("A draft of another backend cannot be admitted.")
        self.waiting[checked(object_id)] = bytes(object_draft.data), bytes(note_draft.data)
        for draft in (object_draft, note_draft):
            self.drafts.remove(draft)

    def inbox(self) -> list[str]:
        return list(self.waiting)

    def shelve(self, object_ids: Iterable[str]) -> None:
        for object_id in object_ids:
            if object_id in self.waiting:
                self.shelves[object_id] = self.waiting.pop(object_id)
            elif object_id not in self.shelves:
                raise Damaged("Something vanished from the inbox.")

    def discard(self, object_ids: Iterable[str]) -> None:
        for object_id in object_ids:
            self.waiting.pop(object_id, None)

    def shelved(self) -> Iterator[str]:
        yield from list(self.shelves)

    def erase(self, object_ids: Iterable[str]) -> None:
        for object_id in object_ids:
            self.waiting.pop(checked(object_id), None)
            self.shelves.pop(object_id, None)

    def note(self, object_id: str) -> BinaryIO:
        return io.BytesIO(self._pair(object_id)[1])

    def object(self, object_id: str) -> BinaryIO:
        return io.BytesIO(self._pair(object_id)[0])

    def decide(self, sealed: bytes, above: int = 0) -> str:
        self.take_room(len(sealed))
        number = f"{max(above, int(max(self.decided, default='0'))) + 1:08d}"
        self.decided[number] = sealed
        return number

    def decisions(self, after: str = "") -> Iterator[tuple[str, BinaryIO]]:
        for number in sorted(self.decided):
            if number > after:
                yield number, io.BytesIO(self.decided[number])

    def _pair(self, object_id: str) -> tuple[bytes, bytes]:
        pair = self.shelves.get(checked(object_id)) or self.waiting.get(object_id)
        if pair is None:
            raise NotFound("The archive has no such object.")
        return pair
