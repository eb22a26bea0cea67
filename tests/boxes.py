"""Fixtures: one running appliance, for the tests that leave it as it was or for one that harms it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.box import Box, running


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A started appliance, shared by the tests of one file."""
    with running(tmp_path_factory.mktemp("box")) as started:
        yield started


@pytest.fixture
def own_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A started appliance for one test that harms it."""
    with running(tmp_path_factory.mktemp("box")) as started:
        yield started
