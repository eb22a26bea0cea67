"""More connections than select(2) has descriptors for: a sensor is told that no place is left, then served."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from pathlib import Path

from tests.box import Box, running, wait_for

PLACES = 256
# Twice as many connections are let in, half of them to be told; each holds two descriptors in the receiver.
SILENT = 511
ONE_ADDRESS = 103


def connect(box: Box, number: int) -> socket.socket:
    """Connect from one of several addresses of loopback, since none may hold more than half of the places."""
    return socket.create_connection(
        ("127.0.0.1", box.dicom_port), 10, source_address=(f"127.0.7.{1 + number // ONE_ADDRESS}", 0)
    )


def descriptors(box: Box) -> int:
    return len(list(Path(f"/proc/{box.children()['receiver']}/fd").iterdir()))


def echoscu(box: Box) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["echoscu", "-to", "10", "-aec", "NEGATOSCOPE", "127.0.0.1", str(box.dicom_port)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_sensor_is_told_that_every_place_is_taken_and_served_once_one_is_free(tmp_path: Path) -> None:
    with running(tmp_path, associations=str(PLACES)) as box:
        with contextlib.ExitStack() as held:
            for number in range(SILENT):
                held.enter_context(connect(box, number))
            wait_for(lambda: descriptors(box) > 1023, 20)
            refused = echoscu(box)
            assert refused.returncode != 0 and "Local Limit Exceeded" in refused.stderr, refused.stderr
        wait_for(lambda: echoscu(box).returncode == 0, 20)
