"""Archives, and a box between a practice network and the internet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.box import Box
from tests.netd.box import ANSWER, Netd
from tests.netd.namespaces import Namespace, cable, namespaces


@pytest.fixture(scope="session")
def made_state(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """An archive that no test touches."""
    box = Box(tmp_path_factory.mktemp("made"))
    box.init()
    return box


@pytest.fixture
def state(made_state: Box, tmp_path: Path) -> Path:
    """A fresh archive."""
    return shutil.copytree(made_state.state, tmp_path / "state")


@dataclass
class Ground:
    """The machines: ``box`` with programs that answer on ports of pages and DICOM, ``lan`` in the practice, ``net``
    outside."""

    box: Namespace
    lan: Namespace
    net: Namespace
    netd: Netd
    folder: Path


@contextmanager
def _ground(state: Path, folder: Path) -> Iterator[Ground]:
    with namespaces("box", "lan", "net") as (box, lan, net):
        cable(box, lan, device="lan0", subnet4="192.168.77", subnet6="fd77", hosts=(2, 9))
        cable(box, net, device="wan0", subnet4="203.0.113", subnet6="2001:db8:113", hosts=(2, 9))
        lan.run("ip", "route", "add", "default", "via", "192.168.77.2")
        lan.run("ip", "-6", "route", "add", "default", "via", "fd77::2")
        lan.run("ip", "address", "add", "192.168.77.10/24", "dev", "lan0")
        listening = box.start("python3", "-c", ANSWER, "80", "443", "11112", "11113", "2222", stdout=-1)
        assert listening.stdout is not None and listening.stdout.readline() == b"up\n"
        netd = Netd(state, folder / "netd.log", space=box)
        netd.start()
        try:
            yield Ground(box, lan, net, netd, folder)
        finally:
            netd.stop()


@pytest.fixture
def ground(state: Path, tmp_path: Path) -> Iterator[Ground]:
    """A box for one test that harms it; its netd has not been asked for anything."""
    with _ground(state, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared(made_state: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A box for tests that each apply what they need."""
    folder = tmp_path_factory.mktemp("shared")
    with _ground(shutil.copytree(made_state.state, folder / "state"), folder) as made:
        yield made
