"""The decoder answers honest jobs as the codecs do in process."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.encaps import get_frame

from appliance.errors import BadInput, EnvironmentProblem
from appliance.imaging.frames import FrameShape, decode_frame, normalise
from appliance.retrieve.decoder import Decoder

LITTLE = "1.2.840.10008.1.2.1"
MR = ("MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm", "MR_small_RLE.dcm")
FILES = (
    *MR,
    "MR_small_bigendian.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "examples_jpeg2k.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "image_dfl.dcm",
    "MR_small_implicit.dcm",
    "ExplVR_BigEnd.dcm",
    "rtdose_expb.dcm",
    "chrH31.dcm",
)


def _read(name: str) -> tuple[bytes, pydicom.Dataset]:
    raw = Path(str(get_testdata_file(name) or get_charset_files(name)[0])).read_bytes()
    return raw, pydicom.dcmread(BytesIO(raw))


def _mr(name: str) -> tuple[FrameShape, bytes]:
    dataset = _read(name)[1]
    shape = FrameShape(64, 64, 1, 16, 16, 15, True, "MONOCHROME2", 0, str(dataset.file_meta.TransferSyntaxUID))
    return shape, get_frame(dataset.PixelData, 0, number_of_frames=1)


@pytest.mark.parametrize("name", MR)
def test_a_frame_comes_back_as_decoded_in_process(start, name: str) -> None:
    shape, data = _mr(name)
    client = start().client
    assert client.decode(shape, data) == decode_frame(shape, data)
    assert client.view(shape, data) == normalise(shape, decode_frame(shape, data))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_a_file_comes_back_native_and_otherwise_complete(start, name: str) -> None:
    raw, before = _read(name)
    after = pydicom.dcmread(BytesIO(start().client.native_file(raw)))
    assert str(after.file_meta.TransferSyntaxUID) == LITTLE
    assert after.file_meta.MediaStorageSOPInstanceUID == before.SOPInstanceUID
    assert np.abs(after.pixel_array.astype(int) - before.pixel_array.astype(int)).max() <= 3
    changed = {"PixelData", "PlanarConfiguration", "PhotometricInterpretation"}
    kept = [e for e in before if e.tag.element != 0]  # group lengths are retired (PS3.5 7.2)
    assert [e.tag for e in after] == [e.tag for e in kept]
    assert all(after[e.tag].value == e.value for e in kept if e.keyword not in changed)


def test_many_threads_share_one_client(start) -> None:
    shape, data = _mr(MR[0])
    client, expected = start().client, decode_frame(shape, data)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: client.decode(shape, data), range(40))) == {expected}


def test_an_absent_decoder_is_a_problem_of_the_machine(tmp_path) -> None:
    shape, data = _mr(MR[0])
    with pytest.raises(EnvironmentProblem):
        Decoder(tmp_path / "nobody.sock").decode(shape, data)


def test_what_is_not_dicom_is_bad_input(start) -> None:
    running = start()
    with pytest.raises(BadInput):
        running.client.native_file(b"not DICOM at all" * 100)
    assert running.alive()


FRESH = "import socket, sys; from appliance.decoder.server import serve; serve(socket.socket(fileno=int(sys.argv[1])))"


def test_a_decoder_that_starts_afresh_serves_every_codec_and_stays_small(tmp_path) -> None:
    """What a confined job needs was loaded before: nothing here was imported by the test in its stead."""
    path = tmp_path / "fresh.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(4)
        handed = listener.fileno()
        process = subprocess.Popen([sys.executable, "-c", FRESH, str(handed)], pass_fds=[handed])
    try:
        client = Decoder(path, timeout=30)
        for name in MR:
            shape, data = _mr(name)
            assert client.view(shape, data) == normalise(shape, decode_frame(shape, data))
        for name in FILES:
            assert client.native_file(_read(name)[0])[128:132] == b"DICM"
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        assert int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1]) < 40 * 1024
    finally:
        process.kill()
        process.wait()
