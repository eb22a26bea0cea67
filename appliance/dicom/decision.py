"""The decision: what people or the sorting desk laid down about images already received, kept as a sealed note.

Received bytes are never changed; a decision changes what is shown and found. Its kinds:

``merge``       images of one patient identity, or of one study, are shown under another identity
``correction``  attribute values shown instead of the received ones, for a study, series or instance
``hold``        a study that must not be deleted until it is released
``quarantine``  an object that is kept and not listed until it is released
``release``     ends a hold (names the study) or a quarantine (names the object)
``tombstone``   objects that are deleted for good, should they ever come back from a backup
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

from appliance.dicom.uids import is_valid_uid
from appliance.errors import BadInput, Damaged

VERSION: Final = 1
Kind = Literal["merge", "correction", "hold", "quarantine", "release", "tombstone"]
Level = Literal["study", "series", "instance"]
KINDS: Final = frozenset(get_args(Kind))
LEVELS: Final = frozenset(get_args(Level))
# Who a patient is (PS3.3 C.7.1.1): replaced as one group, so that two people's data never make a third person.
IDENTITY: Final = frozenset(
    f"0010{number:04X}" for number in (0x10, 0x20, 0x21, 0x22, 0x24, 0x30, 0x32, 0x33, 0x34, 0x35, 0x40)
)
PATIENT_ID: Final = "00100020"
LONGEST_REASON: Final = 2000
MOST_OBJECTS: Final = 1_000_000
MOST_ATTRIBUTES: Final = 200
LONGEST_VALUE: Final = 10_240  # the longest value of VR LT (PS3.5 6.2)

_OBJECT = re.compile(r"[0-9a-f]{64}")
_TAG = re.compile(r"[0-9A-F]{8}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
# Text, dates and numbers can be corrected; sequences, UIDs and binary values are what the object says.
_VRS = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"})
# How pixels are read, the character set, and UIDs that an object goes by: no correction may touch them.
_FIXED_GROUPS = ("0002", "0004", "0028", "5400", "7FE0", "FFFE")
_FIXED_TAGS = frozenset({"00080005", "00080016", "00080018", "0020000D", "0020000E"})
_PN_GROUPS = frozenset({"Alphabetic", "Ideographic", "Phonetic"})


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision; fields that its kind does not use are empty.

    ``at`` is RFC 3339 in UTC with milliseconds, ``by`` a person's id or ``settle``. ``objects`` are ids of objects
    (SHA-256 of their ciphertext), ``uid`` a UID at ``level``. ``attributes`` is a data set in the DICOM JSON model:
    of a correction the values to show (an element without value shows none), of a merge the identity to show.
    ``patient`` names the identity that a merge ends, by tags of :data:`IDENTITY` as text, PatientID among them.
    """

    kind: Kind
    at: str
    by: str
    objects: tuple[str, ...] = ()
    level: Level = "study"
    uid: str = ""
    patient: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


def to_bytes(decision: Decision) -> bytes:
    """Return the decision as UTF-8 JSON, the plaintext that gets sealed."""
    body: dict[str, Any] = {"version": VERSION}
    body.update({name: getattr(decision, name) for name in Decision.__slots__ if getattr(decision, name)})
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def from_bytes(raw: bytes) -> Decision:
    """Parse what :func:`to_bytes` wrote; raise :class:`Damaged` for anything else."""
    try:
        body = json.loads(raw)
        if not isinstance(body, dict):
            raise BadInput("A decision is not an object.")
        version = body.pop("version", None)
        if type(version) is not int or version != VERSION:
            raise Damaged("A decision has an unknown version.", "Update the appliance.")
        return parse(body)
    except (ValueError, RecursionError, BadInput) as error:
        raise Damaged("A decision cannot be read.", "Run: appliance check") from error


