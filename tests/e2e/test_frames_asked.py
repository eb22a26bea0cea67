"""Frames over WADO-RS: many in one request take little memory, and one that cannot be decoded is said to be so."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO

import httpx
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from tests.box import Box, running
from tests.e2e.memory import peak
from tests.e2e.objects import STOW, stow_body, tiny
from tests.samples.part10 import wrap


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with running(tmp_path_factory.mktemp("frames")) as started:
        yield started


LEVELS = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}


def path_of(client: httpx.Client, sop_instance: str) -> str:
    """Return the path of an instance as the list names it."""
    (found,) = client.get("/dicom-web/instances", params={"SOPInstanceUID": sop_instance}).json()
    return "/dicom-web/" + "/".join(f"{kind}/{found[tag]['Value'][0]}" for kind, tag in LEVELS.items())


def test_many_decoded_frames_of_one_request_take_the_memory_of_a_few(box: Box) -> None:
    side, count = 2048, 60
    with box.login() as client:
        assert client.post("/dicom-web/studies", content=stow_body([run_length(side)]), headers=STOW).status_code == 200
        web = box.children()["web"]
        path = path_of(client, tiny("run length").sop_instance)
        before, taken = peak(web), 0
        frames = ",".join(["1"] * count)
        accept = {"Accept": 'multipart/related; type="application/octet-stream"', "Accept-Encoding": "identity"}
        with client.stream("GET", f"{path}/frames/{frames}", headers=accept) as answer:
            assert answer.status_code == 200
            for piece in answer.iter_raw():
                taken += len(piece)
        assert taken > count * side * side * 2
        assert peak(web) - before < 150


def run_length(side: int) -> bytes:
    """Return a black square picture of 16 bits, run-length encoded (PS3.5 G)."""
    plain = dcmread(BytesIO(tiny("run length", Rows=side, Columns=side, pixels=bytes(side * side * 2)).data))
    plain.compress(RLELossless, generate_instance_uid=False)
    written = BytesIO()
    plain.save_as(written)
    return written.getvalue()


def test_a_frame_that_cannot_be_decoded_is_told_without_blaming_the_request(box: Box) -> None:
    sample = tiny("broken", pixels=encapsulate([b"no JPEG at all"]))
    file = wrap("broken", sample.sop_class, sample.sop_instance, "1.2.840.10008.1.2.4.50", undefined(sample.dataset))
    with box.login() as client:
        assert client.post("/dicom-web/studies", content=stow_body([file.data]), headers=STOW).status_code == 200
        answer = client.get(
            f"{path_of(client, sample.sop_instance)}/frames/1", headers={"Accept": "application/octet-stream"}
        )
        assert (answer.status_code, answer.json()["next_step"]) == (406, "Accept transfer-syntax=*.")


def undefined(dataset: bytes) -> bytes:
    """Return a data set whose last element is made of items: undefined length, and the delimiter at the end."""
    at = dataset.rindex(b"\xe0\x7f\x10\x00")
    (length,) = struct.unpack_from("<I", dataset, at + 8)
    items = dataset[at + 12 : at + 12 + length]
    return dataset[:at] + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + items + b"\xfe\xff\xdd\xe0\0\0\0\0"
