"""An archive with its key agent for one test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.keyring.agentbox import AgentBox, agent_box


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentBox]:
    """A new archive; its agent is not started yet."""
    with agent_box(tmp_path) as box:
        yield box
