"""What the synthetic images promise."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from tests.samples.ct import slices, stored
from tests.samples.panoramic import panoramic
from tests.samples.part10 import Sample
from tests.samples.radiograph import radiograph


def read(sample: Sample):  # type: ignore[no-untyped-def]
    return dcmread(BytesIO(sample.data))


def test_building_a_sample_twice_gives_the_same_bytes() -> None:
    assert [sample.data for sample in slices(3)] == [sample.data for sample in slices(3)]
    assert panoramic().data == panoramic().data
    assert radiograph(7).data == radiograph(7).data


def test_a_ct_slice_carries_the_header_of_a_real_scanner() -> None:
    dataset = read(next(slices(200)))
    assert len(dataset) >= 80
    assert (dataset.Rows, dataset.Columns, dataset.BitsAllocated, dataset.BitsStored) == (512, 512, 16, 12)
    assert (dataset.RescaleIntercept, dataset.RescaleSlope, dataset.PixelRepresentation) == (-1024, 1, 0)
    assert dataset.pixel_array.max() <= 4095


def test_the_ct_is_one_series_in_order_of_position() -> None:
    series = [read(sample) for sample in slices(6)]
    assert len({dataset.SeriesInstanceUID for dataset in series}) == 1
    assert len({dataset.SOPInstanceUID for dataset in series}) == 6
    positions = [float(dataset.ImagePositionPatient[2]) for dataset in series]
    assert positions == sorted(positions, reverse=True)


@pytest.mark.parametrize(("z", "at", "low", "high"), [(110, (256, 150), -950, -700), (260, (256, 180), 60, 160)])
def test_the_ct_shows_air_in_the_lung_and_tissue_in_the_liver(z: int, at: tuple[int, int], low: int, high: int) -> None:
    y, x = at
    patch = stored(z, 1, 0)[y - 6 : y + 6, x - 6 : x + 6].astype(int) - 1024
    assert low < np.median(patch) < high
    assert patch.std() > 4, "noise is there"


def test_the_panoramic_is_a_large_twelve_bit_radiograph_with_teeth_brighter_than_air() -> None:
    dataset = read(panoramic())
    pixels = dataset.pixel_array
    assert pixels.shape == (1400, 2800) and dataset.Modality == "PX" and dataset.BitsStored == 12
    incisors, airway = pixels[600:700, 1340:1460], pixels[350:420, 1020:1080]
    assert np.median(incisors) > 2 * np.median(airway)


def test_the_bench_radiograph_is_full_size() -> None:
    sample = radiograph(1)
    assert read(sample).pixel_array.shape == (3000, 2500)
    assert len(sample.data) > 15_000_000
