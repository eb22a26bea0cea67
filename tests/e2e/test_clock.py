"""A clock that jumps ten years either way breaks no chain, no lease and no order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.box import Box, wait_for
from tests.samples.collection import collection
from tests.samples.modality import send
from tests.samples.part10 import Sample

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
ROOT = Path(__file__).parents[2]
YEARS = (0, 10, -10)


# Debian's libfaketime 0.9.10 refuses clock_nanosleep(2) to a moment of the monotonic clock, which Python sleeps with.
SLEEP = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds)\n"


def clock_at(moment: str, folder: Path) -> dict[str, str]:
    """Return the environment in which programs see another wall clock; the monotonic one stays as it is.

    ``folder`` takes a file that every Python program of the environment loads at its start.
    """
    assert LIBRARY is not None, "libfaketime is missing: apt-get install faketime"
    (folder / "sitecustomize.py").write_text(SLEEP)
    return {
        "PYTHONPATH": f"{folder}:{ROOT}",
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME": moment if moment.startswith(("+", "-")) else f"@{moment}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "FAKETIME_NO_CACHE": "1",
    }


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A box whose clock is read from a file, so that it can be set while everything runs."""
    made = Box(tmp_path)
    made.init()
    set_clock(made, 0)
    environment = clock_at("+0", tmp_path)
    del environment["FAKETIME"]
    made.environment |= environment | {"FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock")}
    made.start()
    yield made
    made.stop()


def set_clock(box: Box, years: int) -> None:
    """Set the clock of every process of the box."""
    fresh = box.root / "clock.new"
    fresh.write_text(f"{years * 365:+d}d\n")
    fresh.rename(box.root / "clock")


def samples() -> Iterator[Sample]:
    return (sample for sample in collection() if len(sample.data) < 200_000)


def audit_lines(box: Box, event: str = "") -> list[dict[str, Any]]:
    done = box.run("audit", "list", "--json", "--event", event or "keyagent:", "--state", str(box.state))
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_clock_of_the_box_can_be_set_by_this_test(box: Box) -> None:
    for years in YEARS:
        set_clock(box, years)
        with box.client() as client:
            client.post("/api/session", json={"user": "nobody", "password": "wrong"})
        seen = datetime.fromisoformat(audit_lines(box, "keyagent:person:refused")[-1]["at"])
        assert abs(seen - datetime.now(UTC) - timedelta(days=365 * years)) < timedelta(days=2)


def test_sessions_and_their_order_survive_every_jump(box: Box) -> None:
    """Store, log in, read and lock with the clock set forth and back in between."""
    waiting = samples()
    stored = 0
    for forth, back in itertools.pairwise((*YEARS, 0)):
        set_clock(box, forth)
        assert all(answer.stored for answer in send([next(waiting)], "127.0.0.1", box.dicom_port))
        stored += 1
        with box.login() as client:
            box.settled(client, stored)
            set_clock(box, back)
            assert client.get("/api/session").status_code == 200, "the jump ended the session"
            assert all(answer.stored for answer in send([next(waiting)], "127.0.0.1", box.dicom_port))
            stored += 1
            box.settled(client, stored)
            study = client.post("/api/studies/search", json={}).json()["studies"][0]["key"]
            series = client.get(f"/api/studies/{study}").json()["series"][0]["key"]
            instance = client.get(f"/api/series/{series}").json()["instances"][0]["key"]
            assert client.get(f"/api/instances/{instance}/frames/1").status_code in (200, 400, 404)
        set_clock(box, forth)
        box.lock()
    done = box.run("audit", "verify", "--json", "--state", str(box.state))
    assert done.returncode == 0, done.stderr.decode()
    numbers = [line["seq"] for line in audit_lines(box)]
    assert numbers == list(range(1, len(numbers) + 1))
    moments = [line["at"] for line in audit_lines(box)]
    assert moments != sorted(moments), "the clock did not jump"
    assert len(audit_lines(box, "keyagent:person:login")) == 3
    assert [line["reason"] for line in audit_lines(box, "keyagent:archive:lock")] == ["asked"] * 3


def test_of_two_images_under_one_uid_the_first_to_arrive_stays_whatever_the_clock_says(box: Box) -> None:
    """The second one arrives while the clock is ten years back: it is still the second."""
    first = next(samples())
    second = Sample(**{**_fields(first), "data": _other_pixels(first.data)})
    set_clock(box, 10)
    assert all(answer.stored for answer in send([first], "127.0.0.1", box.dicom_port))
    set_clock(box, -10)
    assert all(answer.stored for answer in send([second], "127.0.0.1", box.dicom_port))
    with box.login() as client:
        wait_for(lambda: client.get("/api/status").json()["waiting"] == 0, 30)
        assert box.count(client) == 1
        (listed,) = client.get("/dicom-web/instances").json()
        uids = [listed[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]
        raw = client.get(
            "/dicom-web/studies/{}/series/{}/instances/{}".format(*uids),
            headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
        ).content
    assert first.data[-64:] in raw and second.data[-64:] not in raw


def _other_pixels(data: bytes) -> bytes:
    return data[:-64] + bytes(255 - byte for byte in data[-64:])


def _fields(sample: Sample) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in sample.__dataclass_fields__}


def test_a_missing_libfaketime_is_said_clearly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(globals(), "LIBRARY", None)
    with pytest.raises(AssertionError, match="apt-get install faketime"):
        clock_at("+0", tmp_path)
