"""Re-stamping changes names and UIDs and nothing else."""

from __future__ import annotations

import warnings
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.samples import splice
from tests.samples.collection import Refusal, collection, files, judge, refusals
from tests.samples.part10 import Sample, split

STAMPED = {0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00080005, 0x00080020, 0x00080030, 0x00080060}
STAMPED |= {0x00100010, 0x00100020, 0x00100030, 0x00100040}
REFUSED = Counter(
    {"not DICOM": 11, "a media directory (PS3.10), not a stored object": 8, "truncated": 3}
    | {"a colour palette belongs to no patient or study (non-patient object)": 8}
    | {
        "implicit VR where the transfer syntax says explicit": 1,
        "not DICOM: a stray byte before the data set": 1,
    }
)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(collection())


def body(dataset: bytes, syntax: str) -> dict[int, bytes]:
    """Every top-level element by tag, header included."""
    raw = splice.inflate(dataset) if syntax in splice.DEFLATED else dataset
    return {element.tag: raw[element.start : element.end] for element in splice.elements(raw, syntax)}


def test_every_file_of_both_test_sets_is_either_a_sample_or_refused_with_a_reason(
    samples: list[Sample],
) -> None:
    verdicts = [judge(name) for name, _ in files()]
    assert len(samples) == 239
    assert len(samples) + len(refusals()) == len(verdicts)
    assert all(refusal.reason for refusal in refusals())


def test_the_refused_files_are_the_ones_we_know() -> None:
    assert (
        Counter(refusal.reason if refusal.reason in REFUSED else refusal.reason.split(":")[0] for refusal in refusals())
        == REFUSED
    )


def test_restamping_keeps_transfer_syntax_and_every_other_byte(samples: list[Sample]) -> None:
    compared = 0
    for name, path in files():
        sample, raw = judge(name), path.read_bytes()
        if isinstance(sample, Refusal):
            continue
        meta, offset = split(raw)
        declared = meta.get(0x10, b"").rstrip(b"\0 ").decode() or sample.transfer_syntax
        assert sample.transfer_syntax == declared
        before, after = body(raw[offset:], declared), body(sample.dataset, declared)
        kept = {tag for tag in before if tag & 0xFFFF and tag not in STAMPED}
        assert {tag: before[tag] for tag in kept} == {tag: after[tag] for tag in kept}, name
        compared += 1
    assert compared == len(samples)


def test_every_sample_is_an_object_of_its_own(samples: list[Sample]) -> None:
    assert len({sample.sop_instance for sample in samples}) == len(samples)
    assert len({sample.name for sample in samples}) == len(samples)


def test_pydicom_reads_every_sample_with_its_names_and_ids(samples: list[Sample]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in samples:
            dataset = dcmread(BytesIO(sample.data))
            assert dataset.SOPInstanceUID == sample.sop_instance == dataset.file_meta.MediaStorageSOPInstanceUID
            assert dataset.SOPClassUID == sample.sop_class
            assert dataset.StudyInstanceUID and dataset.SeriesInstanceUID and dataset.PatientID and dataset.Modality
            assert str(dataset.PatientName) and "?" not in str(dataset.PatientName), sample.name


def test_one_patient_has_one_name(samples: list[Sample]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = [dcmread(BytesIO(sample.data), stop_before_pixels=True) for sample in samples]
    studies: dict[str, set[str]] = {}
    for dataset in read:
        studies.setdefault(dataset.StudyInstanceUID, set()).add(dataset.PatientID)
    assert all(len(ids) == 1 for ids in studies.values())


def test_a_cut_data_set_is_noticed() -> None:
    sample = next(sample for sample in collection() if sample.name.endswith("MR_small.dcm"))
    with pytest.raises(splice.Broken):
        splice.elements(sample.dataset[:-3], sample.transfer_syntax)


def test_the_refused_files_are_listed_in_the_readme_with_their_reason() -> None:
    text = (Path(__file__).parent / "README.md").read_text()
    listed = {line for line in text.splitlines() if line.startswith("| `") and "/" in line}
    assert listed == {f"| `{refusal.name}` | {refusal.reason} |" for refusal in refusals()}
    assert f"Of the {len(list(files()))} files" in text
