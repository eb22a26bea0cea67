"""Every sample image that a storage SCP must take comes back byte for byte as it was sent."""

from __future__ import annotations

import hashlib
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from dicomweb_client.api import DICOMwebClient

from appliance.dicom.syntaxes import SELDOM
from tests.box import Box, free_ports, wait_for
from tests.samples import splice
from tests.samples.collection import collection, refusals
from tests.samples.modality import send
from tests.samples.part10 import Sample, split, wrap
from tests.samples.uids import uid

# storescu's option for each transfer syntax: it proposes no compressed one by itself.
OPTIONS = {
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.1": "-xe",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.5": "-xr",
}
# dcmtk's storescu does not send these; the scripted modality does, below. It proposes a fixed list of classes and
# then says "No presentation context for", exit code 0.
STORESCU_CANNOT_SEND = {
    "data-color-pl.dcm": "Ultrasound Image Storage (Retired) is not proposed",
    "data-color-px.dcm": "Ultrasound Image Storage (Retired) is not proposed",
    "data-liver.dcm": "Segmentation Storage is not proposed",
    "data-liver_expb.dcm": "Segmentation Storage is not proposed",
    "pydicom-test_files-ExplVR_BigEndNoMeta.dcm": "RT Ion Plan Storage is not proposed",
    "pydicom-test_files-ExplVR_LitEndNoMeta.dcm": "RT Ion Plan Storage is not proposed",
    "pydicom-test_files-liver_1frame.dcm": "Segmentation Storage is not proposed",
    "pydicom-test_files-liver_expb_1frame.dcm": "Segmentation Storage is not proposed",
}


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(collection())


