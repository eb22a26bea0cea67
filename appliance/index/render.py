"""Rows as they are stored: the columns that are searched, with the QIDO lines that are answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import quote

from appliance.dicom import levels
from appliance.dicom.folding import fold_name, time_bounds
from appliance.dicom.matching import values_of
from appliance.dicom.note import Note
from appliance.index import jsontext, merge
from appliance.index.frames import believed_frames

MAX_TEXT = 512  # characters of a column; longer values are compared by their beginning
_UTF8 = jsontext.line("00080005", {"vr": "CS", "Value": ["ISO_IR 192"]})
AVAILABILITY = {levels.INSTANCE_AVAILABILITY: {"vr": "CS", "Value": ["ONLINE"]}}  # of studies, series and instances
_ONLINE = jsontext.line(levels.INSTANCE_AVAILABILITY, AVAILABILITY[levels.INSTANCE_AVAILABILITY])


def study_path(study: str) -> str:
    """Return the URL path of a study below the service's base."""
    return f"/studies/{quote(study, safe='')}"


def series_path(study: str, series: str) -> str:
    """Return the URL path of a series below the service's base."""
    return f"{study_path(study)}/series/{quote(series, safe='')}"


def instance_path(study: str, series: str, instance: str) -> str:
    """Return the URL path of an instance below the service's base."""
    return f"{series_path(study, series)}/instances/{quote(instance, safe='')}"


def study_columns(uid: str, facts: merge.Facts, series: int, instances: int) -> dict[str, Any]:
    """Return the columns of a study and, as ``rendered``, its lines."""
    found = merge.merged(facts)
    name, name_other = _name(found, "00100010")
    referring, referring_other = _name(found, "00080090")
    modalities: list[str] = facts["modalities"]
    lines = _common(found, levels.STUDY_DEFAULTS, levels.STUDY_OPTIONAL, study_path(uid))
    lines[b"0020000D"] = jsontext.line("0020000D", {"vr": "UI", "Value": [uid]})
    lines[b"00080061"] = jsontext.line("00080061", _values("CS", modalities))
    lines[b"00201206"] = jsontext.line("00201206", {"vr": "IS", "Value": [series]})
    lines[b"00201208"] = jsontext.line("00201208", {"vr": "IS", "Value": [instances]})
    return {
        "patient_name": name,
        "patient_name_other": name_other,
        "patient_id": _text(found, "00100020"),
        "birth_date": _date(found, "00100030"),
        "sex": _text(found, "00100040"),
        "study_date": _day(found, "00080020"),
        "study_time": _time(found, "00080030"),
        "accession": _text(found, "00080050"),
        "referring": referring,
        "referring_other": referring_other,
        "number": _text(found, "00200010"),
        "description": _text(found, "00081030"),
        "modalities": _list(modalities),
        "sop_classes": _list(facts["sop_classes"]),
        "words": " " + " ".join(facts["texts"]) + " ",
        "series_count": series,
        "instance_count": instances,
        "received": facts["received"],
        "rendered": jsontext.join(lines),
    }


def series_columns(study: str, uid: str, facts: merge.Facts, instances: int) -> dict[str, Any]:
    """Return the columns of a series, its lines among them."""
    found = merge.merged(facts)
    requests = [item for item in values_of(found.get("00400275")) if isinstance(item, Mapping)]
    lines = _common(found, levels.SERIES_DEFAULTS, levels.SERIES_OPTIONAL, series_path(study, uid))
    lines[b"0020000D"] = jsontext.line("0020000D", {"vr": "UI", "Value": [study]})
    lines[b"0020000E"] = jsontext.line("0020000E", {"vr": "UI", "Value": [uid]})
    lines[b"00201209"] = jsontext.line("00201209", {"vr": "IS", "Value": [instances]})
    return {
        "modality": _text(found, "00080060"),
        "number": merge.first_integer(found, "00200011"),
        "step_date": _date(found, "00400244"),
        "step_time": _time(found, "00400245"),
        "description": _text(found, "0008103E"),
        "step_ids": _list([merge.first_text(item, "00400009") for item in requests]),
        "procedure_ids": _list([merge.first_text(item, "00401001") for item in requests]),
        "instance_count": instances,
        "rendered": jsontext.join(lines),
    }


def instance_columns(note: Note) -> dict[str, Any]:
    """Return the columns of an instance that its note alone decides, its lines among them."""
    attributes = note.attributes
    path = instance_path(note.study, note.series, note.sop_instance)
    lines = _common(attributes, levels.INSTANCE_DEFAULTS, levels.INSTANCE_OPTIONAL, path)
    for tag, uid in (
        ("00080016", note.sop_class),
        ("00080018", note.sop_instance),
        ("0020000D", note.study),
        ("0020000E", note.series),
    ):
        lines[tag.encode()] = jsontext.line(tag, {"vr": "UI", "Value": [uid]})
    frames = believed_frames(note, merge.first_integer(attributes, "00280008") or 1)
    if merge.has_value(attributes.get("00280008")):
        lines[b"00280008"] = jsontext.line("00280008", {"vr": "IS", "Value": [frames]})
    return {
        "uid": note.sop_instance,
        "object": note.object,
        "sop_class": note.sop_class,
        "number": merge.first_integer(attributes, "00200013"),
        "transfer_syntax": note.transfer_syntax,
        "frames": frames,
        "size": note.size,
        "dataset_offset": note.dataset_offset,
        "dataset_sha256": note.dataset_sha256,
        "received": note.received,
        "rendered": jsontext.join(lines),
    }


def _common(
    found: Mapping[str, Any], defaults: Mapping[str, str], optional: tuple[str, ...], path: str
) -> dict[bytes, bytes]:
    lines = {tag.encode(): jsontext.line(tag, found.get(tag) or {"vr": vr}) for tag, vr in defaults.items()}
    lines.update({tag.encode(): jsontext.line(tag, found[tag]) for tag in optional if tag in found})
    lines[b"00080005"] = _UTF8
    lines[b"00080056"] = _ONLINE
    lines[b"00081190"] = jsontext.url_line("00081190", path)
    return lines


def _values(vr: str, values: list[str]) -> dict[str, Any]:
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _list(values: list[str]) -> str:
    """Join values so that each stands between two backslashes, which no value may hold."""
    kept = sorted({value.replace("\\", "")[:MAX_TEXT] for value in values if value})
    return "\\" + "\\".join(kept) + "\\" if kept else ""


def _name(found: Mapping[str, Any], tag: str) -> tuple[str, str]:
    for value in values_of(found.get(tag)):
        if isinstance(value, Mapping):
            groups = [fold_name(str(value.get(g, ""))) for g in ("Alphabetic", "Ideographic", "Phonetic")]
            return _utf8(groups[0]), _utf8("=" + "=".join(groups[1:])) if any(groups[1:]) else ""
    return "", ""


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _text(found: Mapping[str, Any], tag: str) -> str:
    return _utf8(merge.first_text(found, tag)[:MAX_TEXT])


def _date(found: Mapping[str, Any], tag: str) -> str:
    return _text(found, tag).replace(".", "")  # ACR-NEMA wrote 2026.11.24


def _day(found: Mapping[str, Any], tag: str) -> str:
    """Return a date that the calendar has, else an empty text: it sorts with the undated, not before all days."""
    text = _date(found, tag)
    try:
        date.fromisoformat(text if text.isdecimal() else "")
    except ValueError:
        return ""
    return text


def _time(found: Mapping[str, Any], tag: str) -> str:
    try:
        return time_bounds("TM", merge.first_text(found, tag))[0]
    except ValueError:
        return ""
