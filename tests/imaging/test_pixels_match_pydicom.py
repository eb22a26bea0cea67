"""Every readable picture of pydicom's test sets decodes to what pydicom and its codecs decode."""

from __future__ import annotations

import logging
import site
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import get_frame

from appliance.errors import BadInput
from appliance.imaging.frames import FrameShape, decode, decode_frame, normalise

LOSSY = {
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.91",
}
# no readable pixel description, for pydicom neither
UNREADABLE = {
    "badVR.dcm": "NumberOfFrames is not a number",
    "meta_missing_tsyntax.dcm": "no transfer syntax",
    "OT-PAL-8-face.dcm": "no transfer syntax",
    "nested_priv_SQ.dcm": "pixel data without rows and columns",
}
REFUSED = {
    "MR_truncated.dcm": "62 bytes of the pixels are missing",
    "JPEG2000-embedded-sequence-delimiter.dcm": "pydicom's reader cuts the value at an embedded delimiter",
}
WE_ALONE = {"JPEG-lossy.dcm": "12-bit JPEG whose scan header pylibjpeg refuses (spectral selection)"}
# both within 3 levels of YCbCr (libjpeg-turbo equals Pillow exactly), which 1.772 makes 5 levels of blue
WIDER = {"color3d_jpeg_baseline.dcm": 5}


def _files() -> list[Path]:
    root = Path(site.getsitepackages()[0])
    folders = (root / "pydicom/data/test_files", root / "data_store/data")
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
            try:
                dataset = pydicom.dcmread(path, force=True)
                if "PixelData" in dataset:
                    found.append(path)
            except Exception:
                continue
    return found


FILES = _files()


def shape_of(dataset: pydicom.Dataset) -> FrameShape:
    return FrameShape(
        dataset.Rows,
        dataset.Columns,
        dataset.SamplesPerPixel,
        dataset.BitsAllocated,
        dataset.BitsStored,
        dataset.HighBit,
        bool(dataset.PixelRepresentation),
        dataset.PhotometricInterpretation,
        int(dataset.get("PlanarConfiguration") or 0),
        str(dataset.file_meta.TransferSyntaxUID),
        dataset["PixelData"].VR == "OW",
    )


def encoded_frame(dataset: pydicom.Dataset, shape: FrameShape, index: int, frames: int) -> bytes:
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return get_frame(dataset.PixelData, index, number_of_frames=frames)
    start = index * shape.native_bytes
    return dataset.PixelData[start : start + shape.native_bytes + shape.native_bytes % 2]


def _normalised(shape: FrameShape, data: bytes) -> np.ndarray:
    layout, samples = normalise(*decode(shape, data))
    kind = f"<{'i' if layout.signed else 'u'}{layout.bits // 8}"
    wanted = (layout.rows, layout.columns) + ((3,) if layout.samples == 3 else ())
    return np.frombuffer(samples, kind).reshape(wanted)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_picture_is_the_same_as_pydicoms(path: Path) -> None:
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    dataset = pydicom.dcmread(path, force=True)
    if path.name in UNREADABLE:
        with pytest.raises(Exception, match=""):
            dataset.pixel_array  # noqa: B018
        return
    shape, frames = shape_of(dataset), int(dataset.get("NumberOfFrames") or 1)
    if path.name in REFUSED:
        with pytest.raises(BadInput):
            decode_frame(shape, encoded_frame(dataset, shape, 0, frames))
        with pytest.raises((ValueError, RuntimeError)):
            dataset.pixel_array  # noqa: B018
        return
    if path.name in WE_ALONE:
        with pytest.raises(RuntimeError):
            dataset.pixel_array  # noqa: B018
        assert _normalised(shape, encoded_frame(dataset, shape, 0, frames)).any()
        return
    tolerance = WIDER.get(path.name, 3 if shape.transfer_syntax in LOSSY else 0)
    whole = dataset.pixel_array
    for index in sorted({0, frames // 2, frames - 1}):
        expected = whole[index] if frames > 1 else whole
        ours = _normalised(shape, encoded_frame(dataset, shape, index, frames))
        assert ours.shape == expected.shape
        assert np.abs(ours.astype(np.int64) - expected.astype(np.int64)).max() <= tolerance


def test_the_test_sets_were_found() -> None:
    assert len(FILES) > 120
    assert {path.name for path in FILES} >= {*UNREADABLE, *REFUSED, *WE_ALONE, *WIDER}
