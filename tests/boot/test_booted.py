"""The box as systemd starts it: the shipped role on a Debian 13 tree, booted, every process with its own user."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from tests.boot.tree import Tree

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make and boot a tree")
# Whose addresses and ports is a matter of the kernel's BPF, which is not there inside a container: not shown here.
IP = {"talk IP", "talk to the internet", "take another port"}
INSIDE, ACTS = (Path(__file__).with_name(name) for name in ("inside.py", "acts.py"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    made = Tree(tmp_path_factory.mktemp("tree") / "root")
    made.make()
    first = made.provision()
    assert first["failed"] == 0 and first["changed"] > 0
    yield made
    made.remove()


@pytest.fixture(scope="module")
def booted(tree: Tree) -> dict[str, Any]:
    """What was found in the booted box."""
    tree.init()
    tree.command("device", "endpoint", "--cabinet", "192.168.7.10:51820")
    shutil.copy2(str(get_testdata_file("CT_small.dcm")), tree.root / "root/picture.dcm")
    shutil.copy2(ACTS, tree.root / "opt/acts.py")
    found: dict[str, Any] = json.loads(tree.boot(INSIDE.read_text("utf-8")))
    return found


def test_the_role_applied_twice_changes_nothing(tree: Tree) -> None:
    assert tree.provision()["changed"] == 0


def test_every_unit_is_up_with_its_own_user(booted: dict[str, Any]) -> None:
    assert booted["units"] == dict.fromkeys(booted["units"], "active"), booted["journal"]
    assert booted["failed"] == ""
    assert booted["users"] == {unit: f"negato-{unit}" for unit in booted["units"]}


def test_only_the_planned_ports_are_open(booted: dict[str, Any]) -> None:
    assert booted["tunnel"] == "51820" and booted["firewall"] is True, booted["journal"]
    assert {port.rpartition(":")[2] for port in booted["ports"]} == {"80", "443", "11112", "51820"}


def test_an_image_is_received_and_viewed(booted: dict[str, Any]) -> None:
    assert booted["stored"] == 0 and booted["viewed"] is True, booted["journal"]
    assert "CompressedSamples" not in booted["journal"] and "unexpected" not in booted["journal"]


def test_what_root_decides_and_makes_anew_is_the_boxs_own(booted: dict[str, Any]) -> None:
    assert booted["by_root"]["listed"] is True and booted["by_root"]["inbox"] == [], (
        booted["by_root"],
        booted["journal"],
    )


def test_root_lets_in_equipment_and_devices_and_sees_how_the_box_is(booted: dict[str, Any]) -> None:
    assert booted["let_in"] is True, booted["equipment"]
    assert re.fullmatch("[0-9a-f]{16}", json.loads(booted["device"])["device"]), booted["device"]
    assert "tunnel: as it should be" in booted["status"], booted["status"]


def test_a_check_by_root_finds_nothing_wrong(booted: dict[str, Any]) -> None:
    assert json.loads(booted["check"]) == {"clean": True, "findings": []}
    assert json.loads(booted["record"])["whole"] is True


def test_the_machine_keeps_itself_safe(booted: dict[str, Any]) -> None:
    machine = booted["machine"]
    assert (machine["swap"], machine["ssh"], machine["watchdog"]) == ("", "masked", "30s")
    assert (machine["restart"], machine["updates"]) == ("active", "enabled")
    assert "Debian-Security" in machine["upgraded"] and 'label=Debian"' not in machine["upgraded"]
    assert "SystemMaxUse=200M" in machine["journal"]


# What each process may do of all that acts.py tries; everything else must be refused.
MAY = {
    "receiver": {"read the keys' public halves", "write the inbox", *IP},
    "keyagent": {"read a slot", "read the record", "write the record", "read the keys' public halves"},
    "web": {"read an object", "read the index", "write the inbox", "write the shelves", "read the keys' public halves"},
    "netd": {"read the tunnel's key", "read the keys' public halves", "change the network", "start a shell", *IP},
    "courier": IP,
    "decoder": set(),
}


@pytest.mark.parametrize("process", MAY)
def test_a_process_can_do_its_work_and_nothing_else(booted: dict[str, Any], process: str) -> None:
    found = booted["forbidden"][process]
    assert {act for act, said in found.items() if said == "done"} == MAY[process], found


def test_without_its_unit_every_act_is_possible(booted: dict[str, Any]) -> None:
    assert set(booted["forbidden"]["unrestricted"].values()) == {"done"}, booted["forbidden"]["unrestricted"]


def test_the_exposure_stays_under_its_ceiling(booted: dict[str, Any]) -> None:
    ceilings = {unit: 3.0 if unit == "netd" else 1.5 for unit in booted["exposure"]}
    assert {unit for unit, said in booted["exposure"].items() if float(said) > ceilings[unit]} == set()