def parse(body: Mapping[str, Any]) -> Decision:
    """Return the decision that a JSON object describes; :class:`BadInput` says what is wrong with it."""
    unknown = body.keys() - set(Decision.__slots__)
    if unknown:
        raise BadInput("A decision has a field that is not known.", "See docs/decisions-on-images.md.")
    kind, level = body.get("kind"), body.get("level", "study")
    if not isinstance(kind, str) or not isinstance(level, str) or kind not in KINDS or level not in LEVELS:
        raise BadInput("A decision is of a kind or level that is not known.", "See docs/decisions-on-images.md.")
    decision = Decision(
        kind=cast(Kind, kind),
        at=_text(body, "at", 40),
        by=_text(body, "by", 64),
        objects=_objects(body.get("objects", ())),
        level=cast(Level, level),
        uid=_text(body, "uid", 64),
        patient=_patient(body.get("patient", {})),
        attributes=_attributes(body.get("attributes", {})),
        reason=_text(body, "reason", LONGEST_REASON),
    )
    if not _MOMENT.fullmatch(decision.at) or not decision.by:
        raise BadInput("A decision does not say when or by whom it was taken.")
    if decision.uid and not is_valid_uid(decision.uid):
        raise BadInput("A decision names something that is not a UID.")
    if not _FITS[decision.kind](decision):
        raise BadInput(f"A {decision.kind} lacks what it needs, or has what it cannot use.", "See the manual.")
    return decision


def _merge_fits(d: Decision) -> bool:
    target = bool(d.patient) != bool(d.uid)  # one of the two
    named = PATIENT_ID not in d.patient if d.patient else False
    values = d.attributes.get(PATIENT_ID, {}).get("Value", [])
    inside = d.attributes.keys() <= IDENTITY
    return target and not named and inside and bool(values and values[0]) and d.level == "study" and not d.objects


def _correction_fits(d: Decision) -> bool:
    allowed = all(tag not in _FIXED_TAGS and not tag.startswith(_FIXED_GROUPS) for tag in d.attributes)
    return bool(d.uid and d.attributes) and allowed and not d.patient and not d.objects


def _study_fits(d: Decision) -> bool:
    return bool(d.uid) and d.level == "study" and not (d.objects or d.patient or d.attributes)


def _objects_fit(d: Decision) -> bool:
    return bool(d.objects) and not (d.patient or d.attributes)


_FITS: Final[dict[str, Callable[[Decision], bool]]] = {
    "merge": _merge_fits,
    "correction": _correction_fits,
    "hold": _study_fits,
    "quarantine": lambda d: _objects_fit(d) and not d.uid,
    "release": lambda d: _study_fits(d) or (_objects_fit(d) and not d.uid),
    "tombstone": lambda d: _objects_fit(d) and d.level == "study",
}


def _text(body: Mapping[str, Any], name: str, longest: int) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > longest:
        raise BadInput(f"The field {name} of a decision is not a text of at most {longest} characters.")
    return value


def _objects(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > MOST_OBJECTS:
        raise BadInput("The objects of a decision are not a list.")
    if not all(isinstance(one, str) and _OBJECT.fullmatch(one) for one in value):
        raise BadInput("A decision names an object that cannot be one.")
    return tuple(value)


def _patient(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not value.keys() <= IDENTITY:
        raise BadInput("A merge names the patient by something that is no identity.")
    if not all(isinstance(text, str) and 0 < len(text) <= LONGEST_VALUE for text in value.values()):
        raise BadInput("A merge names the patient by something that is no text.")
    return dict(value)


def _attributes(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or len(value) > MOST_ATTRIBUTES:
        raise BadInput("The attributes of a decision are not a data set.")
    for tag, element in value.items():
        if not isinstance(tag, str) or not _TAG.fullmatch(tag) or not _element(element):
            raise BadInput("An attribute of a decision is malformed or of a kind that cannot be corrected.")
    return {tag: dict(element) for tag, element in value.items()}


def _element(element: Any) -> bool:
    """Say whether ``element`` is one of the DICOM JSON model (PS3.18 F.2) with a VR that can be corrected."""
    if not isinstance(element, Mapping) or not element.keys() <= {"vr", "Value"} or element.get("vr") not in _VRS:
        return False
    values = element.get("Value", [])
    return isinstance(values, list) and len(values) <= 64 and all(_value(element["vr"], value) for value in values)


def _value(vr: str, value: Any) -> bool:
    if vr == "PN":
        groups = value if isinstance(value, Mapping) else {}
        texts = list(groups.values())
        return bool(groups) and groups.keys() <= _PN_GROUPS and all(_is_text(text) for text in texts)
    return _is_text(value) or (vr in ("DS", "IS") and isinstance(value, int | float) and not isinstance(value, bool))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_VALUE