@pytest.fixture(scope="module")
def by_option(samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The samples as files, grouped by the option that storescu needs for them."""
    root = tmp_path_factory.mktemp("samples")
    files: dict[str, list[Path]] = defaultdict(list)
    for number, sample in enumerate(samples):
        path = root / f"{number:04d}.dcm"
        path.write_bytes(sample.data)
        files[OPTIONS[sample.transfer_syntax]].append(path)
    return files


@pytest.fixture(scope="module")
def wire(by_option: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What storescu puts on the wire for each SOP instance, as digests, told by dcmtk's bit-preserving storescp."""
    root = tmp_path_factory.mktemp("storescp")
    (port,) = free_ports(1)
    server = subprocess.Popen(["storescp", "+B", "+xa", "-od", str(root), str(port)])
    try:
        wait_for(lambda: subprocess.run(["echoscu", "127.0.0.1", str(port)], capture_output=True).returncode == 0, 10)
        for option, files in by_option.items():
            subprocess.run(["storescu", "-nh", option, "127.0.0.1", str(port), *map(str, files)], capture_output=True)
    finally:
        server.terminate()
        server.wait()
    return dict(_identified(path.read_bytes()) for path in root.iterdir())


@pytest.fixture(scope="module")
def filled(box: Box, by_option: dict[str, list[Path]], wire: dict[str, str]) -> Iterator[Box]:
    """The appliance after storescu sent it every sample."""
    for option, files in by_option.items():
        box.storescu(*files, options=["-nh", option])
    with box.login() as client:
        box.settled(client, len(wire))
    yield box


def _identified(raw: bytes) -> tuple[str, str]:
    """Return the SOP instance of a Part 10 file and the digest of its data set."""
    meta, offset = split(raw)
    return meta[0x0003].rstrip(b"\0").decode(), hashlib.sha256(raw[offset:]).hexdigest()


def _retrieved(box: Box) -> dict[str, str]:
    """Retrieve everything as it is stored; return the digest of each data set by SOP instance."""
    found = {}
    with box.login() as client:
        for study in client.get("/dicom-web/studies", params={"limit": 1000}).json():
            uid = study["0020000D"]["Value"][0]
            answer = client.get(
                f"/dicom-web/studies/{uid}",
                headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
            )
            assert answer.status_code == 200
            boundary = answer.headers["content-type"].split("boundary=")[1]
            for part in answer.content.split(f"--{boundary}".encode())[1:-1]:
                sop_instance, digest = _identified(part.split(b"\r\n\r\n", 1)[1][:-2])
                found[sop_instance] = digest
    return found


def test_what_storescu_sends_comes_back_byte_for_byte(filled: Box, wire: dict[str, str], samples: list[Sample]) -> None:
    """dcmtk's own bit-preserving receiver says what was on the wire."""
    found = _retrieved(filled)
    assert set(wire) == set(found)
    assert {uid for uid, digest in wire.items() if found[uid] != digest} == set()
    assert sorted(sample.name for sample in samples if sample.sop_instance not in wire) == sorted(STORESCU_CANNOT_SEND)


def test_what_a_modality_sends_comes_back_byte_for_byte(own_box: Box, samples: list[Sample]) -> None:
    answers = send(samples, "127.0.0.1", own_box.dicom_port)
    assert [answer.sample.name for answer in answers if answer.status != 0] == []
    with own_box.login() as client:
        own_box.settled(client, len(samples))
    sent = {sample.sop_instance: hashlib.sha256(sample.dataset).hexdigest() for sample in samples}
    assert _retrieved(own_box) == sent


def test_syntaxes_that_libraries_leave_out_are_taken_as_they_come(own_box: Box, samples: list[Sample]) -> None:
    """Encapsulated uncompressed, and the retired processes of JPEG; here around the fragments of another one."""
    taken = next(sample for sample in samples if sample.name == "pydicom-test_files-MR_small_RLE.dcm")
    seldom = [
        wrap(f"seldom-{number}", taken.sop_class, name := uid("seldom", number), syntax,
             splice.replace(taken.dataset, taken.transfer_syntax, {0x00080018: (b"UI", name.encode())}))
        for number, syntax in enumerate(SELDOM)
    ]  # fmt: skip
    assert all(answer.stored for answer in send(seldom, "127.0.0.1", own_box.dicom_port))
    with own_box.login() as client:
        own_box.settled(client, len(seldom))
    digests = {sample.sop_instance: hashlib.sha256(sample.dataset).hexdigest() for sample in seldom}
    assert _retrieved(own_box) == digests


def test_dicomweb_client_searches_retrieves_and_stores(filled: Box) -> None:
    with filled.login() as session:
        client = DICOMwebClient(
            f"{filled.url}/dicom-web", headers={"Cookie": f"negato_session={session.cookies['negato_session']}"}
        )
        studies = client.search_for_studies(limit=5)
        assert len(studies) == 5
        study = studies[0]["0020000D"]["Value"][0]
        series = client.search_for_series(study)[0]["0020000E"]["Value"][0]
        instance = client.search_for_instances(study, series)[0]["00080018"]["Value"][0]
        metadata = client.retrieve_instance_metadata(study, series, instance)
        assert metadata["00080018"]["Value"] == [instance]
        whole = client.retrieve_instance(study, series, instance, media_types=(("application/dicom", "*"),))
        assert whole.SOPInstanceUID == instance
        whole.SOPInstanceUID = whole.file_meta.MediaStorageSOPInstanceUID = f"{instance}.1"
        answer = client.store_instances([whole])
        assert answer.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == f"{instance}.1"
        uids = (study, series, f"{instance}.1")
        # What the answer says is stored can be read at once; links lead back though this client names no port.
        assert client.retrieve_instance(*uids, media_types=(("application/dicom", "*"),)) == whole
        for found in client.search_for_instances(search_filters={"Modality": "CT"}):
            uids = tuple(found[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
            place = client.retrieve_instance_metadata(*uids).get("7FE00010", {}).get("BulkDataURI")
            if place:
                break
        plain = client.retrieve_instance(*uids, media_types=(("application/dicom", "*"),))
        assert b"".join(client.retrieve_bulkdata(place)) == plain.PixelData


def test_what_is_no_stored_object_is_listed_with_its_reason() -> None:
    assert {refused.name: refused.reason for refused in refusals()} == REFUSED


REFUSED = {
    "pydicom/charset_files/FileInfo.txt": "not DICOM",
    "pydicom/palettes/README.md": "not DICOM",
    "pydicom/palettes/fall.dcm": "a colour palette belongs to no patient or study (non-patient object)",
    "pydicom/palettes/hotiron.dcm": "a colour palette belongs to no patient or study (non-patient object)",
    "pydicom/palettes/hotmetalblue.dcm": "a colour palette belongs to no patient or study (non-patient object)",
    "pydicom/palettes/pet.dcm": "a colour palette belongs to no patient or study (non-patient object)",
    "pydicom/palettes/pet20step.dcm": "a colour palette belongs to no patient or study (non-patient object)",
    "pydicom/palettes/spring.dcm": "a colour palette belongs to no patient or study (non-patient object)",
    "pydicom/palettes/summer.dcm": "a colour palette belongs to no patient or study (non-patient object)",
    "pydicom/palettes/winter.dcm": "a colour palette belongs to no patient or study (non-patient object)",
    "pydicom/test_files/MR_truncated.dcm": "truncated: element (7fe0,0010) is longer than the rest of the file",
    "pydicom/test_files/README.txt": "not DICOM",
    "pydicom/test_files/SC_rgb_jpeg.dcm": (
        "implicit VR where the transfer syntax says explicit: an unknown value representation at byte 0"
    ),
    "pydicom/test_files/crayons.icc": "not DICOM",
    "pydicom/test_files/dicomdirtests/DICOMDIR": "a media directory (PS3.10), not a stored object",
    "pydicom/test_files/dicomdirtests/DICOMDIR-bigEnd": "a media directory (PS3.10), not a stored object",
    "pydicom/test_files/dicomdirtests/DICOMDIR-empty.dcm": "a media directory (PS3.10), not a stored object",
    "pydicom/test_files/dicomdirtests/DICOMDIR-implicit": "a media directory (PS3.10), not a stored object",
    "pydicom/test_files/dicomdirtests/DICOMDIR-nooffset": "a media directory (PS3.10), not a stored object",
    "pydicom/test_files/dicomdirtests/DICOMDIR-nopatient": "a media directory (PS3.10), not a stored object",
    "pydicom/test_files/dicomdirtests/DICOMDIR-reordered": "a media directory (PS3.10), not a stored object",
    "pydicom/test_files/dicomdirtests/README.txt": "not DICOM",
    "pydicom/test_files/dicomdirtests/TINY_ALPHA/DICOMDIR": "a media directory (PS3.10), not a stored object",
    "pydicom/test_files/dicomdirtests/TINY_ALPHA/README": "not DICOM",
    "pydicom/test_files/no_meta.dcm": "not DICOM: a stray byte before the data set",
    "pydicom/test_files/rtplan.dump": "not DICOM",
    "pydicom/test_files/rtplan_truncated.dcm": "truncated: element (300a,00b0) is longer than the rest of the file",
    "pydicom/test_files/rtstruct.dump": "not DICOM",
    "pydicom/test_files/test1.json": "not DICOM",
    "pydicom/test_files/test_PN.json": "not DICOM",
    "pydicom/test_files/zipMR.gz": "not DICOM",
    "data/emri_small_jpeg_2k_lossless_too_short.dcm": "truncated: cut inside a value of undefined length",
}
