"""Receiving one object: scan, seal, inbox, answer. Needs public keys only and decides nothing that needs memory.

The bytes are sealed as they arrive and scanned on the way, so that neither memory nor disk ever holds the whole of a
large upload in clear. Nothing is visible in the inbox before :meth:`Admission.finish` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.archive.backend import Backend
from appliance.clock import stamp
from appliance.dicom import note as notes
from appliance.dicom.note import Note, Source
from appliance.dicom.scan import Scanner
from appliance.dicom.scanned import Scanned
from appliance.dicom.uids import is_valid_uid
from appliance.errors import BadInput
from appliance.keyring.public import Epoch
from appliance.sealing.writer import SealingWriter

IDENTIFYING = {
    "SOPClassUID": "00080016",
    "SOPInstanceUID": "00080018",
    "StudyInstanceUID": "0020000D",
    "SeriesInstanceUID": "0020000E",
}


class OtherStudy(BadInput):
    """The object is sound, but belongs to another study than the one it was sent to."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was stored: the object's id and the UIDs it goes by."""

    object: str
    sop_class: str
    sop_instance: str
    study: str
    series: str


class Admission:
    """One object on its way into the inbox."""

    def __init__(self, archive: Backend, epoch: Epoch, source: Source, largest: int) -> None:
        """Begin; :class:`StorageFull` when there is no room. ``largest`` is in bytes of the Part 10 file."""
        self._archive = archive
        self._epoch = epoch
        self._source = source
        self._largest = largest
        self._size = 0
        self._scanner = Scanner(None)
        self._draft = archive.draft()
        self._writer = SealingWriter(self._draft, [epoch.images])

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of a Part 10 file.

        Raises :class:`BadInput` as soon as they cannot be one, :class:`StorageFull` when there is no room; then, too,
        :meth:`abandon` must be called.
        """
        self._size += len(chunk)
        if self._size > self._largest:
            raise BadInput(f"The object is larger than {self._largest >> 20} MiB.", "Ask for a higher limit.")
        self._scanner.feed(chunk)
        self._writer.write(chunk)

    def finish(self, moment: datetime, expected: tuple[str, str] | None = None, study: str | None = None) -> Receipt:
        """Make object and note durable in the inbox, then return.

        ``expected`` is the SOP class and instance that the sender announced, ``study`` the study it must belong to.
        Raises :class:`BadInput` for what is not an object, or not that one, :class:`OtherStudy` for one elsewhere.
        """
        scanned = self._scanner.finish()
        uids = _uids(scanned.attributes)
        if expected is not None and expected != (uids["SOPClassUID"], uids["SOPInstanceUID"]):
            raise BadInput("The data set is not the one that was announced.", "Check the sending equipment.")
        if study is not None and study != uids["StudyInstanceUID"]:
            raise OtherStudy("The data set belongs to another study.", "Upload it to its own study.")
        sealed = self._writer.finish()
        note = note_of(sealed.sha256, sealed.size, scanned, self._source, moment)
        receipt = Receipt(note.object, note.sop_class, note.sop_instance, note.study, note.series)
        note_draft = self._archive.draft()
        try:
            writer = SealingWriter(note_draft, [self._epoch.notes])
            writer.write(notes.to_bytes(note))
            writer.finish()
            self._archive.admit(receipt.object, self._draft, note_draft)
        finally:
            note_draft.abandon()
        return receipt

    def announced(self) -> tuple[str, str]:
        """Return SOP class and instance of what was written so far; two empty texts where one is missing or no UID."""
        try:
            attributes = self._scanner.attributes
            return _uid(attributes, "SOPClassUID", "00080016"), _uid(attributes, "SOPInstanceUID", "00080018")
        except BadInput:
            return "", ""

    def abandon(self) -> None:
        """Leave nothing behind; harmless after :meth:`finish`."""
        self._draft.abandon()


def note_of(object_id: str, size: int, scanned: Scanned, source: Source, moment: datetime) -> Note:
    """Return the note of an object of ``size`` bytes of plaintext; :class:`BadInput` when it lacks a UID."""
    uids = _uids(scanned.attributes)
    return Note(
        object=object_id,
        size=size,
        dataset_offset=scanned.dataset_offset,
        dataset_sha256=scanned.dataset_sha256,
        transfer_syntax=scanned.transfer_syntax,
        sop_class=uids["SOPClassUID"],
        sop_instance=uids["SOPInstanceUID"],
        study=uids["StudyInstanceUID"],
        series=uids["SeriesInstanceUID"],
        received=stamp(moment),
        source=source,
        attributes=scanned.attributes,
        bulk=scanned.bulk,
    )


def _uids(attributes: Mapping[str, Any]) -> dict[str, str]:
    return {keyword: _uid(attributes, keyword, tag) for keyword, tag in IDENTIFYING.items()}


def _uid(attributes: Mapping[str, Any], keyword: str, tag: str) -> str:
    values = attributes.get(tag, {}).get("Value", [])
    if len(values) != 1 or not is_valid_uid(str(values[0])):
        raise BadInput(f"{keyword} is missing or is not a UID.", "Send a complete DICOM object.")
    return str(values[0])
