"""Every audit line can be had as a DICOM audit message (PS3.15 A.5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.audit.dicom import message
from tests.audit.a5 import check

LINE: dict[str, Any] = {
    "seq": 3, "at": "2026-11-24T08:30:00.125Z", "event": "keyagent:study:view", "person": "0123456789abcdef",
    "lease": "1122334455667788", "study": "k7", "headers": ["0" * 64, "1" * 64], "prev": "2" * 64, "hash": "3" * 64,
}  # fmt: skip


def test_reading_images_is_dicom_instances_accessed() -> None:
    root = check(message("keyagent", LINE, "box"))
    event = root.find("EventIdentification")
    assert event is not None and event.get("EventActionCode") == "R" and event.get("EventOutcomeIndicator") == "0"
    assert [code.get("csd-code") for code in event] == ["110103", "keyagent:study:view"]
    assert [who.get("UserID") for who in root.iter("ActiveParticipant")] == [LINE["person"], "negatoscope keyagent"]
    assert [o.get("ParticipantObjectID") for o in root.iter("ParticipantObjectIdentification")] == ["k7", "3" * 64]


@pytest.mark.parametrize(
    ("event", "code", "kind", "outcome"),
    [
        ("keyagent:person:login", "110114", "110122", "0"),
        ("keyagent:person:refused", "110114", "110122", "4"),
        ("keyagent:person:logout", "110114", "110123", "0"),
        ("keyagent:lease:refused", "110113", "110132", "4"),
        ("keyagent:audit:rolled_back", "110113", "110135", "8"),
        ("keyagent:recipients:exchanged", "110113", "110135", "8"),
        ("keyagent:notes:settle", "110103", "keyagent:notes:settle", "0"),
        ("keyagent:archive:lock", "110100", "110121", "0"),
        ("operator:audit:cut", "110101", "operator:audit:cut", "0"),
        ("operator:audit:export", "110101", "operator:audit:export", "0"),
        ("something:else:entirely", "110100", "something:else:entirely", "0"),
    ],
)
def test_each_event_has_its_code(event: str, code: str, kind: str, outcome: str) -> None:
    root = check(message("keyagent", LINE | {"event": event}, "box"))
    found = root.find("EventIdentification")
    assert found is not None
    assert (found[0].get("csd-code"), found[1].get("csd-code"), found.get("EventOutcomeIndicator")) == (
        code, kind, outcome,
    )  # fmt: skip


@given(st.dictionaries(st.sampled_from(["person", "study", "lease", "reason", "headers"]), st.text(min_size=1)))
def test_no_text_in_a_line_breaks_the_message(fields: dict[str, str]) -> None:
    raw = message("keyagent", LINE | fields, "box")
    assert "\n" not in raw and "\r" not in raw
    check(raw)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda text: text.replace("EventDateTime", "EventTime"),
        lambda text: text.replace('UserIsRequestor="true"', 'UserIsRequestor="yes"'),
        lambda text: text.replace('csd-code="110103" ', ""),
        lambda text: text.replace("ActiveParticipant", "Participant"),
        lambda text: text.replace('EventOutcomeIndicator="0"', 'EventOutcomeIndicator="1"'),
        lambda text: text.replace("<ParticipantObjectName>k7</ParticipantObjectName>", ""),
    ],
)
def test_the_check_of_the_schema_finds_what_is_wrong(wrong: Any) -> None:
    text = message("keyagent", LINE, "box")
    assert wrong(text) != text
    with pytest.raises(AssertionError):
        check(wrong(text))
