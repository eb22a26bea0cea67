"""No name, no UID and no query is found in any byte of the state directory, the logs or temporary files."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread

from tests.box import Box, wait_for
from tests.e2e.held import HeldBody, HoldingProxy, Released
from tests.e2e.objects import STOW, stow_body, tiny
from tests.samples import ct, radiograph
from tests.samples.canary import Canary, stamp
from tests.samples.collection import collection
from tests.samples.modality import Unanswered, echo, send
from tests.samples.part10 import Sample
from tests.samples.search import Find, find_canaries

LEAKS = Path(__file__).with_name("leaks")
DEFLATED, JPEG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50"
QUERIED = "Zéphyrinquestion0123456789"
IN_PIXELS = "Zéphyrinpixels0123456789"
LARGE, HALF = 50_000_000, 25_000_000


def made(root: Path) -> Box:
    """Return an appliance whose processes have their temporary files inside the folder that is searched."""
    box = Box(root)
    temporary = root / "tmp"
    temporary.mkdir()
    box.environment["TMPDIR"] = str(temporary)
    box.make()
    return box


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    box = made(tmp_path_factory.mktemp("quiet"))
    box.start()
    try:
        yield box
    finally:
        box.stop()


@pytest.fixture(scope="module")
def stamped() -> list[tuple[Sample, list[Canary]]]:
    """A CT slice, a radiograph, a deflated and a JPEG file, each with canaries in every text and sequence."""
    by_syntax = {sample.transfer_syntax: sample for sample in collection()}
    return [
        stamp(sample)
        for sample in (next(iter(ct.slices(1))), radiograph.radiograph(), by_syntax[DEFLATED], by_syntax[JPEG])
    ]


@pytest.fixture(scope="module")
def large() -> tuple[Sample, list[str]]:
    """A file of 50 MB with canaries in its attributes and all over its pixels."""
    line = f"{IN_PIXELS} ".encode().ljust(1024, b"\x07")
    sample, canaries = stamp(tiny("large", pixels=line * (LARGE // len(line))))
    return sample, [*(canary.text for canary in canaries), IN_PIXELS]


def leaks(box: Box, texts: list[str]) -> list[Find]:
    """Search everything the appliance can write: state, index, WAL, audit, logs, temporary files."""
    assert all(path.exists() for path in (box.state / "system.db", box.log, box.out, box.root / "tmp"))
    return find_canaries(box.root, texts)


def test_nothing_is_found_while_locked_while_in_use_and_after_the_lock(
    quiet: Box, stamped: list[tuple[Sample, list[Canary]]]
) -> None:
    samples = [sample for sample, _ in stamped]
    texts = [canary.text for _, canaries in stamped for canary in canaries] + [QUERIED]
    assert len(texts) > 100
    assert all(answer.stored for answer in send(samples[::2], "127.0.0.1", quiet.dicom_port))
    assert leaks(quiet, texts) == []
    with quiet.login() as client:
        body = stow_body(sample.data for sample in samples[1::2])
        assert client.post("/dicom-web/studies", content=body, headers=STOW).status_code == 200
        names = [str(dcmread(_file(sample)).PatientName) for sample in samples]
        wait_for(lambda: all(found(client, name) for name in names), 30)
        use(client)
        assert leaks(quiet, texts) == []
        assert (quiet.state / "index.db-wal").exists()
    quiet.lock()
    assert leaks(quiet, texts) == []
    quiet.stop()
    assert leaks(quiet, texts) == []
    quiet.start()


def _file(sample: Sample) -> BytesIO:
    return BytesIO(sample.data)


def found(client: httpx.Client, name: str) -> bool:
    """Search for a name by QIDO-RS, where it stands in the address."""
    answer = client.get("/dicom-web/studies", params={"PatientName": name})
    assert answer.status_code == 200
    return bool(answer.json())


def use(client: httpx.Client) -> None:
    """Search, look at and retrieve everything, and ask for what does not exist."""
    for level in ("studies", "series", "instances"):
        for limit in ("5", "not a number"):
            client.get(f"/dicom-web/{level}", params={"PatientName": f"{QUERIED}*", "limit": limit})
    client.get(f"/dicom-web/studies/{QUERIED}/metadata")
    client.get(f"/{QUERIED}")
    client.post("/api/studies/search", json={"text": QUERIED})
    client.post("/api/session", json={"user": QUERIED, "password": QUERIED})
    client.post("/api/session", content=f'{{"user": "{QUERIED}"'.encode())
    viewed = 0
    for study in client.post("/api/studies/search", json={}).json()["studies"]:
        for series in client.get(f"/api/studies/{study['key']}").json()["series"]:
            for instance in client.get(f"/api/series/{series['key']}").json()["instances"]:
                frame = client.get(f"/api/instances/{instance['key']}/frames/1")
                viewed += frame.status_code == 200
    assert viewed >= 4
    for study in client.get("/dicom-web/studies").json():
        path = f"/dicom-web/studies/{study['0020000D']['Value'][0]}"
        assert client.get(f"{path}/metadata").status_code == 200
        for syntax in ("*", "1.2.840.10008.1.2.1"):
            accept = f'multipart/related; type="application/dicom"; transfer-syntax={syntax}'
            assert client.get(path, headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize("killed", ["the sender", "the receiver"])
def test_nothing_is_found_of_50_mb_sent_by_c_store_and_killed_midway(
    quiet: Box, large: tuple[Sample, list[str]], tmp_path: Path, killed: str
) -> None:
    sample, texts = large
    path = tmp_path / "large.dcm"
    path.write_bytes(sample.data)
    proxy = HoldingProxy(quiet.dicom_port, HALF)
    sender = subprocess.Popen(
        ["storescu", "-aec", "NEGATOSCOPE", "127.0.0.1", str(proxy.port), str(path)], stderr=subprocess.DEVNULL
    )
    try:
        assert proxy.held.wait(30)
        assert leaks(quiet, texts) == []
        if killed == "the receiver":
            os.kill(quiet.children()["receiver"], signal.SIGKILL)
        sender.kill()
    finally:
        proxy.cut()
        sender.kill()
        sender.wait()
    assert leaks(quiet, texts) == []
    wait_for(lambda: answers(quiet), 15)
    wait_for(lambda: not drafts(quiet), 15)
    assert leaks(quiet, texts) == []


@pytest.mark.parametrize("killed", ["the sender", "the web process"])
def test_nothing_is_found_of_50_mb_uploaded_and_killed_midway(
    quiet: Box, large: tuple[Sample, list[str]], killed: str
) -> None:
    sample, texts = large
    with quiet.login() as client:
        body = HeldBody(stow_body([sample.data]), HALF)
        upload = threading.Thread(target=post_until_released, args=(client, body))
        upload.start()
        try:
            assert body.held.wait(30)
            wait_for(lambda: sum(path.stat().st_size for path in drafts(quiet)) > HALF // 2, 15)
            assert leaks(quiet, texts) == []
            if killed == "the web process":
                os.kill(quiet.children()["web"], signal.SIGKILL)
                assert drafts(quiet), "what a killed process leaves is searched, too"
                assert leaks(quiet, texts) == []
        finally:
            body.go.set()
            upload.join()
    wait_for(lambda: not drafts(quiet), 30)
    assert leaks(quiet, texts) == []


def post_until_released(client: httpx.Client, body: HeldBody) -> None:
    with contextlib.suppress(Released, httpx.TransportError):
        client.post("/dicom-web/studies", content=iter(body), headers=STOW)


def drafts(box: Box) -> list[Path]:
    return list((box.state / "inbox").glob(".draft-*"))


def answers(box: Box) -> bool:
    try:
        return echo("127.0.0.1", box.dicom_port) == 0
    except (Unanswered, OSError):
        return False


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """An appliance that is started by the test, broken in the way the test wants."""
    return made(tmp_path_factory.mktemp("leaking"))


@pytest.mark.parametrize(
    ("leak", "place", "encoding"),
    [
        ("spill ascii", "tmp/", "ascii"),
        ("spill latin-1", "tmp/", "latin-1"),
        ("spill utf-8", "tmp/", "utf-8"),
        ("spill utf-16-le", "tmp/", "utf-16-le"),
        ("spill utf-16-be", "tmp/", "utf-16-be"),
        ("note", "state/", "utf-8"),
        ("index", "state/index.db", "utf-8"),
        ("log", "serve.out", "ascii"),
    ],
)
def test_the_search_finds_each_leak_of_an_appliance_that_was_broken_on_purpose(
    leaking: Box, leak: str, place: str, encoding: str
) -> None:
    """A search that finds nothing proves something only if it finds what is there."""
    sample, canaries = stamp(tiny("leak"), seed=leak)
    texts = [canary.text for canary in canaries]
    leaking.environment |= {"PYTHONPATH": str(LEAKS), "LEAK": leak}
    for path in leaking.state.glob("index.db*"):
        path.unlink()
    assert find_canaries(leaking.root, texts) == []
    leaking.start()
    try:
        assert send([sample], "127.0.0.1", leaking.dicom_port)[0].stored
        if leak in ("index", "log"):
            with leaking.login() as client:
                wait_for(lambda: found(client, str(dcmread(_file(sample)).PatientName)), 15)
                places = leaks(leaking, texts)
        else:
            places = leaks(leaking, texts)
    finally:
        leaking.stop()
    where = {(str(find.path.relative_to(leaking.root)), find.encoding) for find in places}
    assert any(path.startswith(place) and found_as == encoding for path, found_as in where), where
