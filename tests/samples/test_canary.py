"""A search that finds nothing is worth something only when it finds what is there."""

from __future__ import annotations

import socket
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.samples import search
from tests.samples.canary import TEXT_VRS, stamp
from tests.samples.collection import collection
from tests.samples.ct import slices
from tests.samples.search import find_canaries

TEXT = "Zéphyrin0123456789"


def test_every_text_value_of_a_stamped_file_is_a_canary() -> None:
    stamped, canaries = stamp(next(slices(1)))
    texts = {canary.text for canary in canaries}
    assert len(texts) == len(canaries) > 40

    def walk(dataset) -> None:  # type: ignore[no-untyped-def]
        for element in dataset:
            if element.VR == "SQ":
                for item in element.value:
                    walk(item)
            elif element.VR in TEXT_VRS and not element.tag.is_private_creator and element.value:
                assert str(element.value).removesuffix("^Kanari") in texts, element

    walk(dcmread(BytesIO(stamped.data)))


def test_stamping_keeps_transfer_syntax_and_pixels() -> None:
    for sample in (sample for sample in collection() if sample.name.endswith(("MR_small_RLE.dcm", "JPEG2000.dcm"))):
        stamped, _ = stamp(sample)
        assert stamped.transfer_syntax == sample.transfer_syntax
        assert dcmread(BytesIO(stamped.data)).PixelData == dcmread(BytesIO(sample.data)).PixelData


def test_every_canary_of_a_file_left_in_clear_is_found(tmp_path: Path) -> None:
    stamped, canaries = stamp(next(slices(1)))
    (tmp_path / "leak").write_bytes(stamped.data)
    found = {find.text for find in find_canaries(tmp_path, [canary.text for canary in canaries], limit=10_000)}
    assert found == {canary.text for canary in canaries}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-16-le", "utf-16-be"])
def test_a_canary_is_found_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "index.db-wal").write_bytes(b"\0" * 999 + TEXT.encode(encoding) + b"\xff" * 77)
    assert [find.encoding for find in find_canaries(tmp_path, [TEXT])].count(encoding) == 1


def test_a_canary_across_two_reads_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "CHUNK", 64)
    for start in range(40, 70):
        (tmp_path / "file").write_bytes(b"." * start + TEXT.encode() + b"." * 90)
        finds = find_canaries(tmp_path, [TEXT])
        assert [find.offset for find in finds if find.encoding == "utf-8"] == [start]


def test_a_canary_whose_accent_was_mangled_is_found(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"name=Z?phyrin0123456789")
    assert find_canaries(tmp_path, [TEXT])


def test_a_file_name_is_searched_too(tmp_path: Path) -> None:
    (tmp_path / f"{TEXT}.dcm").touch()
    assert find_canaries(tmp_path, [TEXT])


def test_sockets_are_passed_over_and_clean_files_give_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.sock"))
        (tmp_path / "clean").write_bytes(bytes(range(256)) * 1000)
        assert find_canaries(tmp_path, [TEXT]) == []


def test_a_short_canary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="12 bytes"):
        find_canaries(tmp_path, ["Dupont"])
