"""Documents and locks say what is true of this tree."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.app import openapi_schema
from appliance.cli.commands import TABLE
from appliance.settings import Settings

ROOT = Path(__file__).parents[2]
LOCKS = ["appliance/requirements.lock", "tests/requirements.lock"]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def pins(lock: str) -> set[str]:
    return set(re.findall(r"^(\S+==.*?)\s*\\?$", (ROOT / lock).read_text("utf-8"), re.MULTILINE))


def test_licences_are_listed_as_installed() -> None:
    done = subprocess.run([sys.executable, ROOT / ".ci/licences"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (ROOT / "docs/licences.md").read_text("utf-8").endswith(done.stdout)


def test_the_test_lock_holds_what_the_box_gets() -> None:
    assert pins(LOCKS[0]) <= pins(LOCKS[1])


@pytest.mark.parametrize("lock", [*LOCKS, "web/package-lock.json"])
def test_no_lock_names_a_download_address(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert '"resolved"' not in text
    addresses = set(re.findall(r"(?m)^.*(?:--(?:extra-)?index-url|--find-links| @ ).*$", text))
    assert not addresses


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_carries_hashes(lock: str) -> None:
    for pin in re.split(r"\n(?=\S)", (ROOT / lock).read_text("utf-8").strip()):
        assert "--hash=sha256:" in pin, pin


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_room_stands_in_the_design() -> None:
    text = (ROOT / "docs/design.md").read_text("utf-8")
    for room in (ROOT / "appliance").iterdir():
        if (room / "__init__.py").exists():
            assert f"{room.name}/" in text, room.name


def test_ci_runs_the_command_of_the_readme() -> None:
    assert "    make test " in (ROOT / "README.md").read_text("utf-8")
    assert "exec make test" in (ROOT / ".ci/run").read_text("utf-8")


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs/settings.md").read_text("utf-8")
    assert [name for name in Settings.__struct_fields__ if f"`NEGATO_{name.upper()}`" not in text] == []


def test_every_route_is_documented() -> None:
    text = (ROOT / "docs/api.md").read_text("utf-8")
    routes = [f"{method.upper()} {path}" for path, found in openapi_schema()["paths"].items() for method in found]
    assert [route for route in routes if f"`{route}`" not in text] == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs/commands.md").read_text("utf-8")
    assert [name for name in TABLE if f"`appliance {name}`" not in text] == []


def test_every_audit_event_is_documented() -> None:
    text = (ROOT / "docs/audit-events.md").read_text("utf-8")
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "appliance").rglob("*.py"))
    events = set(re.findall(r'"((?:keyagent|cli):[a-z_]+:[a-z_]+)"', sources))
    assert len(events) > 10
    assert {event for event in events if f"`{event}`" not in text} == set()
