"""Pictures made to hurt: the parent lives, its memory stays flat, the client gets a clear no in time."""

from __future__ import annotations

import random
import socket
import struct
import time

import imagecodecs
import numpy as np
import pytest

from appliance.decoder.server import Limits
from appliance.errors import BadInput, Damaged
from appliance.imaging.jobs import PREFIX
from appliance.imaging.shape import FrameShape

JPEG, EXTENDED, SV1, JLS, J2K, HTJ2K, RLE = (
    f"1.2.840.10008.1.2.{end}" for end in ("4.50", "4.51", "4.70", "4.80", "4.90", "4.201", "5")
)


def _run_length(picture: np.ndarray) -> bytes:
    """Encode both byte planes as literal runs (PS3.5 G)."""
    planes = []
    for plane in (picture >> 8, picture & 255):
        raw = plane.astype(np.uint8).tobytes()
        planes.append(b"".join(b"\x7f" + raw[at : at + 128] for at in range(0, len(raw), 128)))
    return struct.pack("<16I", 2, 64, 64 + len(planes[0]), *[0] * 13) + b"".join(planes)


PICTURE = np.add.outer(np.arange(96), np.arange(80)).astype(np.uint16) * 11
STREAMS = {
    JPEG: imagecodecs.jpeg8_encode(PICTURE.astype(np.uint8), 90),
    EXTENDED: imagecodecs.jpeg8_encode(PICTURE % 4096, 90, bitspersample=12),
    SV1: imagecodecs.jpeg8_encode(PICTURE, lossless=True, predictor=1),
    JLS: imagecodecs.jpegls_encode(PICTURE),
    J2K: imagecodecs.jpeg2k_encode(PICTURE, codecformat="j2k", reversible=True),
    HTJ2K: imagecodecs.htj2k_encode(PICTURE, reversible=True),
    RLE: _run_length(PICTURE),
}


def _shape(syntax: str, rows: int = 96, columns: int = 80, bits: int = 16) -> FrameShape:
    bits = 8 if syntax == JPEG else bits
    return FrameShape(rows, columns, 1, bits, bits, bits - 1, False, "MONOCHROME2", 0, syntax)


@pytest.fixture
def running(start):
    decoder = start(Limits(seconds=10))
    decoder.client.decode(_shape(J2K), STREAMS[J2K])
    before = decoder.memory()
    yield decoder
    assert decoder.alive()
    assert decoder.memory() < before + 4096
    assert len(decoder.client.decode(_shape(J2K), STREAMS[J2K])) == PICTURE.nbytes


@pytest.mark.parametrize("syntax", STREAMS)
def test_the_streams_are_good_before_they_are_hurt(running, syntax: str) -> None:
    assert len(running.client.decode(_shape(syntax), STREAMS[syntax])) == 96 * 80 * (1 if syntax == JPEG else 2)


@pytest.mark.parametrize("syntax", STREAMS)
def test_a_stream_of_other_dimensions_is_refused(running, syntax: str) -> None:
    # run lengths name no dimensions: of those, only too many pixels can be noticed
    swapped = () if syntax == RLE else ((80, 96), (48, 80))
    for rows, columns in (*swapped, (97, 80), (9600, 8000)):
        with pytest.raises(BadInput):
            running.client.decode(_shape(syntax, rows, columns), STREAMS[syntax])


@pytest.mark.parametrize("syntax", STREAMS)
def test_a_truncated_stream_gives_a_whole_picture_or_a_clear_no(running, syntax: str) -> None:
    stream, size = STREAMS[syntax], _shape(syntax).native_bytes
    for length in {0, 1, 10, 30, 64, 70, len(stream) // 3, len(stream) // 2, len(stream) - 1}:
        try:
            assert len(running.client.decode(_shape(syntax), stream[:length])) == size
        except BadInput:
            continue


@pytest.mark.parametrize("syntax", STREAMS)
def test_random_and_altered_bytes_are_survived(running, syntax: str) -> None:
    chance, size = random.Random(syntax), _shape(syntax).native_bytes
    with pytest.raises(BadInput):
        running.client.decode(_shape(syntax), chance.randbytes(5000))
    for _ in range(25):
        altered = bytearray(STREAMS[syntax])
        for _ in range(chance.randrange(1, 6)):
            altered[chance.randrange(len(altered))] = chance.randrange(256)
        try:
            assert len(running.client.decode(_shape(syntax), bytes(altered))) == size
        except BadInput:
            continue


def test_sixteen_megabytes_of_runs_do_not_become_a_gigabyte(running) -> None:
    runs = b"\x81\x00" * (8 * 1024 * 1024)
    data = struct.pack("<16I", 1, 64, *[0] * 14) + runs
    began = time.monotonic()
    with pytest.raises(BadInput):
        running.client.decode(_shape(RLE, 32768, 32768, bits=8), data)
    with pytest.raises(BadInput):
        running.client.decode(_shape(RLE, 32768, 32768, bits=16), data)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("side", [65535, 20000, 16384])
def test_huge_claims_of_jpeg_2000_are_refused(running, side: int) -> None:
    data = bytearray(STREAMS[J2K])
    data[8:16] = struct.pack(">2I", side, side)
    for tile in (side, 96):
        data[24:32] = struct.pack(">2I", tile, tile)
        with pytest.raises(BadInput):
            running.client.decode(_shape(J2K, side, side), bytes(data))


def test_a_deflated_bomb_stays_within_memory(running) -> None:
    import zlib
    from io import BytesIO

    import pydicom
    from pydicom.data import get_testdata_file

    dataset = pydicom.dcmread(str(get_testdata_file("image_dfl.dcm")))
    head = BytesIO()
    pydicom.dcmwrite(head, dataset)
    start_of_set = 144 + dataset.file_meta.FileMetaInformationGroupLength
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = packer.compress(bytes(1024**2)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = megabyte * 4096 + packer.flush()
    with pytest.raises(BadInput):
        running.client.native_file(head.getvalue()[:start_of_set] + bomb)


def test_malformed_jobs_are_answered_or_dropped(running) -> None:
    heads = (b"{}", b"[]", b"\xff\xfe", b"[" * 60000, b'{"kind":"frame","size":-1,"shape":null}', b"null")
    for raw in (*(PREFIX.pack(len(head)) + head for head in heads), PREFIX.pack(0xFFFFFFFF), b"\0"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(running.path))
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            assert b"error" in connection.recv(4096)


def test_a_job_beyond_the_size_limit_is_refused_unread(start) -> None:
    decoder = start(Limits(max_payload=1000))
    with pytest.raises((BadInput, Damaged)):
        decoder.client.decode(_shape(J2K), bytes(50_000_000))
    assert decoder.alive()
