"""Taking decisions: what people lay down about images, durable before anything follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from appliance.archive.files import FileBackend
from appliance.archive.lone import lone_objects
from appliance.clock import stamp
from appliance.dicom.decision import PATIENT_ID, Decision
from appliance.dicom.note import Note
from appliance.errors import Damaged, NotFound, Refused
from appliance.index.rows import StudyRow
from appliance.index.store import Index
from appliance.ingest.index_file import index_key, index_lock
from appliance.ingest.settle import Settler
from appliance.keyring.client import AgentClient
from appliance.keyring.public import current_epoch
from appliance.paths import StatePaths

UNKNOWN = "There is no such study, or nothing of what the decision names."
LOOK = "See: appliance study list"


class Decider:
    """Decisions of one person on an archive that is settled, with the index locked for everybody else."""

    def __init__(
        self,
        settler: Settler,
        index: Index,
        archive: FileBackend,
        paths: StatePaths,
        person: str,
        record: Callable[[str, str, str], None],
    ) -> None:
        """``record`` takes a kind, the opaque key of a study and the digest of the sealed decision.

        It returns once the audit line is durable, or raises :class:`Refused` for who may not decide that.
        """
        self._record = record
        self._settler = settler
        self._index = index
        self._archive = archive
        self._paths = paths
        self.person = person

    def studies(self, text: str, offset: int, limit: int) -> tuple[int, list[StudyRow]]:
        """Return how many studies fit the words of ``text``, and one page of them."""
        return self._index.studies(text, offset=offset, limit=limit)

    def held(self, study: str) -> bool:
        """Say whether the study with this UID must not be deleted."""
        return study in self._settler.book.decided.held

    def quarantined(self) -> list[Note]:
        """Return the notes of images that are kept out of sight because another one has their SOPInstanceUID."""
        hidden = sorted(self._settler.book.decided.out_of_sight)
        return [note for read, _ in self._settler.reader.batches(hidden, "rebuild") for note in read]

    @property
    def unreadable(self) -> list[str]:
        """The numbers of decisions that cannot be read: what they said is not followed."""
        return list(self._settler.book.unreadable)

    def hold(self, study: str, moment: datetime, reason: str = "") -> None:
        """Forbid the deletion of a study."""
        self.take(Decision("hold", stamp(moment), self.person, uid=study, reason=reason))

    def release(self, study: str, moment: datetime, reason: str = "") -> None:
        """Allow the deletion of a study again."""
        if not self.held(study):
            raise NotFound("This study is not held.", LOOK)
        self.take(Decision("release", stamp(moment), self.person, uid=study, reason=reason))

    def delete(self, study: str, moment: datetime, reason: str = "") -> int:
        """Delete a study for good, quarantined and lost images of it included; return how many objects that were.

        A lost image is deleted, too, when a backup brings it back. :class:`Refused` while the study is held. Nothing is
        deleted before the tombstone is durable.
        """
        self._refuse_unknown()
        lost = {one.object for one in self._index.lost() if one.study == study}
        objects = self._index.objects_below("study", study) | self._unlisted(study) | lost
        decision = Decision(
            "tombstone", stamp(moment), self.person, objects=tuple(sorted(objects)), uid=study, reason=reason
        )
        self.take(decision)
        return len(objects)

    def take(self, decision: Decision) -> None:
        """Have a decision allowed and recorded by the key agent, make it durable, then follow it.

        :class:`Refused` for who may not decide this, or for a study that is held; :class:`NotFound` when the archive
        has nothing of what the decision names, which is a slip of the pen; :class:`Damaged` for a deletion while what
        might forbid it cannot be read.
        """
        self._require_target(decision)
        if decision.kind == "tombstone":
            self._refuse_held(decision)
        named = decision.uid if decision.level == "study" else ""
        study = self._index.study_key(named) if named else ""
        self._settler.book.write(decision, lambda kind, digest: self._record(kind, study, digest))
        self._settler.follow()

    def _require_target(self, decision: Decision) -> None:
        if decision.patient:
            found = bool(self._index.objects_saying(decision.patient[PATIENT_ID]))
        elif decision.objects:
            lost = {one.object for one in self._index.lost()}
            found = set(decision.objects) <= {*self._archive.shelved(), *lost}
        else:
            found = bool(self._index.objects_below(decision.level, decision.uid))
            found = found or (decision.kind == "release" and self.held(decision.uid))
        if not found or (decision.kind == "tombstone" and not decision.objects):
            raise NotFound(UNKNOWN, LOOK)

    def _refuse_held(self, decision: Decision) -> None:
        if self.unreadable:
            raise Damaged(
                f"Decision {self.unreadable[0]} cannot be read and may hold the study; nothing was deleted.",
                "Restore decisions/ from a backup.",
            )
        if self._index.missed() is not None:
            raise Damaged(
                "A decision is missing and may have held the study; nothing was deleted.",
                "Restore decisions/ from a backup; if there is none: appliance index rebuild --give-up",
            )
        held = self._settler.book.decided.held
        if not held:
            return
        lost = {one.object: one.study for one in self._index.lost()}
        studies = {lost[object_id] for object_id in decision.objects if object_id in lost}
        whole = [object_id for object_id in decision.objects if object_id not in lost]
        for read, damaged in self._settler.reader.batches(whole, "rebuild"):
            studies |= {note.study for note in read}
            if damaged:
                raise Damaged(
                    f"The note of {damaged[0]} cannot be read, its study may be held; nothing was deleted.",
                    "Run: appliance check --deep",
                )
        if studies & held:
            raise Refused("The study is held; nothing was deleted.", "Release it first: appliance study release UID")

    def _refuse_unknown(self) -> None:
        """Raise :class:`Damaged` while an object lies there without its note, of which nobody knows the study."""
        known = {one.object for one in self._index.lost()} | self._settler.book.decided.tombstoned
        if unknown := sorted(set(lone_objects(self._paths)) - known):
            raise Damaged(
                f"The note of {unknown[0]} is gone, it may belong to the study; nothing was deleted.",
                "Run: appliance check --deep --repair",
            )

    def _unlisted(self, study: str) -> set[str]:
        """Return the objects of a study that have no row: quarantined, or displaced by another image."""
        indexed = self._index.objects()
        unlisted = [object_id for object_id in self._archive.shelved() if object_id not in indexed]
        return {
            note.object
            for read, _ in self._settler.reader.batches(unlisted, "rebuild")
            for note in read
            if note.study == study
        }


@contextmanager
def deciding(
    paths: StatePaths,
    archive: FileBackend,
    agent: AgentClient,
    token: str,
    person: str,
    moment: datetime,
) -> Iterator[Decider]:
    """Yield a decider once all that has arrived is settled, for the person whose session ``token`` is.

    Arrivals wait in the inbox meanwhile; the pages go on reading and follow what was decided.
    """
    job = agent.job()
    try:
        key = index_key(paths, agent, job)
        with index_lock(paths):
            index = Index.open(paths.index_db, key)
            try:
                settler = Settler(archive, agent, job, index, current_epoch(paths))
                settler.catch_up()
                for _ in settler.run(moment):
                    pass

                def record(kind: str, study: str, digest: str) -> None:
                    agent.decide(token, kind, study, digest)

                yield Decider(settler, index, archive, paths, person, record)
            finally:
                index.close()
    finally:
        agent.logout(job)
