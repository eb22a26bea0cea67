"""Settling: judging what lies in the inbox, once notes can be read.

An image goes to the shelves and into the index; an identical copy is dropped; another image under the same
SOPInstanceUID is kept on the shelf but quarantined by a decision, never shown in place of the first. The order is
decision, index, shelves: after a crash at any point the next run ends in the same state, since an object is found in
the inbox as well as on its shelf. The shelves come last because syncing their many directories takes longer than all
else, and a reader who has just logged in waits for the list.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from appliance.archive.backend import Backend
from appliance.clock import stamp
from appliance.dicom import note as notes
from appliance.dicom.note import Note
from appliance.errors import Damaged, NotFound, Refused
from appliance.index.rows import Known
from appliance.index.store import Index
from appliance.keyring.client import AgentClient
from appliance.keyring.public import Epoch
from appliance.logs import log
from appliance.sealing.header import read_header
from appliance.sealing.reader import SealedReader
from appliance.sealing.writer import seal

BATCH = 250
LARGEST_NOTE = 64 * 1024 * 1024


@dataclass(slots=True)
class Settled:
    """What one run did, in objects; ``damaged`` lists the ids whose notes could not be read."""

    new: int = 0
    copies: int = 0
    quarantined: int = 0
    damaged: list[str] = field(default_factory=list)


class Settler:
    """Settles the inbox of one archive into one index."""

    def __init__(self, archive: Backend, agent: AgentClient, token: str, index: Index, epoch: Epoch) -> None:
        self._archive = archive
        self._agent = agent
        self._token = token
        self._index = index
        self._epoch = epoch
        self._damaged: set[str] = set()

    def use(self, index: Index) -> None:
        """Go on with another index of the same archive."""
        self._index = index

    def run(self, moment: datetime) -> Iterator[Settled]:
        """Settle all that is there now, batch by batch, yielding after each what it did; then fill the shelves."""
        waiting = iter([i for i in self._archive.inbox() if i not in self._damaged])
        judged: list[str] = []
        while batch := list(islice(waiting, BATCH)):
            yield self._settle(batch, moment, judged)
        if judged:
            self._archive.shelve(judged)

    def catch_up(self, progress: Callable[[int, int], None] = lambda _done, _all: None) -> int:
        """Index what is on a shelf and neither indexed nor quarantined; return how many objects that were.

        This ends a settling that was cut short, and it is the whole of a rebuild when the index is empty.
        """
        indexed, quarantined = self._index.objects(), self.quarantined()
        missing = [i for i in self._archive.shelved() if i not in indexed and i not in quarantined]
        rest = iter(missing)
        count = 0
        while batch := list(islice(rest, BATCH)):
            read, _ = self._read(batch, "rebuild")
            self._index.add(read)
            count += len(read)
            progress(count, len(missing))
        return count

    def quarantined(self) -> set[str]:
        """Return the ids of all objects that a decision keeps out of the index."""
        numbers, sealed = [], []
        for number, file in self._archive.decisions():
            with file:
                numbers.append(number)
                sealed.append(file.read(LARGEST_NOTE))
        found = set()
        for raw in self._open_decisions(sealed):
            decision = json.loads(raw)
            if decision.get("kind") == "quarantine":
                found.add(str(decision["object"]))
        return found

    def _settle(self, batch: list[str], moment: datetime, judged: list[str]) -> Settled:
        """Judge one batch; append to ``judged`` what belongs on the shelves."""
        read, damaged = self._read(batch, "settle")
        self._damaged.update(damaged)
        known = self._index.known([note.sop_instance for note in read])
        new: list[Note] = []
        copies: list[str] = []
        conflicts: list[Note] = []
        for note in read:
            first = known.get(note.sop_instance)
            if first is None:
                new.append(note)
                known[note.sop_instance] = Known(note.object, note.dataset_sha256)
            elif first.object == note.object:
                new.append(note)  # A crash came between index and shelf.
            elif first.dataset_sha256 == note.dataset_sha256:
                copies.append(note.object)
            else:
                conflicts.append(note)
        for note in conflicts:
            self._decide({"kind": "quarantine", "object": note.object, "at": stamp(moment), "by": "settle"})
        if new:
            self._index.add(new)
        judged.extend(note.object for note in (*new, *conflicts))
        if copies:
            self._archive.discard(copies)
        for object_id in damaged:
            log("settle.damaged", object=object_id)
        return Settled(len(new), len(copies), len(conflicts), damaged)

    def _decide(self, decision: dict[str, str]) -> None:
        raw = json.dumps({"version": 1, **decision}).encode()
        self._archive.decide(seal(raw, [self._epoch.notes]))

    def _read(self, batch: Sequence[str], purpose: str) -> tuple[list[Note], list[str]]:
        """Return the notes of ``batch`` and the ids of those that cannot be read."""
        try:
            return self._read_all(batch, purpose), []
        except (Damaged, Refused, NotFound):
            if len(batch) == 1:
                return [], list(batch)
        half = len(batch) // 2
        first, first_damaged = self._read(batch[:half], purpose)
        second, second_damaged = self._read(batch[half:], purpose)
        return first + second, first_damaged + second_damaged

    def _read_all(self, batch: Sequence[str], purpose: str) -> list[Note]:
        headers = []
        for object_id in batch:
            with self._archive.note(object_id) as file:
                headers.append(read_header(file).raw)
        keys = self._agent.unwrap(self._token, purpose, "", headers)
        found = []
        for object_id, key in zip(batch, keys, strict=True):
            with self._archive.note(object_id) as file:
                note = notes.from_bytes(SealedReader(file, key).read_all(LARGEST_NOTE))
            if note.object != object_id:
                raise Damaged("A note belongs to another object.", "Run: appliance check")
            found.append(note)
        return found

    def _open_decisions(self, sealed: list[bytes]) -> list[bytes]:
        if not sealed:
            return []
        keys = self._agent.unwrap(self._token, "rebuild", "", [read_header(io.BytesIO(raw)).raw for raw in sealed])
        return [
            SealedReader(io.BytesIO(raw), key).read_all(LARGEST_NOTE) for raw, key in zip(sealed, keys, strict=True)
        ]
