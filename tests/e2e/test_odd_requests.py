"""Headers and images that say nonsense: each gets a clear answer, and the pages go on."""

from __future__ import annotations

import socket

import pytest

from tests.box import Box, wait_for
from tests.e2e.objects import tiny
from tests.samples.modality import send


def raw_status(box: Box, *lines: str) -> int:
    """Send a request as it stands, which no client library would, and return the status of its answer."""
    with socket.create_connection(("127.0.0.1", box.http_port), 10) as link:
        link.settimeout(20)
        link.sendall("".join(f"{line}\r\n" for line in (*lines, "Connection: close", "", "")).encode("latin-1"))
        return int(link.recv(4096).split()[1])


@pytest.mark.parametrize("host", ["[::1", "::1]", "[", "[]", "[zz]", "a]b[", "", "½", "127.0.0.1]"])
def test_a_host_that_is_none_is_refused(box: Box, host: str) -> None:
    assert raw_status(box, "GET /api/status HTTP/1.1", f"Host: {host}") == 400


@pytest.mark.parametrize("origin", ["http://[", "http://]", "http://[zz]", "http://[::1", "[", "null", "½", ""])
def test_an_origin_that_is_none_is_another_sites(box: Box, origin: str) -> None:
    host = f"127.0.0.1:{box.http_port}"
    asked = "POST /api/lock HTTP/1.1", f"Host: {host}", "Content-Length: 0"
    assert raw_status(box, *asked, f"Origin: {origin}") == 403
    assert raw_status(box, *asked, f"Origin: http://{host}") == 423


def test_an_image_that_claims_two_thousand_million_frames_has_one(box: Box) -> None:
    shape = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "NumberOfFrames": 2147483647}
    claims = tiny("claims", study="claims", pixels=bytes(64), PatientName="FRAMES^Many", **shape)
    assert send([claims], "127.0.0.1", box.dicom_port)[0].stored
    with box.login() as client:
        wait_for(lambda: client.post("/api/studies/search", json={"text": "FRAMES"}).json()["total"], 60)
        (study,) = client.post("/api/studies/search", json={"text": "FRAMES"}).json()["studies"]
        (series,) = client.get(f"/api/studies/{study['key']}").json()["series"]
        (instance,) = client.get(f"/api/series/{series['key']}").json()["instances"]
        assert instance["frames"] == 1
        assert client.get(f"/api/instances/{instance['key']}/frames/1").status_code == 200
        assert client.get(f"/api/instances/{instance['key']}/frames/2").status_code == 404
        (found,) = client.get("/dicom-web/instances", params={"SOPInstanceUID": claims.sop_instance}).json()
        assert found["00280008"]["Value"] == [1]
        ignored = client.get("/dicom-web/studies", params={"_": "123", "PatientName": "FRAMES"})
        assert (ignored.status_code, len(ignored.json())) == (200, 1)
        assert ignored.headers["warning"] == '299 negatoscope "Ignored as not supported here: _"'


def test_what_of_ps3_18_is_said_to_be_missing_is_missing(box: Box) -> None:
    absent = tiny("absent", study="absent")
    assert send([absent], "127.0.0.1", box.dicom_port)[0].stored
    with box.login() as client:
        query = {"SOPInstanceUID": absent.sop_instance}
        wait_for(lambda: client.get("/dicom-web/instances", params=query).json(), 60)
        (found,) = client.get("/dicom-web/instances", params=query).json()
        instance = found["00081190"]["Value"][0].removeprefix(box.url)
        study = instance.partition("/series/")[0]
        for path in (instance, study):
            for below in ("rendered", "thumbnail", "bulkdata", "pixeldata"):
                assert client.get(f"{path}/{below}").status_code == 404
        assert client.get(f"{instance}/frames/1/rendered").status_code == 404
        for path in ("/dicom-web/workitems", "/dicom-web/color-palettes"):
            assert client.get(path).status_code == 404
        for method, path in (("OPTIONS", "/dicom-web/"), ("OPTIONS", study), ("DELETE", study), ("PUT", study)):
            assert client.request(method, path).status_code == 405
        for method, path in (("HEAD", "/dicom-web/studies"), ("HEAD", study)):
            assert client.request(method, path).status_code in (404, 405)
        xml, zipped, other = "application/dicom+xml", "application/zip", "1.2.840.10008.1.2.4.90"
        for path, accept in (
            ("/dicom-web/studies", f'multipart/related; type="{xml}"'),
            (f"{instance}/metadata", f'multipart/related; type="{xml}"'),
            (instance, zipped),
            (instance, f"application/dicom; transfer-syntax={other}"),
            (f"{instance}/frames/1", "image/jpeg"),
        ):
            assert client.get(path, headers={"Accept": accept}).status_code == 406


def test_a_request_that_is_too_long_is_told_so(box: Box) -> None:
    with box.client() as client:
        answer = client.post("/api/session", json={"user": "x" * 100_000, "password": ""})
    assert answer.status_code == 413 and answer.json()["message"] == "The request is too long."
