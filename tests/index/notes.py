"""Notes of invented patients, built by hand."""

from __future__ import annotations

import hashlib
from typing import Any

from appliance.dicom.note import Bulk, Note, Source

CT = "1.2.840.10008.5.1.4.1.1.2"
ROOT = "1.2.826.0.1.3680043.10.1234"


def element(vr: str, *values: Any) -> dict[str, Any]:
    """Return one DICOM JSON element; PN values are given as plain text, groups separated by ``=``."""
    if vr == "PN":
        groups = ("Alphabetic", "Ideographic", "Phonetic")
        values = tuple({g: part for g, part in zip(groups, v.split("="), strict=False) if part} for v in values)
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def uid(*numbers: int) -> str:
    """Return a UID of the test's own root."""
    return ".".join([ROOT, *map(str, numbers)])


def note(
    study: int = 1,
    series: int = 1,
    instance: int = 1,
    *,
    name: str = "DUPONT^Émile",
    patient: str = "P1",
    modality: str = "CT",
    date: str = "20261101",
    received: str | None = None,
    content: str = "",
    extra: dict[str, dict[str, Any] | None] | None = None,
) -> Note:
    """Return the note of a CT slice; ``extra`` adds, replaces or (``None``) leaves out elements."""
    ids = uid(study), uid(study, series), uid(study, series, instance)
    attributes: dict[str, Any] = {
        "00080005": element("CS", "ISO_IR 192"),
        "00080008": element("CS", "ORIGINAL", "PRIMARY", "AXIAL"),
        "00080016": element("UI", CT),
        "00080018": element("UI", ids[2]),
        "00080020": element("DA", date),
        "00080021": element("DA", date),
        "00080023": element("DA", date),
        "00080030": element("TM", "101530"),
        "00080050": element("SH", f"A{study}"),
        "00080060": element("CS", modality),
        "00080070": element("LO", "Lumière SA"),
        "00080090": element("PN", "MARTIN^Zoé"),
        "00081030": element("LO", "Thorax standard"),
        "0008103E": element("LO", f"Série {series}"),
        "00100010": element("PN", name),
        "00100020": element("LO", patient),
        "00100030": element("DA", "19600229"),
        "00100040": element("CS", "M"),
        "00180050": element("DS", 1.25),
        "00180060": element("DS", 120),
        "0020000D": element("UI", ids[0]),
        "0020000E": element("UI", ids[1]),
        "00200010": element("SH", f"S{study}"),
        "00200011": element("IS", series),
        "00200013": element("IS", instance),
        "00200032": element("DS", -125.0, -125.0, float(instance)),
        "00200037": element("DS", 1, 0, 0, 0, 1, 0),
        "00280002": element("US", 1),
        "00280004": element("CS", "MONOCHROME2"),
        "00280010": element("US", 512),
        "00280011": element("US", 512),
        "00280030": element("DS", 0.5, 0.5),
        "00280100": element("US", 16),
        "00280101": element("US", 12),
        "00280102": element("US", 11),
        "00280103": element("US", 0),
        "00281050": element("DS", 40),
        "00281051": element("DS", 400),
        "00281052": element("DS", -1024),
        "00281053": element("DS", 1),
        "7FE00010": {"vr": "OW", "BulkDataURI": "bulkdata/7FE00010"},
    }
    for tag, value in (extra or {}).items():
        if value is None:
            attributes.pop(tag, None)
        else:
            attributes[tag] = value
    digest = hashlib.sha256(f"{ids}{content}".encode()).hexdigest()
    return Note(
        object=hashlib.sha256(f"object{ids}{content}".encode()).hexdigest(),
        size=525_000,
        dataset_offset=350,
        dataset_sha256=digest,
        transfer_syntax="1.2.840.10008.1.2.1",
        sop_class=CT,
        sop_instance=ids[2],
        study=ids[0],
        series=ids[1],
        received=received or f"2026-11-24T08:{study % 60:02d}:{series % 60:02d}.{instance % 1000:03d}Z",
        source=Source("dimse", "SCANNER", "192.0.2.7"),
        attributes=dict(sorted(attributes.items())),
        bulk={"7FE00010": Bulk(1000, 524_288, "OW")},
    )
