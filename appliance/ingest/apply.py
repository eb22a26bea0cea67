"""Applying decisions to the shelves and to an index that already holds rows."""

from __future__ import annotations

from appliance.archive.backend import Backend
from appliance.dicom.decision import PATIENT_ID, Decision
from appliance.index.store import Index
from appliance.ingest.decision_book import DecisionBook
from appliance.ingest.note_reader import NoteReader
from appliance.logs import log

TOGETHER = 2000  # objects whose rows change in one transaction


class Applier:
    """Makes one index follow one book of decisions. Its caller holds the index lock."""

    def __init__(self, archive: Backend, index: Index, reader: NoteReader, book: DecisionBook) -> None:
        self._archive = archive
        self._index = index
        self._reader = reader
        self._book = book

    def follow(self, *, restored: bool = False) -> bool:
        """Apply what was decided and the index does not follow yet; return whether there was anything.

        The index keeps a mark of what it follows, set last: after a crash all is done again, which changes nothing.
        An index that followed decisions which are gone is emptied, made anew by catching up, and remembers that they
        are, unless they were only unreadable and are not any more. ``restored`` erases what was
        tombstoned long ago, too, since a backup may have brought it back.
        """
        self._book.refresh()
        present = self._index.applied()
        for known in (present, self._index.missed()):
            self._book.keep_above(known)
        wanted = self._book.applied()
        if restored or present != wanted:
            self._erase_tombstoned()
        if present == wanted:
            return False
        if present is not None and not self._book.begins_with(present):
            lacking = self._book.lacks(present)
            if lacking:
                log("index.decisions-lost", next="appliance check --deep")
            self.look_for_lost()
            self._index.start_over(present if lacking else None)
            present = None
        if present is not None or self._index.objects():
            for decision in self._book.taken[present.count if present else 0 :]:
                if decision is not None:
                    self._apply(decision)
        self._index.mark_applied(wanted)
        return True

    def look_for_lost(self) -> None:
        """Take out the rows of objects that vanished without a decision, and remember their studies until they return.

        Nothing makes up for them but a backup: a row that was dropped silently would have been their last trace.
        """
        there = {*self._archive.inbox(), *self._archive.shelved()}
        if lost := self._index.objects() - there:
            log("index.objects-lost", count=len(lost), next="appliance check --deep")
            self._index.lose(lost)
        tombstoned = self._book.decided.tombstoned
        if back := [one.object for one in self._index.lost() if one.object in there or one.object in tombstoned]:
            self._index.found(back)
        if (missed := self._index.missed()) and self._book.begins_with(missed):
            self._index.forget_missed()

    def _erase_tombstoned(self) -> None:
        """Delete in the reverse order of writing: the row, then note, object and renditions.

        The row first, in one transaction, so that a study is shown whole or not at all; the tombstone, which is durable
        before either, makes sure that what was begun is ended.
        """
        tombstoned = self._book.decided.tombstoned
        if tombstoned:
            self._index.remove(sorted(tombstoned & self._index.objects()))
            self._archive.erase(sorted(tombstoned))

    def _apply(self, decision: Decision) -> None:
        match decision.kind:
            case "quarantine":
                self._index.remove(decision.objects)
                self._bring_back()
            case "tombstone":
                self._index.found(decision.objects)
                self._bring_back()
            case "release" if decision.objects:
                self._bring_back()
            case "merge" if decision.patient:
                self._refresh_rows(self._index.objects_saying(decision.patient[PATIENT_ID]))
            case "merge" | "correction":
                self._refresh_rows(self._index.objects_below(decision.level, decision.uid))
            case _:
                pass  # A hold changes no row.

    def _refresh_rows(self, objects: set[str]) -> None:
        """Derive the rows of these objects afresh from their notes and every decision.

        The row of a note that cannot be read goes: it would go on showing what was corrected, a wrong patient's name.
        """
        listed = sorted(objects)
        for start in range(0, len(listed), TOGETHER):
            read, damaged = self._reader.read(listed[start : start + TOGETHER], "rebuild")
            for object_id in damaged:
                log("settle.damaged", object=object_id, next="appliance check --deep")
            notes = [self._book.decided.effective(note) for note in read]
            self._index.replace(listed[start : start + TOGETHER], notes)

    def _bring_back(self) -> None:
        """Index what is on a shelf and no longer hidden, for example the image that another one had displaced."""
        indexed = self._index.objects()
        hidden = self._book.decided.hidden
        for read, _ in self._reader.batches(
            [i for i in self._archive.shelved() if i not in indexed and not hidden(i)], "rebuild"
        ):
            self._index.add([self._book.decided.effective(note) for note in read])
