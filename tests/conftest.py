"""How the tests are run: long files first, and no skip in CI that tests/allowed_skips.txt does not name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ALLOWED = Path(__file__).with_name("allowed_skips.txt")
UNEXPECTED = pytest.StashKey[list[tuple[str, str]]]()


def allowed_reasons() -> set[str]:
    """Return the reasons that CI accepts."""
    lines = (line.strip() for line in ALLOWED.read_text("utf-8").splitlines())
    return {line for line in lines if line and not line.startswith("#")}


class SkipWatch:
    """Collects skips that nobody allowed; under xdist the reports of all workers pass through here."""

    def __init__(self, config: pytest.Config) -> None:
        self._allowed = allowed_reasons()
        self._found = config.stash.setdefault(UNEXPECTED, [])

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        detail = report.longrepr
        reason = str(detail[2] if isinstance(detail, tuple) else detail).removeprefix("Skipped: ")
        if reason not in self._allowed:
            self._found.append((report.nodeid, reason))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at one phase of one test."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Look at one collected file: a whole module can be skipped."""
        self._note(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn green into red."""
        if self._found and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name every such skip."""
        for nodeid, reason in self._found:
            terminalreporter.write_line(f"SKIP NOT ALLOWED IN CI {nodeid}: {reason}", red=True)


# With a worker a core, a long file that begins last keeps the others waiting for it.
LONG_FIRST = ("boot", "torture", "lab", "e2e", "ingest", "browser", "keyring")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files: those of the long folders first, each folder as it was collected."""
    tests = Path(__file__).parent
    rank = {folder: number for number, folder in enumerate(LONG_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.relative_to(tests).parts[0], len(rank)))


def pytest_configure(config: pytest.Config) -> None:
    """Watch in CI, in the process that collects the reports."""
    if os.environ.get("CI") == "true" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SkipWatch(config), "skip-watch")
