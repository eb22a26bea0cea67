"""The decisions of one archive, read in order as they come and written one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from appliance.archive.backend import Backend
from appliance.dicom import decision as decisions
from appliance.dicom.decided import Decided
from appliance.dicom.decision import Decision
from appliance.errors import BadInput, Damaged, NotLoggedIn, Refused
from appliance.index.rows import Applied
from appliance.ingest.note_reader import BATCH, LARGEST_NOTE, NoteReader
from appliance.keyring.public import Epoch
from appliance.logs import log
from appliance.sealing.writer import seal

WITH_DAMAGE, NUMBER = "damaged:", "@"
NONE = hashlib.sha256(b"").hexdigest()


class DecisionBook:
    """What was decided, and a digest for every beginning of the list.

    A decision that cannot be read is passed over with an alarm; its bytes still count in the digest, so an index that
    followed it while it was whole is made anew without it, as a rebuild would make it. The digest of a list with such
    a decision in it says so: once the decision is restored that list never comes back, and nothing of it is missing.
    """

    def __init__(self, archive: Backend, reader: NoteReader, epoch: Epoch) -> None:
        self._archive = archive
        self._reader = reader
        self._epoch = epoch
        self._last = ""
        self._floor = 0
        self._digests = [NONE]
        self.decided = Decided()
        self.unreadable: list[str] = []
        self.taken: list[Decision | None] = []

    def refresh(self) -> None:
        """Read what was decided since the last time."""
        names: list[str] = []
        sealed: list[bytes] = []
        for name, file in self._archive.decisions(self._last):
            with file:
                names.append(name)
                sealed.append(file.read(LARGEST_NOTE))
            if len(names) == BATCH:
                self._take(names, sealed)
                names, sealed = [], []
        self._take(names, sealed)

    def write(self, decision: Decision, record: Callable[[str, str], None]) -> None:
        """Have a decision recorded, append it durably, then let it take effect here.

        ``record`` takes its kind and the SHA-256 of its sealed bytes and returns once the audit line is durable; what
        it raises leaves nothing behind.
        """
        sealed = seal(decisions.to_bytes(decision), [self._epoch.notes])
        record(decision.kind, hashlib.sha256(sealed).hexdigest())
        self._archive.decide(sealed, self._floor)
        self.refresh()

    def applied(self) -> Applied:
        """Return the mark of an index that follows all of it: with the highest number that was given so far."""
        highest = max(self._floor, int(self._last or 0))
        return Applied(len(self._digests) - 1, f"{self._digests[-1]}{NUMBER}{highest}")

    def keep_above(self, applied: Applied | None) -> None:
        """Give no number again that an index knows of, be its decision there or lost."""
        if applied is not None:
            self._floor = max(self._floor, int(applied.digest.partition(NUMBER)[2] or applied.count))

    def begins_with(self, applied: Applied) -> bool:
        """Say whether an index that followed ``applied`` followed a beginning of this list."""
        digest = applied.digest.partition(NUMBER)[0]
        return applied.count < len(self._digests) and self._digests[applied.count] == digest

    def lacks(self, applied: Applied) -> bool:
        """Say whether decisions that an index followed are gone: the list is not what it was, nor was it mended."""
        mended = applied.digest.startswith(WITH_DAMAGE) and applied.count < len(self._digests)
        return not mended and not self.begins_with(applied)

    def _take(self, names: list[str], sealed: list[bytes]) -> None:
        for name, raw, decision in zip(names, sealed, self._open(sealed), strict=True):
            if decision is None:
                log("decision.damaged", number=name)
                self.unreadable.append(name)
            else:
                self.decided.take(decision)
            self.taken.append(decision)
            step = f"{self._digests[-1]}\n{name}\n{hashlib.sha256(raw).hexdigest()}"
            mark = WITH_DAMAGE if self.unreadable else ""
            self._digests.append(mark + hashlib.sha256(step.encode()).hexdigest())
            self._last = name

    def _open(self, sealed: list[bytes]) -> list[Decision | None]:
        try:
            return [decisions.from_bytes(raw) for raw in self._reader.open_small(sealed, "rebuild")]
        except NotLoggedIn:
            raise
        except (BadInput, Damaged, Refused):
            if len(sealed) == 1:
                return [None]
        half = len(sealed) // 2
        return self._open(sealed[:half]) + self._open(sealed[half:])
