"""The contracts between rooms hold, and an import that breaks one is caught."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# file that gets the import, the import, the contract that must break
BREACHES = {
    "ground-reaches-a-keeper": ("sealing/header.py", "appliance.archive.files", "Imports only point down"),
    "keeper-reaches-a-use-case": ("archive/files.py", "appliance.ingest.settle", "Imports only point down"),
    "use-case-reaches-a-protocol": ("ingest/settle.py", "appliance.dimse.receiver", "Imports only point down"),
    "archive-reaches-index": ("archive/files.py", "appliance.index.store", "Imports only point down"),
    "index-reaches-archive": ("index/store.py", "appliance.archive.files", "Imports only point down"),
    "receive-reaches-an-identity": (
        "ingest/receive.py",
        "appliance.sealing.identities",
        "The receiver reaches no private key, no index, no people",
    ),
    "receiver-reaches-slots-through-another": (
        "keyring/public.py",
        "appliance.keyring.slots",
        "The receiver reaches no private key, no index, no people",
    ),
    "receiver-reaches-people": (
        "dimse/guard.py",
        "appliance.people.store",
        "The receiver reaches no private key, no index, no people",
    ),
    "decoder-reaches-keys": (
        "decoder/server.py",
        "appliance.sealing.identities",
        "The decoder stands on the ground floor alone, without keys",
    ),
    "api-runs-the-decoder": (
        "api/gate.py",
        "appliance.decoder.server",
        "Only the composition runs the decoder; others talk to its socket",
    ),
    "a-room-on-no-floor": ("attic/things.py", "appliance.errors", "Imports only point down"),
}


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    command = "import sys; from importlinter.cli import lint_imports_command as main; main()"
    return subprocess.run(
        [sys.executable, "-P", "-c", command, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__", "*.lock")
    shutil.copytree(ROOT / "appliance", tmp_path / "appliance", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept() -> None:
    done = contracts(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("name", BREACHES)
def test_a_forbidden_import_is_caught(copy: Path, name: str) -> None:
    place, module, contract = BREACHES[name]
    for room in {place, module.removeprefix("appliance.").replace(".", "/") + ".py"}:
        path = copy / "appliance" / room
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.touch()
    path = copy / "appliance" / place
    path.write_text(path.read_text("utf-8") + f"\nimport {module}\n")
    done = contracts(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = done.stdout.replace("…", "")
    assert f"{contract} BROKEN" in broken, done.stdout
