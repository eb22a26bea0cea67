"""Checks the structure of a DICOM audit message against the schema of PS3.15 A.5.1.

The standard publishes the schema in RELAX NG compact syntax. This is its content model written down anew as tables:
for each element its attributes (those that must be there marked !) with the values they may have, and its children in
their order with how often they may come.
"""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET

CODED = {"csd-code!": "", "codeSystemName!": "", "originalText!": "", "displayName": ""}
DATE_TIME = r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"
BASE64 = "base64"

ATTRIBUTES: dict[str, dict[str, str]] = {
    "AuditMessage": {},
    "EventIdentification": {
        "EventActionCode": "[CRUDE]",
        "EventDateTime!": DATE_TIME,
        "EventOutcomeIndicator!": "0|4|8|12",
    },
    "EventID": CODED,
    "EventTypeCode": CODED,
    "EventOutcomeDescription": {},
    "ActiveParticipant": {
        "UserID!": "",
        "AlternativeUserID": "",
        "UserName": "",
        "UserIsRequestor!": "true|false|0|1",
        "NetworkAccessPointID": "",
        "NetworkAccessPointTypeCode": "[1-5]",
    },
    "RoleIDCode": CODED,
    "AuditSourceIdentification": {"AuditEnterpriseSiteID": "", "AuditSourceID!": ""},
    "AuditSourceTypeCode": {"csd-code!": "[1-9]"},
    "ParticipantObjectIdentification": {
        "ParticipantObjectID!": "",
        "ParticipantObjectTypeCode": "[1-4]",
        "ParticipantObjectTypeCodeRole": r"\d|1\d|2[0-6]",
        "ParticipantObjectDataLifeCycle": r"\d|1[0-5]",
        "ParticipantObjectSensitivity": "",
    },
    "ParticipantObjectIDTypeCode": CODED,
    "ParticipantObjectName": {},
    "ParticipantObjectDetail": {"type!": "", "value!": BASE64},
}
# Children in their order: a name with ? * + or nothing, as a regular expression over "name " words.
CHILDREN = {
    "AuditMessage": "EventIdentification (ActiveParticipant )+AuditSourceIdentification "
    "(ParticipantObjectIdentification )*",
    "EventIdentification": "EventID (EventTypeCode )*(EventOutcomeDescription )?",
    "ActiveParticipant": "(RoleIDCode )*",
    "AuditSourceIdentification": "(AuditSourceTypeCode )*",
    "ParticipantObjectIdentification": "ParticipantObjectIDTypeCode ParticipantObjectName (ParticipantObjectDetail )*",
}
TEXT = {"EventOutcomeDescription", "ParticipantObjectName"}


def check(message: str) -> ET.Element:
    """Return the message; :class:`AssertionError` names what the schema does not allow."""
    root = ET.fromstring(message)
    assert root.tag == "AuditMessage"
    _check(root)
    return root


def _check(element: ET.Element) -> None:
    name = element.tag
    assert name in ATTRIBUTES, f"no element {name} in A.5.1"
    allowed = {key.rstrip("!"): pattern for key, pattern in ATTRIBUTES[name].items()}
    needed = {key.rstrip("!") for key in ATTRIBUTES[name] if key.endswith("!")}
    assert needed <= element.attrib.keys() <= allowed.keys(), f"attributes of {name}: {sorted(element.attrib)}"
    for key, value in element.attrib.items():
        if allowed[key] == BASE64:
            base64.b64decode(value, validate=True)
        elif allowed[key]:
            assert re.fullmatch(allowed[key], value), f"{name} {key}={value}"
        else:
            assert value, f"{name} {key} is empty"
    children = "".join(f"{child.tag} " for child in element)
    assert re.fullmatch(CHILDREN.get(name, ""), children), f"{name} holds {children}"
    assert name in TEXT or not (element.text or "").strip(), f"{name} holds text"
    for child in element:
        _check(child)
