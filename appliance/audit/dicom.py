"""Audit lines as DICOM audit messages in XML (PS3.15 A.5.1 schema, A.5.3 messages, PS3.16 CID 400, 401, 402).

A message names people, leases and studies by the same opaque ids as the line does; codes of our own stand under the
coding scheme 99NEGATO.
"""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET  # messages are written, never parsed
from collections.abc import Mapping
from typing import Any, NamedTuple

DCM, OURS = "DCM", "99NEGATO"
SUCCESS, MINOR, SERIOUS = "0", "4", "8"
SECURITY_SERVER, APPLICATION_SERVER = "6", "4"  # AuditSourceTypeCode
SYSTEM_OBJECT, REPORT, SECURITY_RESOURCE = "2", "3", "13"  # ParticipantObjectTypeCode, -Role
NOT_XML = re.compile("[^\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Code(NamedTuple):
    """A code of a coding scheme, with its meaning."""

    value: str
    scheme: str
    meaning: str


class Kind(NamedTuple):
    """What an event is in a DICOM message."""

    event: Code
    type: Code | None
    action: str
    outcome: str


ACTIVITY = Code("110100", DCM, "Application Activity")
LOG_USED = Code("110101", DCM, "Audit Log Used")
DELETED = Code("110105", DCM, "DICOM Study Deleted")
ACCESSED = Code("110103", DCM, "DICOM Instances Accessed")
ALERT = Code("110113", DCM, "Security Alert")
AUTHENTICATION = Code("110114", DCM, "User Authentication")
STOP = Code("110121", DCM, "Application Stop")
LOGIN = Code("110122", DCM, "Login")
LOGOUT = Code("110123", DCM, "Logout")
RESTRICTED = Code("110132", DCM, "Use of Restricted Function")
OBJECT_SECURITY = Code("110135", DCM, "Object Security Attributes Changed")
APPLICATION = Code("110150", DCM, "Application")
STUDY = Code("study-key", OURS, "Opaque key of a study")
LINE = Code("audit-line", OURS, "Hash of a line of the audit log")

# The first row whose pattern fits counts.
KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"keyagent:person:login", Kind(AUTHENTICATION, LOGIN, "E", SUCCESS)),
        (r"keyagent:person:refused", Kind(AUTHENTICATION, LOGIN, "E", MINOR)),
        (r"keyagent:person:logout", Kind(AUTHENTICATION, LOGOUT, "E", SUCCESS)),
        (r"keyagent:archive:lock", Kind(ACTIVITY, STOP, "E", SUCCESS)),
        (r".*:refused", Kind(ALERT, RESTRICTED, "E", MINOR)),
        (r"keyagent:(audit:(rolled_back|cut)|recipients:exchanged)", Kind(ALERT, OBJECT_SECURITY, "E", SERIOUS)),
        (r"keyagent:(study|notes):.*", Kind(ACCESSED, None, "R", SUCCESS)),
        (r"keyagent:decision:tombstone", Kind(DELETED, None, "D", SUCCESS)),
        (r"keyagent:decision:.*", Kind(ACCESSED, None, "U", SUCCESS)),
        (r"cli:audit:cut", Kind(LOG_USED, None, "D", SUCCESS)),
        (r"cli:audit:.*", Kind(LOG_USED, None, "R", SUCCESS)),
        (r".*", Kind(ACTIVITY, None, "E", SUCCESS)),
    )
)


def message(process: str, fields: Mapping[str, Any], source: str) -> str:
    """Return one AuditMessage, without line feeds, of a line of ``process``'s log; ``source`` names the box."""
    event = str(fields["event"])
    kind = next(kind for pattern, kind in KINDS if pattern.fullmatch(event))
    root = ET.Element("AuditMessage")
    identification = ET.SubElement(
        root,
        "EventIdentification",
        EventActionCode=kind.action,
        EventDateTime=_text(fields["at"]),
        EventOutcomeIndicator=kind.outcome,
    )
    _code(identification, "EventID", kind.event)
    if kind.type is not None:
        _code(identification, "EventTypeCode", kind.type)
    _code(identification, "EventTypeCode", Code(event, OURS, event))
    if "reason" in fields:
        ET.SubElement(identification, "EventOutcomeDescription").text = _text(fields["reason"])
    person = _text(fields.get("person") or "")
    if person:
        ET.SubElement(root, "ActiveParticipant", UserID=person, UserIsRequestor="true")
    software = ET.SubElement(
        root, "ActiveParticipant", UserID=f"negatoscope {process}", UserIsRequestor="false" if person else "true"
    )
    _code(software, "RoleIDCode", APPLICATION)
    origin = ET.SubElement(root, "AuditSourceIdentification", AuditSourceID=_text(source))
    type_code = SECURITY_SERVER if process == "keyagent" else APPLICATION_SERVER
    ET.SubElement(origin, "AuditSourceTypeCode", {"csd-code": type_code})
    study = _text(fields.get("study") or "")
    if study:
        _object(root, study, REPORT, STUDY, {"headers": "\n".join(map(str, fields.get("headers") or []))})
    details = {key: value for key, value in fields.items() if key in ("lease", "log", "seq", "prev")}
    _object(root, _text(fields["hash"]), SECURITY_RESOURCE, LINE, details)
    return ET.tostring(root, encoding="unicode")


def _object(root: ET.Element, identifier: str, role: str, kind: Code, details: Mapping[str, Any]) -> None:
    element = ET.SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=identifier,
        ParticipantObjectTypeCode=SYSTEM_OBJECT,
        ParticipantObjectTypeCodeRole=role,
    )
    _code(element, "ParticipantObjectIDTypeCode", kind)
    ET.SubElement(element, "ParticipantObjectName").text = identifier
    for name, value in details.items():
        raw = base64.b64encode(str(value).encode("utf-8", "replace")).decode("ascii")
        ET.SubElement(element, "ParticipantObjectDetail", type=name, value=raw)


def _code(parent: ET.Element, name: str, code: Code) -> None:
    attributes = {"csd-code": _text(code.value), "codeSystemName": code.scheme, "originalText": _text(code.meaning)}
    ET.SubElement(parent, name, attributes)


def _text(value: Any) -> str:
    return NOT_XML.sub("\ufffd", str(value))
