"""What decisions, taken in their order, make of notes: who is hidden, held or gone, and what is shown instead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from appliance.dicom.decision import IDENTITY, Decision
from appliance.dicom.matching import values_of
from appliance.dicom.note import Note


class Decided:
    """The outcome of every decision taken so far. Later ones see what earlier ones left.

    It depends on the decisions and their order alone, never on when a note arrives or in which order notes are read:
    an index that is rebuilt answers as the one that grew.
    """

    def __init__(self) -> None:
        self.tombstoned: set[str] = set()
        self.quarantined: set[str] = set()
        self.held: set[str] = set()
        self._changes: list[Decision] = []
        self._by_uid: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._by_patient: list[int] = []

    def take(self, decision: Decision) -> None:
        """Let the next decision take effect."""
        match decision.kind:
            case "tombstone":
                self.tombstoned.update(decision.objects)
            case "quarantine":
                self.quarantined.update(decision.objects)
            case "hold":
                self.held.add(decision.uid)
            case "release":
                self.quarantined.difference_update(decision.objects)
                self.held.discard(decision.uid)
            case "merge" | "correction":
                place = len(self._changes)
                self._changes.append(decision)
                if decision.patient:
                    self._by_patient.append(place)
                else:
                    self._by_uid[decision.level, decision.uid].append(place)

    @property
    def out_of_sight(self) -> set[str]:
        """The objects that are kept and not listed, since another one has their SOPInstanceUID."""
        return self.quarantined - self.tombstoned

    def hidden(self, object_id: str) -> bool:
        """Say whether an object is not listed."""
        return object_id in self.quarantined or object_id in self.tombstoned

    def effective(self, note: Note) -> Note:
        """Return the note with the attributes that are shown and searched; the object stays as it was received."""
        places = [
            place
            for name in (("study", note.study), ("series", note.series), ("instance", note.sop_instance))
            for place in self._by_uid.get(name, ())
        ]
        if not places and not self._by_patient:
            return note
        attributes: dict[str, Any] = dict(note.attributes)
        for place in sorted([*places, *self._by_patient]):
            _change(attributes, self._changes[place])
        return replace(note, attributes={tag: attributes[tag] for tag in sorted(attributes)})


def _change(attributes: dict[str, Any], decision: Decision) -> None:
    if decision.kind == "merge":
        if decision.patient and not _is_patient(attributes, decision.patient):
            return
        for tag in IDENTITY & attributes.keys():
            del attributes[tag]
    attributes.update(decision.attributes)


def _is_patient(attributes: Mapping[str, Any], patient: Mapping[str, str]) -> bool:
    return all(_identity_text(attributes.get(tag)) == text for tag, text in patient.items())


def _identity_text(element: Any) -> str:
    """Return the first value as text: of a name its first component group that is not empty (PS3.5 6.2.1)."""
    for value in values_of(element):
        if isinstance(value, Mapping):
            groups = (str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic"))
            return next((group for group in groups if group), "")
        return "" if value is None else str(value).strip(" ")
    return ""
