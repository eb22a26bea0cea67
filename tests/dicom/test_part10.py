"""The head before a received data set makes a file that others read."""

import io
import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from appliance.dicom.part10 import file_head
from appliance.dicom.scan import Scanner
from appliance.dicom.uids import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION
from appliance.errors import BadInput

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def a_data_set() -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID = CT
    dataset.SOPInstanceUID = "1.2.3"
    dataset.PatientName = "DUPONT^Marie"
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


@pytest.mark.parametrize("title", ["", "MODALITY", "ODD"])
def test_pydicom_reads_head_and_data_set_as_a_file(title: str) -> None:
    whole = pydicom.dcmread(io.BytesIO(file_head(CT, "1.2.3", EXPLICIT, source_ae=title) + a_data_set()))
    meta = whole.file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (CT, "1.2.3")
    assert meta.TransferSyntaxUID == EXPLICIT
    assert meta.ImplementationClassUID == IMPLEMENTATION_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION
    assert meta.get("SourceApplicationEntityTitle", "") == title
    assert whole.PatientName == "DUPONT^Marie"


@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="dcmtk is not installed")
def test_dcmdump_reads_it_without_complaint(tmp_path: Path) -> None:
    path = tmp_path / "head.dcm"
    path.write_bytes(file_head(CT, "1.2.3", EXPLICIT, source_ae="MODALITY") + a_data_set())
    said = subprocess.run(["dcmdump", "-v", str(path)], capture_output=True, text=True, check=True)
    assert "DUPONT^Marie" in said.stdout
    assert "W:" not in said.stderr and "E:" not in said.stderr


def test_the_scanner_finds_the_same_in_the_file_as_in_the_data_set_behind_its_head() -> None:
    head, data = file_head(CT, "1.2.3", EXPLICIT, source_ae="MODALITY"), a_data_set()
    as_file, as_data = Scanner(), Scanner(EXPLICIT, base=len(head))
    as_file.feed(head + data)
    as_data.feed(data)
    one, other = as_file.finish(), as_data.finish()
    assert (one.attributes, one.bulk, one.dataset_sha256) == (
        other.attributes,
        other.bulk,
        other.dataset_sha256,
    )
    assert one.dataset_offset == other.dataset_offset == len(head)
    assert one.size == other.size == len(head) + len(data)


@pytest.mark.parametrize("uid", ["", "../../../../etc/pwn", "1.2\n", "1" * 65])
def test_no_head_is_made_for_a_malformed_uid(uid: str) -> None:
    for arguments in [(uid, "1.2.3", EXPLICIT), (CT, uid, EXPLICIT), (CT, "1.2.3", uid)]:
        with pytest.raises(BadInput):
            file_head(*arguments)


@pytest.mark.parametrize("title", ["A" * 17, "É", "A\\B", "A\n", "   "])
def test_a_sender_title_that_is_none_is_left_out(title: str) -> None:
    assert file_head(CT, "1.2.3", EXPLICIT, source_ae=title) == file_head(CT, "1.2.3", EXPLICIT)
