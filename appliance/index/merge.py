"""What a study or series says when its instances disagree.

Every rule takes a minimum, a maximum or a union over the instances, so the order in which they arrive changes
nothing and a rebuild answers every query as before:

* patient attributes come as one group from one instance, never mixed: two people's data in one study must not
  make a third person. The instance is the earliest received among those with the most complete identity (ID,
  then name);
* every other study or series attribute comes from the earliest received instance that has a value for it;
* modalities, SOP classes and the words of the free-text search are unions, so a study is found under every name it
  holds.

"Earliest" compares the time of receipt, then SOPInstanceUID, then the object's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.dicom import levels
from appliance.dicom.folding import fold_words
from appliance.dicom.matching import values_of

Facts = dict[str, Any]
MAX_UNION = 64  # kept of a union: the smallest ones, which is again independent of order


def empty() -> Facts:
    """Return the facts of no instance."""
    return {"rank": None, "patient": {}, "own": {}, "modalities": [], "sop_classes": [], "texts": [], "received": ""}


def rank(received: str, sop_instance: str, obj: str) -> str:
    """Return the sortable text by which instances take precedence, smallest first."""
    return f"{received}|{sop_instance}|{obj}"


def absorb(facts: Facts, tags: frozenset[str], attributes: Mapping[str, Any], order: str, received: str) -> None:
    """Let one instance take part; ``tags`` are those of the level, without the patient's."""
    own = facts["own"]
    for tag in tags & attributes.keys():
        element = attributes[tag]
        if has_value(element) and (tag not in own or order < own[tag][0]):
            own[tag] = [order, element]
    _unite(facts, "modalities", first_text(attributes, "00080060"))
    facts["received"] = max(facts["received"], received)


def absorb_study(facts: Facts, attributes: Mapping[str, Any], order: str) -> None:
    """Let one instance take part in saying who the patient is, and under what the study is found."""
    gaps = 2 * (not has_value(attributes.get("00100020"))) + (not has_value(attributes.get("00100010")))
    order = f"{gaps}|{order}"
    if facts["rank"] is None or order < facts["rank"]:
        facts["rank"] = order
        facts["patient"] = {tag: attributes[tag] for tag in sorted(levels.PATIENT & attributes.keys())}
    for tag in ("00100010", "00100020", "00080050", "00081030"):
        for value in values_of(attributes.get(tag)):
            text = " ".join(map(str, value.values())) if isinstance(value, Mapping) else str(value)
            _unite(facts, "texts", " ".join(fold_words(text)))
    _unite(facts, "sop_classes", first_text(attributes, "00080016"))


def _unite(facts: Facts, name: str, text: str) -> None:
    if text and text not in facts[name]:
        facts[name] = sorted([*facts[name], text])[:MAX_UNION]


def merged(facts: Facts) -> dict[str, Any]:
    """Return the level's attributes as one data set in the DICOM JSON model, ascending by tag."""
    found = {tag: element for tag, (_, element) in facts["own"].items()} | facts["patient"]
    if facts["sop_classes"]:
        found["00080062"] = {"vr": "UI", "Value": facts["sop_classes"]}
    return {tag: found[tag] for tag in sorted(found)}


def has_value(element: Any) -> bool:
    """Say whether an element has any value that is not empty."""
    return any(value not in ("", None, {}) for value in values_of(element))


def first_text(attributes: Mapping[str, Any], tag: str) -> str:
    """Return the first value of a non-name attribute as trimmed text, or an empty text."""
    for value in values_of(attributes.get(tag)):
        return "" if value is None else str(value).strip(" ")
    return ""


def first_integer(attributes: Mapping[str, Any], tag: str) -> int | None:
    """Return the first value as an integer, ``None`` for what is none or larger than JSON's numbers."""
    try:
        number = int(float(first_text(attributes, tag)))
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 2**53 else None


def first_name(attributes: Mapping[str, Any], tag: str) -> str:
    """Return the first value of a person's name: its alphabetic group, or the first other one that it has."""
    for value in values_of(attributes.get(tag)):
        if isinstance(value, Mapping):
            groups = [str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")]
            return next((group for group in groups if group), "")
    return ""
