"""The benchmark itself: its arithmetic, its peer, its command."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from appliance.cli import bench as command
from appliance.errors import EnvironmentProblem
from tests.bench import corpus, netns, orthanc, report
from tests.bench.memory import Peak, family, pss
from tests.bench.sender import spread, storescu

RESULT: dict[str, Any] = {
    "machine": {"system": "test", "cores": 2, "loopback_mtu": 1500, "load": 0.0},
    "store": [
        {"what": "C-STORE ct", "system": "ours", "per_second": 90.0},
        {"what": "C-STORE ct", "system": "orthanc", "per_second": 60.0},
    ],
    "web": [{"what": "QIDO <all>", "system": "ours", "p50_ms": 2.0, "instances": 1000}],
}


def test_ratios_are_ours_divided_by_the_peers_and_missing_without_it() -> None:
    first, second = report.ratios(RESULT)
    assert (first["ratio"], first["unit"]) == (1.5, "images/s")
    assert second["peer"] is None and second["ratio"] is None


def test_text_and_drawing_name_every_figure() -> None:
    result = RESULT | {"ratios": report.ratios(RESULT)}
    assert "1.50" in report.text(result) and "QIDO" in report.text(result)
    drawing = ElementTree.fromstring(report.drawing(result))
    assert "C-STORE ct" in "".join(drawing.itertext())


def test_small_files_are_studies_of_twenty_objects(tmp_path: Path) -> None:
    from pydicom import dcmread

    files = corpus.small_files(tmp_path, 0, 40)
    read = [dcmread(file) for file in files]
    assert len({dataset.SOPInstanceUID for dataset in read}) == 40
    assert len({dataset.StudyInstanceUID for dataset in read}) == 2
    assert len({dataset.SeriesInstanceUID for dataset in read}) == 4
    assert read[0].pixel_array.shape == (32, 32)


def test_memory_of_this_process_and_its_family_is_seen() -> None:
    import os

    assert pss(os.getpid()) > 1_000_000
    assert os.getpid() in family(os.getpid())
    with Peak(lambda: {"me": os.getpid()}, every=0.01) as peak:
        block = bytearray(30_000_000)
        while peak.together < 30_000_000:
            block[0] ^= 1
    assert peak.seen["me"] >= 30_000_000


@pytest.mark.skipif(not orthanc.installed(), reason="Debian's packages orthanc and orthanc-dicomweb are not here")
def test_orthanc_takes_what_storescu_sends_and_leaves_nothing_behind(tmp_path: Path) -> None:
    files = corpus.small_files(tmp_path, 0, 8)
    peer = orthanc.Orthanc()
    try:
        peer.start()
        assert storescu(spread(files, 4, tmp_path), peer.dicom_port, nodelay=True) > 0
        assert peer.count() == 8
        assert pss(peer.pids()["orthanc"]) > 0
    finally:
        peer.clean()
    assert not peer.folder.exists() and peer.pids() == {}


@pytest.mark.skipif(not netns.possible(), reason="a network namespace needs root")
def test_a_namespace_has_loopback_at_mtu_1500_and_is_removed() -> None:
    import subprocess

    with netns.namespace() as name:
        said = subprocess.run(["ip", "-n", name, "link", "show", "lo"], capture_output=True, text=True, check=True)
        assert "mtu 1500" in said.stdout and "UP" in said.stdout
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert name not in listed


def test_an_installed_appliance_without_sources_says_what_the_benchmark_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "SOURCE", tmp_path)
    with pytest.raises(EnvironmentProblem, match="source tree"):
        command.bench("all")


def test_an_unknown_benchmark_is_a_usage_error() -> None:
    app = typer.Typer()
    app.command()(command.bench)
    outcome = CliRunner().invoke(app, ["speed"])
    assert "no benchmark" in str(outcome.exception)
