"""The browser's layout: a plain little-endian read gives the stored value."""

from __future__ import annotations

import imagecodecs
import libjpeg
import numpy as np
import openjpeg
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import get_frame

from appliance.errors import BadInput
from appliance.imaging.frames import FrameShape, decode_frame, normalise
from appliance.imaging.layout import ybr_to_rgb

LE = "1.2.840.10008.1.2.1"


def _shape(
    rows,
    columns,
    samples=1,
    bits=16,
    stored=None,
    high=None,
    signed=False,
    photometric="MONOCHROME2",
    planar=0,
    syntax=LE,
):
    stored = stored or bits
    high = stored - 1 if high is None else high
    return FrameShape(rows, columns, samples, bits, stored, high, signed, photometric, planar, syntax)


def test_overlay_bits_above_the_stored_ones_are_cleared() -> None:
    native = np.array([[0xF123, 0x8FFF]], "<u2").tobytes()
    _, samples = normalise(_shape(1, 2, stored=12), native)
    assert np.frombuffer(samples, "<u2").tolist() == [0x123, 0xFFF]


def test_a_sign_below_the_top_bit_is_extended() -> None:
    native = np.array([[0x0FFF, 0x0800, 0x07FF]], "<u2").tobytes()
    layout, samples = normalise(_shape(1, 3, stored=12, signed=True), native)
    assert layout.signed
    assert np.frombuffer(samples, "<i2").tolist() == [-1, -2048, 2047]


def test_stored_bits_that_lie_high_are_moved_down() -> None:
    native = np.array([[0xABC0, 0x0010]], "<u2").tobytes()
    _, samples = normalise(_shape(1, 2, stored=12, high=15), native)
    assert np.frombuffer(samples, "<u2").tolist() == [0xABC, 1]


def test_one_bit_pixels_become_bytes_lowest_bit_first() -> None:
    layout, samples = normalise(_shape(1, 10, bits=1), bytes([0b00000101, 0b10]))
    assert layout.bits == 8
    assert list(samples) == [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]


def test_planes_are_interleaved() -> None:
    _, samples = normalise(_shape(1, 2, 3, 8, photometric="RGB", planar=1), bytes([1, 2, 3, 4, 5, 6]))
    assert list(samples) == [1, 3, 5, 2, 4, 6]


def test_subsampled_colours_serve_both_neighbours() -> None:
    layout, samples = normalise(_shape(1, 2, 3, 8, photometric="YBR_FULL_422"), bytes([10, 200, 128, 128]))
    assert layout.photometric == "RGB"
    assert list(samples) == [10, 10, 10, 200, 200, 200]


def test_colours_convert_as_pydicom_converts_them() -> None:
    from pydicom.pixels import convert_color_space

    grid = np.stack(np.meshgrid(*[np.arange(0, 256, 5, np.uint8)] * 3), -1).reshape(1, -1, 3)
    ours = ybr_to_rgb(grid).astype(int)
    assert np.abs(ours - convert_color_space(grid, "YBR_FULL", "RGB")).max() <= 1
    assert (ours != convert_color_space(grid, "YBR_FULL", "RGB")).mean() < 0.0001


def test_palette_indices_stay_indices() -> None:
    layout, samples = normalise(_shape(1, 3, bits=8, photometric="PALETTE COLOR"), b"\x00\x07\xff")
    assert (layout.photometric, samples) == ("PALETTE COLOR", b"\x00\x07\xff")


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 0},
        {"columns": 70000},
        {"samples": 2},
        {"bits_allocated": 12},
        {"bits_stored": 17},
        {"high_bit": 16},
        {"planar": 2},
        {"photometric": "HSV"},
        {"rows": 40000, "columns": 40000},
    ],
)
def test_an_impossible_description_is_refused(change: dict) -> None:
    with pytest.raises(BadInput):
        normalise(_shape(4, 4).with_(**change), bytes(32))


NOISE = np.random.default_rng(7).integers(0, 65536, (61, 47), np.uint16)


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_lossless_jpeg_of_every_predictor_equals_an_independent_decoder(predictor: int, bits: int) -> None:
    picture = (NOISE >> (16 - bits)).astype(np.uint8 if bits == 8 else np.uint16)
    stream = imagecodecs.jpeg8_encode(picture, lossless=True, predictor=predictor, bitspersample=bits)
    shape = _shape(61, 47, bits=8 if bits == 8 else 16, stored=bits, syntax="1.2.840.10008.1.2.4.57")
    assert decode_frame(shape, stream) == libjpeg.decode(stream).tobytes() == picture.tobytes()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"])
def test_lossless_codecs_give_back_what_was_encoded(syntax: str, signed: bool) -> None:
    picture = NOISE.view(np.int16) if signed else NOISE
    if syntax.endswith(".80"):
        stream = imagecodecs.jpegls_encode(picture.view(np.uint16))
        independent = libjpeg.decode(stream).view(picture.dtype)
    elif syntax.endswith(".90"):
        stream = imagecodecs.jpeg2k_encode(picture, codecformat="j2k", reversible=True)
        independent = openjpeg.decode(stream)
    else:
        stream = imagecodecs.htj2k_encode(picture, reversible=True)
        independent = openjpeg.decode(stream)
    ours = decode_frame(_shape(61, 47, signed=signed, syntax=syntax), stream)
    assert ours == picture.tobytes() == independent.tobytes()


def test_jpeg_ls_of_a_signed_picture_with_fewer_bits_keeps_its_sign() -> None:
    values = np.array([[-128, -1], [0, 127]], "<i2")
    stream = imagecodecs.jpegls_encode(values.astype(np.uint8))
    shape = _shape(2, 2, stored=8, signed=True, syntax="1.2.840.10008.1.2.4.80")
    native = decode_frame(shape, stream)
    assert native == values.tobytes()
    assert normalise(shape, native)[1] == values.tobytes()


def test_signed_jpeg_ls_of_a_wider_stream_is_cut_to_its_stored_bits() -> None:
    values = np.array([[-2048, -1], [0, 2047]], "<i2")
    stream = imagecodecs.jpegls_encode(values.view(np.uint16) & 0xFFF)
    shape = _shape(2, 2, stored=12, signed=True, syntax="1.2.840.10008.1.2.4.80")
    assert normalise(shape, decode_frame(shape, stream))[1] == values.tobytes()


def test_a_jpeg_2000_stream_of_the_wrong_sign_is_read_as_the_data_set_says() -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("J2K_pixelrep_mismatch.dcm")))
    shape = _shape(512, 512, stored=13, high=12, signed=True, syntax=str(dataset.file_meta.TransferSyntaxUID))
    native = decode_frame(shape, get_frame(dataset.PixelData, 0, number_of_frames=1))
    assert np.array_equal(np.frombuffer(native, "<i2").reshape(512, 512), dataset.pixel_array)
