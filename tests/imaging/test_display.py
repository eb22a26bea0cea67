"""The reference picture: modality, window and palette as pydicom applies them."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

from appliance.errors import BadInput
from appliance.imaging.display import Lookup, Window, grey, modality, palette

STORED = np.arange(-1024, 3072, dtype=np.int16)


def _dataset(**values: object) -> Dataset:
    dataset = Dataset()
    dataset.PixelRepresentation = 1
    dataset.BitsStored = 16
    dataset.BitsAllocated = 16
    dataset.PhotometricInterpretation = "MONOCHROME2"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(40, 400), (300.5, 1), (-600, 1500), (0, 2), (2047.25, 4095.5)])
def test_a_window_is_pydicoms(function: str, center: float, width: float) -> None:
    dataset = _dataset(WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    if function == "LINEAR" and width == 1:
        expected = np.where(center - 0.5 >= STORED, 0.0, 1.0)
    else:
        low, high = -32768, 32767
        expected = (apply_voi_lut(STORED, dataset) - low) / (high - low)
    ours = Window(center, width, function).apply(STORED)
    assert np.allclose(ours, expected, atol=1e-6)
    assert np.abs(grey(STORED, Window(center, width, function)) - expected * 255).max() <= 0.51


def test_rescale_is_pydicoms() -> None:
    dataset = _dataset(RescaleSlope=1.25, RescaleIntercept=-1024)
    assert np.array_equal(modality(STORED, 1.25, -1024), apply_modality_lut(STORED, dataset))


def test_monochrome1_is_inverted() -> None:
    shown = grey(STORED, Window(500, 1000), inverted=True)
    assert (shown[0], shown[-1]) == (255, 0)


def _lookup(item: Dataset) -> Lookup:
    entries, first, bits = item.LUTDescriptor
    data = item.LUTData
    raw = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.array(data, np.uint16)
    assert raw.size == (entries or 65536)
    return Lookup(first, bits, raw)


@pytest.mark.filterwarnings("ignore")
def test_a_modality_table_is_pydicoms() -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("mlut_18.dcm")))
    ours = modality(dataset.pixel_array, lookup=_lookup(dataset.ModalityLUTSequence[0]))
    assert np.array_equal(ours, apply_modality_lut(dataset.pixel_array, dataset))


@pytest.mark.filterwarnings("ignore")
def test_a_voi_table_is_pydicoms() -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("vlut_04.dcm")))
    lookup = _lookup(dataset.VOILUTSequence[0])
    expected = apply_voi_lut(dataset.pixel_array, dataset)
    assert np.array_equal(lookup.apply(dataset.pixel_array), expected)
    assert np.abs(grey(dataset.pixel_array, lookup) - expected / (2**lookup.bits - 1) * 255).max() <= 0.51


@pytest.mark.filterwarnings("ignore")
def test_a_palette_is_pydicoms() -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("examples_palette.dcm")))
    tables = []
    for colour in ("Red", "Green", "Blue"):
        entries, first, bits = dataset[f"{colour}PaletteColorLookupTableDescriptor"].value
        raw = np.frombuffer(dataset[f"{colour}PaletteColorLookupTableData"].value, "<u2" if bits == 16 else "u1")
        tables.append(Lookup(first, bits, raw[: entries or 65536]))
    expected = apply_color_lut(dataset.pixel_array, dataset)
    assert np.array_equal(palette(dataset.pixel_array, *tables), expected >> (8 if expected.dtype == np.uint16 else 0))


def test_values_outside_a_table_take_its_ends() -> None:
    table = Lookup(10, 8, np.array([1, 2, 3], np.uint8))
    assert table.apply(np.array([-5, 10, 12, 99])).tolist() == [1, 1, 3, 3]


def test_a_window_without_width_is_refused() -> None:
    for window in (Window(0, 0), Window(0, 0, "LINEAR_EXACT"), Window(0, -1, "SIGMOID")):
        with pytest.raises(BadInput):
            window.apply(STORED)
    with pytest.raises(BadInput):
        Lookup(0, 8, np.array([], np.uint8)).apply(STORED)
