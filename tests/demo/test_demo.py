"""The demonstration as somebody runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import DESKTOP, chromium
from tests.demo.box import SOURCE, Trouble, free_port, require_free

DEMO = [sys.executable, "-m", "tests.demo"]


def run_demo(**environment: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"STATE", "PORT", "DICOM_PORT"}}
    return subprocess.Popen(
        DEMO,
        cwd=SOURCE,
        env=kept | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def test_the_demo_prints_a_working_login_fills_the_archive_and_leaves_nothing(tmp_path: Path) -> None:
    port, dicom_port = free_port(), free_port()
    process = run_demo(PORT=str(port), DICOM_PORT=str(dicom_port), TMPDIR=str(tmp_path))
    watchdog = threading.Timer(240, process.kill)
    watchdog.start()
    said = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if "Ctrl-C ends" in line:
                break
        login = Path(re.search(r"-d @(\S+)", said)[1]).read_text()  # type: ignore[index]
        extra = Path(re.search(r"(\S+thorax\.dcm)", said)[1])  # type: ignore[index]
        assert f"http://127.0.0.1:{port}/" in said and json.loads(login)["password"] in said
        assert f"storescu -aec NEGATOSCOPE 127.0.0.1 {dicom_port} {extra}" in said and extra.stat().st_size > 10**7
        assert "440/440" in said and "refused" not in said
        line = re.search(rf"storescu -aec NEGATOSCOPE 127.0.0.1 {dicom_port} {extra}", said)
        assert line is not None
        look_at(f"http://127.0.0.1:{port}/", json.loads(login), line[0])
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.kill()
        process.communicate()
    assert list(tmp_path.iterdir()) == []
    require_free("127.0.0.1", port, "PORT")


def look_at(url: str, login: dict[str, str], line: str) -> None:
    """Log in at the page, find the samples, run the printed line and see its study come, as somebody new would."""
    with chromium() as browser, browser.new_context(locale="fr-FR", **DESKTOP) as context:
        page = context.new_page()
        page.goto(url)
        page.fill("input[name=user]", login["user"])
        page.fill("input[name=password]", login["password"])
        page.keyboard.press("Enter")
        rows = page.locator("[data-testid=study-row]")
        expect(rows).to_have_count(50, timeout=60_000)
        expect(page.get_by_role("status").first).to_have_text(re.compile(r"^\d\d examens$"))
        assert page.locator(".row .new").count() == 0
        loads: list[str] = []
        page.on("load", lambda loaded: loads.append(loaded.url))
        subprocess.run(line.split(), check=True, timeout=60)
        expect(rows.first.locator(".new")).to_be_visible(timeout=10_000)
        assert loads == []


def test_a_taken_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = run_demo(PORT=str(taken.getsockname()[1]), DICOM_PORT=str(free_port()), TMPDIR=str(tmp_path))
        _, error = process.communicate(timeout=60)
    assert process.returncode == 6
    assert "cannot be used" in error and "make demo PORT=" in error
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_holds_an_archive_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "FORMAT").write_text("1\n")
    process = run_demo(STATE=str(tmp_path), PORT=str(free_port()), DICOM_PORT=str(free_port()))
    _, error = process.communicate(timeout=60)
    assert process.returncode == 6 and "holds an archive already" in error
    assert [path.name for path in tmp_path.iterdir()] == ["FORMAT"]


def test_a_port_that_is_no_port_is_refused() -> None:
    process = run_demo(PORT="http")
    _, error = process.communicate(timeout=60)
    assert process.returncode == 6 and "PORT must be a port number" in error


def test_free_ports_are_free() -> None:
    require_free("127.0.0.1", free_port(), "PORT")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Trouble):
            require_free("127.0.0.1", taken.getsockname()[1], "PORT")
