"""The Ansible role is well-formed and installs exactly what the units need."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TASKS = ROOT / "ansible/roles/negatoscope/tasks"


def run(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ANSIBLE_LOCAL_TEMP": str(tmp_path)}
    environment |= {"LC_ALL": "C.UTF-8", "NO_COLOR": "1", "ANSIBLE_HOME": os.fspath(tmp_path)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "command",
    [
        ("yamllint", "--strict", "ansible", ".yamllint", ".ansible-lint"),
        ("ansible-playbook", "-i", "localhost,", "--syntax-check", "ansible/playbook.yml"),
        ("ansible-playbook", "-i", "localhost,", "--syntax-check", "ansible/relay.yml"),
        ("ansible-playbook", "-i", "localhost,", "--syntax-check", "ansible/image.yml"),
        ("ansible-lint", "--offline", "--nocolor", "ansible/playbook.yml", "ansible/relay.yml", "ansible/image.yml"),
    ],
    ids=["yamllint", "syntax", "syntax of the relay", "syntax of the image", "ansible-lint"],
)
def test_the_role_is_clean(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = run(tmp_path, *command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_role_installs_every_unit() -> None:
    text = (TASKS / "units.yml").read_text("utf-8")
    for unit in (ROOT / "systemd").iterdir():
        if unit.suffix in {".service", ".socket", ".target", ".timer"}:
            assert f"    - {unit.name}\n" in text


def test_the_role_installs_packages_by_their_hashes() -> None:
    text = (TASKS / "code.yml").read_text("utf-8")
    assert "requirements: /opt/negatoscope/appliance/requirements.lock" in text
    assert "--require-hashes" in text
