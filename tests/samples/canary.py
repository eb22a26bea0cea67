"""Stamps recognisable text into every place of a DICOM file that can hold words."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO

from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset

from tests.samples.part10 import Sample, load
from tests.samples.uids import uid

TEXT_VRS = {"PN": 60, "LO": 60, "SH": 16, "LT": 400, "ST": 400, "UT": 4000, "UC": 400}
KEYWORDS = {
    **{"PatientName": "PN", "PatientID": "LO", "OtherPatientNames": "PN", "PatientComments": "LT"},
    **{"AccessionNumber": "SH", "StudyDescription": "LO", "SeriesDescription": "LO", "ImageComments": "LT"},
    **{"ReferringPhysicianName": "PN", "PatientAddress": "LO", "InstitutionName": "LO", "StudyID": "SH"},
    **{
        "AdditionalPatientHistory": "LT",
        "InstitutionAddress": "ST",
        "TextValue": "UT",
        "OperatorsName": "PN",
    },
}


@dataclass(frozen=True, slots=True)
class Canary:
    """One unique text of at least 12 bytes, and where it was put."""

    text: str
    place: str


def stamp(sample: Sample, seed: str = "canary") -> tuple[Sample, list[Canary]]:
    """Return the sample with a canary in every text value, nested and private ones too, and the list of them.

    UIDs are fresh, and every UID that is stamped is a canary as well. Pixel data and transfer syntax stay as
    they are; the character set becomes UTF-8, and names carry an accent.
    """
    dataset = dcmread(BytesIO(sample.data))
    maker = _Maker(f"{seed} {sample.name}")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword, vr in KEYWORDS.items():
        setattr(dataset, keyword, maker.text(vr, keyword))
    nested = Dataset()
    nested.PatientName, nested.PatientID = maker.text("PN", "nested"), maker.text("LO", "nested")
    nested.RequestedProcedureDescription = maker.text("LO", "nested")
    deeper = Dataset()
    deeper.CodeMeaning, deeper.TextValue = maker.text("LO", "nested twice"), maker.text("UT", "nested twice")
    nested.RequestedProcedureCodeSequence = [deeper]
    dataset.RequestAttributesSequence = [nested]
    block = dataset.private_block(0x0099, "CANARY PRIVATE", create=True)
    block.add_new(0x01, "LO", maker.text("LO", "private"))
    block.add_new(0x02, "UT", maker.text("UT", "private"))
    block.add_new(0x03, "UN", maker.text("LO", "private UN").encode() + b" ")
    _sweep(dataset, maker, {*KEYWORDS, "RequestAttributesSequence"})
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        fresh = uid(seed, sample.name, keyword)
        setattr(dataset, keyword, fresh)
        maker.made.append(Canary(fresh, keyword))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=False)
    return load(f"canary-{sample.name}", buffer.getvalue()), maker.made


class _Maker:
    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.made: list[Canary] = []

    def text(self, vr: str, place: str) -> str:
        """Return a fresh canary that fits ``vr``, and remember it."""
        digest = hashlib.sha256(f"{self.seed} {len(self.made)}".encode()).hexdigest()
        text = f"Zephyr{digest[:10]}" if vr == "SH" else f"Zéphyrin{digest[:20]}"
        self.made.append(Canary(text, f"{place} ({vr})"))
        return f"{text}^Kanari" if vr == "PN" else text


def _sweep(dataset: Dataset, maker: _Maker, done: set[str], where: str = "") -> None:
    """Replace every remaining text value, sequence by sequence."""
    for tag in list(dataset.keys()):
        element = dataset[tag]
        name = element.keyword or str(element.tag)
        if not where and name in done:
            continue
        if element.VR == "SQ":
            for item in element.value or ():
                _sweep(item, maker, set(), f"{where}{name}/")
        elif element.VR in TEXT_VRS and not (element.tag.is_private_creator or element.tag.group == 0x0099):
            element.value = maker.text(element.VR, f"{where}{name}")
