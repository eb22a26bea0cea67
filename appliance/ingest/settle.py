"""Settling: judging what lies in the inbox, once notes can be read.

An image goes to the shelves and into the index; an identical copy is dropped; another image under the same
SOPInstanceUID is kept on the shelf but quarantined by a decision, never shown in place of the first. The order is
decision, index, shelves: after a crash at any point the next run ends in the same state, since an object is found in
the inbox as well as on its shelf. The shelves come last because syncing their many directories takes longer than all
else, and a reader who has just logged in waits for the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from appliance.archive.backend import Backend
from appliance.clock import stamp
from appliance.dicom.decision import Decision
from appliance.dicom.note import Note
from appliance.errors import EnvironmentProblem
from appliance.index.rows import Known
from appliance.index.store import Index
from appliance.ingest.apply import Applier
from appliance.ingest.decision_book import DecisionBook
from appliance.ingest.note_reader import BATCH, NoteReader
from appliance.keyring.client import AgentClient
from appliance.keyring.public import Epoch
from appliance.logs import log, log_unexpected


@dataclass(slots=True)
class Settled:
    """What one batch did, in objects; ``damaged`` lists the ids whose notes could not be read or indexed."""

    new: int = 0
    copies: int = 0
    quarantined: int = 0
    damaged: list[str] = field(default_factory=list)


class Settler:
    """Settles the inbox of one archive into one index. Its caller holds the index lock."""

    def __init__(self, archive: Backend, agent: AgentClient, token: str, index: Index, epoch: Epoch) -> None:
        self._archive = archive
        self._agent = agent
        self._token = token
        self._index = index
        self._damaged: set[str] = set()
        self.reader = NoteReader(archive, agent, token)
        self.book = DecisionBook(archive, self.reader, epoch)
        self._applier = Applier(archive, index, self.reader, self.book)

    def use(self, index: Index) -> None:
        """Go on with another index of the same archive."""
        self._index = index
        self._applier = Applier(self._archive, index, self.reader, self.book)

    def run(self, moment: datetime) -> Iterator[Settled]:
        """Settle all that is there now, batch by batch, yielding after each what it did; then fill the shelves.

        What waits is listed first and moved last: moving syncs hundreds of directories.
        """
        waiting = [i for i in self._archive.inbox() if i not in self._damaged]
        judged: list[str] = []
        for start in range(0, len(waiting), BATCH):
            self.follow()
            yield self._settle(waiting[start : start + BATCH], moment, judged)
        if judged:
            self._archive.shelve(judged)

    def try_damaged_again(self) -> None:
        """Look once more at what could not be read, for example because somebody else has logged in."""
        self._damaged.clear()

    def follow(self) -> bool:
        """Bring the index up to the decisions; return whether there were new ones."""
        return self._applier.follow()

    def catch_up(self, progress: Callable[[int, int], None] = lambda _done, _all: None) -> int:
        """Make the index what shelves and decisions say; return how many objects were added to it.

        This ends whatever was cut short - a settling, a deletion, a correction, a restore - and it is the whole of a
        rebuild when the index is empty. Tombstones come first.
        """
        self._applier.follow(restored=True)
        self._applier.look_for_lost()
        indexed = self._index.objects()
        missing = sorted(i for i in self._archive.shelved() if i not in indexed and not self.book.decided.hidden(i))
        count = 0
        for start in range(0, len(missing), BATCH):
            read, damaged = self.reader.read(missing[start : start + BATCH], "rebuild")
            count += self._add(read, damaged)
            _alarm(damaged)
            progress(start + len(read) + len(damaged), len(missing))
        return count

    def _settle(self, batch: list[str], moment: datetime, judged: list[str]) -> Settled:
        """Judge one batch; append to ``judged`` what belongs on the shelves."""
        decided = self.book.decided
        gone = [object_id for object_id in batch if object_id in decided.tombstoned]
        read, damaged = self.reader.read([i for i in batch if i not in decided.tombstoned], "settle")
        known = self._index.known([note.sop_instance for note in read])
        new: list[Note] = []
        copies: list[str] = []
        conflicts: list[str] = []
        for note in read:
            first = known.get(note.sop_instance)
            if note.object in decided.quarantined:
                conflicts.append(note.object)  # Decided before a crash kept it from the shelf.
            elif first is None:
                new.append(note)
                known[note.sop_instance] = Known(note.object, note.transfer_syntax, note.dataset_sha256)
            elif first.object == note.object:
                new.append(note)  # Indexed before a crash kept it from the shelf, or back from a backup.
            elif (first.transfer_syntax, first.dataset_sha256) == (note.transfer_syntax, note.dataset_sha256):
                copies.append(note.object)
            else:
                conflicts.append(note.object)
        undecided = [object_id for object_id in conflicts if object_id not in decided.quarantined]
        if undecided:
            self.book.write(Decision("quarantine", stamp(moment), "settle", objects=tuple(undecided)), self._record)
        self._add(new, damaged)
        judged.extend((*(note.object for note in new), *conflicts))
        if undecided:
            self._index.mark_applied(self.book.applied())  # It followed all before; these objects never had a row.
        if copies:
            self._archive.discard(copies)
        if gone:
            self._archive.erase(gone)
        self._damaged.update(damaged)
        _alarm(damaged)
        return Settled(len(new), len(copies), len(conflicts), damaged)

    def _record(self, kind: str, digest: str) -> None:
        self._agent.decide(self._token, kind, "", digest)

    def _add(self, notes: list[Note], damaged: list[str]) -> int:
        """Index these notes, return how many; one that the index cannot hold joins ``damaged`` and stops no other."""
        if not notes:
            return 0
        try:
            self._index.add([self.book.decided.effective(note) for note in notes])
            return len(notes)
        except EnvironmentProblem:
            raise
        except Exception as error:
            if len(notes) == 1:
                self._index.counts()  # Raises what is wrong with the index itself; then no note is to blame.
                log_unexpected(error)
                damaged.append(notes[0].object)
                return 0
        half = len(notes) // 2
        return self._add(notes[:half], damaged) + self._add(notes[half:], damaged)


def _alarm(damaged: list[str]) -> None:
    for object_id in damaged:
        log("settle.damaged", object=object_id, next="appliance check --deep")
