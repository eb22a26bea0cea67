"""A directory for audit logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.paths import StatePaths


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    """A state directory with nothing but room for audit logs."""
    found = StatePaths(tmp_path)
    found.audit.mkdir()
    return found
