"""An open index in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.index.store import Index

KEY = bytes(range(32))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """Yield an empty index."""
    opened = Index.open(tmp_path / "index.db", KEY)
    yield opened
    opened.close()
