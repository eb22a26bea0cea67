"""system.db: older files are brought forward, newer and harmed ones refused."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from appliance.errors import Damaged, EnvironmentProblem
from appliance.people.devices import Devices
from appliance.people.file import SystemFile
from appliance.people.models import Device, Tunnel
from appliance.people.store import People

# As the first version and the first one with a digest wrote it.
PERSON = (
    "CREATE TABLE person (id VARCHAR NOT NULL, name VARCHAR NOT NULL, role VARCHAR NOT NULL, created VARCHAR NOT NULL,"
    " sees_images BOOLEAN NOT NULL, left_at VARCHAR NOT NULL, PRIMARY KEY (id))"
)
ROW = ["a" * 16, "Dr Essai", "owner", "2026-11-24T08:30:00.125Z", 0, ""]
DIGEST = hashlib.sha256(json.dumps({"person": [ROW]}, sort_keys=True).encode("ascii")).hexdigest()


@pytest.fixture(params=[0, 1])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of an earlier version with one person."""
    path = tmp_path / "system.db"
    with sqlite3.connect(path) as connection:
        connection.execute(PERSON)
        connection.execute("INSERT INTO person VALUES (?, ?, ?, ?, ?, ?)", ROW)
        if request.param == 1:
            connection.execute("CREATE TABLE content (id INTEGER NOT NULL, sha256 VARCHAR NOT NULL, PRIMARY KEY (id))")
            connection.execute("INSERT INTO content VALUES (1, ?)", [DIGEST])
            connection.execute("PRAGMA user_version = 1")
    connection.close()
    return path


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def tunnel() -> Tunnel:
    return Tunnel(id=1, ipv4="10.83.12.1/24", ipv6="fd12::1/64")


def fresh(file: SystemFile) -> Devices:
    file.create()
    devices = Devices(file)
    devices.ensure_tunnel(tunnel)
    return devices


def row(number: int) -> Device:
    return Device(
        id=f"{number:016x}", person="a" * 16, name="Phone", kind="phone", public_key=f"{number}", preshared_key="",
        ipv4=f"10.83.12.{number}", ipv6=f"fd12::{number}", reach="pages", state="active", created="",
    )  # fmt: skip


def test_an_older_file_gets_its_tables_and_keeps_its_people(older: Path) -> None:
    file = SystemFile(older)
    assert [person.name for person in People(file).everybody()] == ["Dr Essai"]
    devices = Devices(file)
    assert devices.all() == []
    devices.ensure_tunnel(tunnel)
    devices.add(lambda _others: row(2))
    file.close()
    again = SystemFile(older)
    assert Devices(again).at("10.83.12.2") is not None
    assert Devices(again).at("fd12::2") is not None
    assert version(older) == 2
    again.close()


@pytest.mark.parametrize("older", [1], indirect=True)
def test_a_harmed_older_file_is_not_brought_forward_silently(older: Path) -> None:
    connection = sqlite3.connect(older)
    connection.execute("UPDATE person SET role = 'doctor'")
    connection.commit()
    connection.close()
    with pytest.raises(Damaged):
        People(SystemFile(older)).everybody()


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "system.db"
    fresh(SystemFile(path))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(EnvironmentProblem, match="newer"):
        People(SystemFile(path)).everybody()


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE device SET person = 'b'", "UPDATE device SET state = 'active'", "DELETE FROM device",
        "UPDATE tunnel SET ipv4 = '10.0.0.1/24'", "DELETE FROM tunnel",
    ],
)  # fmt: skip
def test_a_changed_row_of_any_table_is_noticed(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "system.db"
    devices = fresh(SystemFile(path))
    devices.add(lambda _others: row(2))
    devices.change(row(2).id, lambda found: setattr(found, "state", "revoked"))
    connection = sqlite3.connect(path)
    connection.execute(harm)
    connection.commit()
    connection.close()
    with pytest.raises(Damaged):
        Devices(SystemFile(path)).all()


def test_what_is_decided_while_writing_is_decided_on_what_is_there(tmp_path: Path) -> None:
    """Two writers with files of their own: the second sees what the first wrote."""
    path = tmp_path / "system.db"
    one, other = fresh(SystemFile(path)), Devices(SystemFile(path))
    one.add(lambda others: row(2 + len(others)))
    other.add(lambda others: row(2 + len(others)))
    assert [device.ipv4 for device in one.all()] == ["10.83.12.2", "10.83.12.3"]


def test_a_refused_change_leaves_nothing(tmp_path: Path) -> None:
    devices = fresh(SystemFile(tmp_path / "system.db"))
    devices.add(lambda _others: row(2))

    def half(found: Device) -> None:
        found.state = "revoked"
        raise EnvironmentProblem("netd is away")

    with pytest.raises(EnvironmentProblem):
        devices.change(row(2).id, half)
    assert devices.by_id(row(2).id).state == "active"
