"""A machine that lacks something is told in one line what to install, and nothing is changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LACKING = {"node", "nodejs", "npm", "npx", "apt-get", "apt-cache", "apt", "sudo"}
ENVIRONMENT = 6


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A directory of programs as a small machine has them: no Node.js, no way to install packages."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for place in ("/usr/bin", "/bin"):
        for program in Path(place).iterdir():
            link = programs / program.name
            if program.name not in LACKING and not link.is_symlink():
                link.symlink_to(program)
    return programs


def install(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installer with these programs alone."""
    environment = {"PATH": str(path), "HOME": os.environ["HOME"]}
    return subprocess.run(
        [ROOT / ".ci/install", *arguments], env=environment, capture_output=True, text=True, timeout=60
    )


def test_without_node_it_says_which_one_to_install(bare: Path) -> None:
    done = install(bare, "web")
    assert done.returncode == ENVIRONMENT
    assert "Node.js 20.19.0 or newer is needed" in done.stderr and done.stderr.count("\n") == 1


def test_with_an_old_node_it_says_which_one_to_install(bare: Path) -> None:
    node = bare / "node"
    node.write_text("#!/bin/sh\nprintf 18.20.4\n")
    node.chmod(0o755)
    done = install(bare, "web")
    assert done.returncode == ENVIRONMENT
    assert "Node.js 18.20.4 is too old" in done.stderr and done.stderr.count("\n") == 1


def test_without_a_debian_package_or_the_right_to_install_it_the_command_is_named(bare: Path) -> None:
    done = install(bare, "packages", "coreutils", "surely-not-installed")
    assert done.returncode == ENVIRONMENT
    assert "apt-get install surely-not-installed" in done.stderr and done.stderr.count("\n") == 1
