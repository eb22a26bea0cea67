"""One practice with a running box, a phone on 4G and everybody else, for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.line import Line
from tests.lab.machines import LabBox, WireGuardApp
from tests.lab.mapper import Mapper
from tests.lab.places import Places, places


@dataclass(frozen=True)
class Practice:
    """The places, the box in its place, the phone's app, and a folder for pictures and texts."""

    places: Places
    box: LabBox
    app: WireGuardApp
    folder: Path


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    folder = tmp_path_factory.mktemp("practice")
    with places() as made:
        box = LabBox(folder, made.box)
        box.begin()
        app = WireGuardApp(made.phone, folder)
        try:
            yield Practice(made, box, app, folder)
        finally:
            box.stop()


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("line")
    with places() as made:
        made.forward("drop")
        mapper = Mapper(made, folder)
        mapper.start()
        box = LabBox(folder, made.box, courier="real")
        box.init()
        box.start()
        try:
            yield Line(box, mapper, WireGuardApp(made.phone, folder), folder)
        finally:
            box.stop()
            mapper.stop()
