"""The image as it is flashed: boots, makes an archive, takes a picture from the network, shows it, keeps it sealed.

``NEGATO_TEST_IMAGE`` names the compressed image. Each step's seconds are printed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from tests.box import PASSPHRASE, free_ports
from tests.vm.machine import Machine, booted

CANARY = "CANARY-PATIENT-7391"
DISK_BYTES = 6 * 1024**3
STEPS = (("ready", 900), ("made", 600), ("stored", 300), ("viewed", 300))


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture with a patient whose id would be found anywhere."""
    found = dcmread(str(get_testdata_file("CT_small.dcm")))
    found.PatientID = CANARY
    made = tmp_path_factory.mktemp("picture") / "picture.dcm"
    buffer = BytesIO()
    found.save_as(buffer)
    made.write_bytes(buffer.getvalue())
    return made


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image as it lies on a disk; its checksum is the one beside it."""
    compressed = Path(os.environ["NEGATO_TEST_IMAGE"])
    sums = (compressed.parent / "SHA256SUMS").read_text("ascii")
    with compressed.open("rb") as file:
        assert f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {compressed.name}\n" in sums
    raw = tmp_path_factory.mktemp("image") / "disk.img"
    subprocess.run(["zstd", "-q", "-d", str(compressed), "-o", str(raw), "--sparse"], check=True)
    return raw


@pytest.fixture(scope="module")
def run(
    image: Path, picture: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Machine, dict[str, Any]]]:
    """The machine after it was switched off, and what its probe said at each step."""
    probe = {"probe.py": Path(__file__).with_name("probe.py").read_bytes(), "passphrase": PASSPHRASE.encode()}
    told: dict[str, Any] = {}
    with booted(image, tmp_path_factory.mktemp("machine"), probe, free_ports(1)[0]) as machine:
        for step, within in STEPS:
            told[step] = machine.told(step, within)
            print(f"{step}: {machine.seconds():.0f} s")
            if step == "made":
                command = ["storescu", "-aec", "NEGATOSCOPE", "127.0.0.1", str(machine.dicom_port), str(picture)]
                done = subprocess.run(command, capture_output=True, timeout=120)
                assert done.returncode == 0, done.stderr
        machine.ended(180)
        print(f"off: {machine.seconds():.0f} s")
        yield machine, told


def test_it_boots_unmodified_and_grows_to_its_disk(run: tuple[Machine, dict[str, Any]]) -> None:
    ready = run[1]["ready"]
    assert ready["failed"] == ""
    assert ready["root_bytes"] > 0.85 * (DISK_BYTES - 512 * 1024**2)


def test_before_there_is_an_archive_nothing_of_the_box_runs_and_nobody_can_log_in(
    run: tuple[Machine, dict[str, Any]],
) -> None:
    ready = run[1]["ready"]
    assert set(ready["units"].values()) == {"inactive"}
    assert ready["logins"] == []
    outside = [port for port in ready["ports"] if not port.startswith(("127.", "[::1]"))]
    assert {port.rpartition(":")[2] for port in outside} <= {"68", "546"}, "nothing but the clients of DHCP"


def test_the_kernels_own_wireguard_and_the_firewall_are_up(run: tuple[Machine, dict[str, Any]]) -> None:
    made = run[1]["made"]
    assert made["kernel_wireguard"] is True and made["firewall"] is True
    assert made["tunnel"] == ["51820"]


def test_a_picture_from_the_network_is_shown(run: tuple[Machine, dict[str, Any]], picture: Path) -> None:
    viewed = run[1]["viewed"]
    assert viewed["patient"] == CANARY
    assert viewed["frame_bytes"] == len(dcmread(picture).pixel_array.tobytes())


def test_no_name_of_a_patient_is_on_the_raw_disk(run: tuple[Machine, dict[str, Any]], tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(run[0].disk), str(raw)], check=True)
    wanted = {encoding: CANARY.encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be")}
    found = set()
    with raw.open("rb") as file:
        tail = b""
        while piece := file.read(1 << 24):
            found |= {encoding for encoding, text in wanted.items() if text in tail + piece}
            tail = piece[-64:]
    assert found == set()
    with raw.open("r+b") as file:  # The search itself finds one that is there.
        file.seek(raw.stat().st_size // 2)
        file.write(CANARY.encode())
        file.seek(raw.stat().st_size // 2)
        assert CANARY.encode() in file.read(1 << 12)
