"""Every file of pydicom's and pydicom-data's test sets: scanned as pydicom reads it, or refused for a stated
reason.
"""

import logging
import warnings
import zlib
from pathlib import Path
from typing import Any

import data_store
import pydicom
import pydicom.data
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import generate_fragments, parse_basic_offsets

from appliance.dicom.scan import Scanner
from appliance.dicom.scanned import Scanned
from appliance.errors import BadInput

FOLDERS = (Path(pydicom.data.__file__).parent, Path(next(iter(data_store.__path__))))
NOT_DICOM = {".py", ".pyc", ".json", ".txt", ".md", ".zip", ".gz", ".xml", ".icc", ".dump"}

# Refused although pydicom opens them (with force), and what the sender is told.
REFUSED = {
    "MR_truncated.dcm": "truncated",  # pixel data end early
    "rtplan_truncated.dcm": "truncated",  # ends inside an element
    "emri_small_jpeg_2k_lossless_too_short.dcm": "truncated",  # the fragments never end
    "DICOMDIR-nooffset": "longer than its sequence",  # no image; lengths contradict each other
    "no_meta.dcm": "DICM prefix is missing",  # a stray byte at its start; dcmdump cannot read it either
    "meta_missing_tsyntax.dcm": "does not say its transfer syntax",
}
# Bare data sets: refused as files, scanned in the syntax they would be negotiated in.
BARE = {
    "ExplVR_BigEndNoMeta.dcm": "1.2.840.10008.1.2.2",
    "ExplVR_LitEndNoMeta.dcm": "1.2.840.10008.1.2.1",
    "OT-PAL-8-face.dcm": "1.2.840.10008.1.2",
    "rtstruct.dcm": "1.2.840.10008.1.2",
}
# Attributes that pydicom's to_json_dict leaves out because it finds a value in them invalid; we keep the
# text.
LEFT_OUT_BY_PYDICOM = {
    "badVR.dcm": {"00280008", "300C0002"},
    "bad_sequence.dcm": {"00080018", "0020000D", "0020000E", "00200010"},
    "rtdose.dcm": {"300C0002"},
    "rtdose_1frame.dcm": {"300C0002"},
    "rtdose_expb.dcm": {"300C0002"},
    "rtdose_expb_1frame.dcm": {"300C0002"},
    "rtdose_rle.dcm": {"300C0002"},
    "rtdose_rle_1frame.dcm": {"300C0002"},
}


def every_file() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in found if path.suffix not in NOT_DICOM and path.name != "README"]


FILES = every_file()


def scan(raw: bytes, syntax: str | None = None) -> Scanned:
    scanner = Scanner(syntax)
    scanner.feed(raw)
    return scanner.finish()


def read(path: Path) -> FileDataset:
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(path, force=True)
    finally:
        logging.disable(logging.NOTSET)


def as_json(dataset: Dataset) -> dict[str, Any]:
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dataset.to_json_dict(
                bulk_data_threshold=1 << 40, bulk_data_element_handler=str, suppress_invalid_tags=True
            )
    finally:
        logging.disable(logging.NOTSET)


def in_our_form(theirs: dict[str, Any], big: bool) -> dict[str, Any]:
    """Bring pydicom's JSON to PS3.18 F.2 where it departs from it.

    Group lengths go; padding spaces go; an empty value among several is null (F.2.5), not an empty text;
    InlineBinary is little endian (F.2.7), which pydicom forgets for OW of a big endian file.
    """
    ours = {}
    for tag, entry in theirs.items():
        if tag.endswith("0000") and not tag.startswith("60"):
            continue
        entry = dict(entry)
        if tag == "00080005":
            entry = {"vr": "CS", "Value": ["ISO_IR 192"]} if "Value" in entry else entry
        elif entry["vr"] == "SQ":
            if not entry.get("Value"):
                entry.pop("Value", None)
            else:
                entry["Value"] = [in_our_form(item, big) for item in entry["Value"]]
        elif entry["vr"] in {"CS", "LO", "SH", "AE"} and "Value" in entry:
            entry["Value"] = [
                (value.strip(" ") or None) if isinstance(value, str) else value for value in entry["Value"]
            ]
        elif big and entry["vr"] == "OW" and "InlineBinary" in entry:
            entry["InlineBinary"] = None
        ours[tag] = entry
    return ours


def comparable(attributes: Any, big: bool) -> dict[str, Any]:
    result = {}
    for tag, entry in attributes.items():
        if "BulkDataURI" in entry:
            continue
        if entry["vr"] == "SQ" and "Value" in entry:
            entry = {**entry, "Value": [comparable(item, big) for item in entry["Value"]]}
        elif big and entry["vr"] == "OW" and "InlineBinary" in entry:
            entry = {**entry, "InlineBinary": None}
        result[tag] = entry
    return result


def without_bulk(theirs: dict[str, Any], ours: Any) -> dict[str, Any]:
    """Leave out of pydicom's JSON what the scan found to be bulk."""
    result = {}
    for tag, entry in theirs.items():
        match = ours.get(tag, {})
        if "BulkDataURI" in match:
            continue
        if entry["vr"] == "SQ" and len(entry.get("Value", ())) == len(match.get("Value", ())) > 0:
            pairs = zip(entry["Value"], match["Value"], strict=True)
            entry = {**entry, "Value": [without_bulk(a, b) for a, b in pairs]}
        result[tag] = entry
    return result


def names(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", FILES, ids=names)
def test_a_file_is_scanned_as_pydicom_reads_it_or_refused_for_the_reason_in_the_table(path: Path) -> None:
    raw = path.read_bytes()
    if path.name in REFUSED:
        with pytest.raises(BadInput, match=REFUSED[path.name]):
            scan(raw)
        return
    if path.name in BARE:
        with pytest.raises(BadInput, match="DICM prefix is missing"):
            scan(raw)
    scanned = scan(raw, BARE.get(path.name))
    dataset = read(path)
    big = scanned.transfer_syntax == "1.2.840.10008.1.2.2"

    ours = comparable(scanned.attributes, big)
    for tag in LEFT_OUT_BY_PYDICOM.get(path.name, ()):
        del ours[tag]
    assert ours == without_bulk(in_our_form(as_json(dataset), big), scanned.attributes)

    whole = raw
    if scanned.transfer_syntax == "1.2.840.10008.1.2.1.99":
        whole = zlib.decompressobj(-15).decompress(raw[scanned.dataset_offset :])
    check_bulk(scanned, dataset, whole)


def check_bulk(scanned: Scanned, dataset: Dataset, whole: bytes) -> None:
    for place, bulk in scanned.bulk.items():
        steps = place.split(".")
        owner = dataset
        for tag, item in zip(steps[:-1:2], steps[1::2], strict=True):
            owner = owner[int(tag, 16)].value[int(item)]
        element = owner[int(steps[-1], 16)]
        if not isinstance(element.value, bytes):
            continue
        found = whole[bulk.offset : bulk.offset + bulk.length]
        assert found == element.value
        if bulk.fragments is not None:
            assert [whole[start : start + size] for start, size in bulk.fragments] == list(
                generate_fragments(element.value)
            )[1:]
            assert list(bulk.offset_table) == parse_basic_offsets(element.value)


def test_the_test_sets_are_really_there_and_nearly_all_of_them_are_read() -> None:
    assert len(FILES) > 230
    assert set(REFUSED) | set(BARE) <= {path.name for path in FILES}
    assert sum(path.name in REFUSED for path in FILES) <= 6
