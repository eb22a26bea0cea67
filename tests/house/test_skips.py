"""CI accepts no skip that is not on the list."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SKIPPING = 'import pytest\n\n\ndef test_it():\n    pytest.skip("no such program")\n'
SKIPPED_MODULE = 'import pytest\n\npytest.skip("no such program", allow_module_level=True)\n'


def run(folder: Path, ci: bool, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment["CI"] = "true" if ci else ""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-c",
            os.devnull,
            "--rootdir",
            folder,
            "-p",
            "no:cacheprovider",
            *options,
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text("utf-8"))
    (tmp_path / "allowed_skips.txt").write_text("# none\n")
    (tmp_path / "test_passes.py").write_text("def test_passes():\n    pass\n")
    return tmp_path


@pytest.mark.parametrize("source", [SKIPPING, SKIPPED_MODULE], ids=["test", "module"])
@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "workers"])
def test_ci_fails_on_a_skip_that_nobody_allowed(suite: Path, source: str, options: tuple[str, ...]) -> None:
    (suite / "test_skipping.py").write_text(source)
    done = run(suite, True, *options)
    assert done.returncode == 1, done.stdout
    assert "SKIP NOT ALLOWED IN CI" in done.stdout
    assert "no such program" in done.stdout


def test_ci_accepts_a_skip_on_the_list(suite: Path) -> None:
    (suite / "test_skipping.py").write_text(SKIPPING)
    (suite / "allowed_skips.txt").write_text("no such program\n")
    assert run(suite, True).returncode == 0


def test_a_developer_may_skip(suite: Path) -> None:
    (suite / "test_skipping.py").write_text(SKIPPING)
    assert run(suite, False).returncode == 0
