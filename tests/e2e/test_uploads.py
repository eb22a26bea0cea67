"""What an upload's answer says of each part is so: stored and readable at once, or not and why (PS3.18 10.5.3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.box import Box, running
from tests.e2e.objects import BOUNDARY, STOW, stow_body, tiny
from tests.samples.uids import uid


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with running(tmp_path_factory.mktemp("uploads")) as started:
        yield started


@pytest.mark.parametrize(
    ("kind", "bad"),
    [("application/dicom", b"bad"), ("image//bad", tiny("typed").data)],
    ids=["no object", "a malformed type"],
)
def test_one_bad_part_does_not_undo_the_good_ones(box: Box, kind: str, bad: bytes) -> None:
    good, other = tiny("good part", len(bad)), tiny("good part too", len(bad))
    with box.login() as client:
        ahead, behind = stow_body([good.data]), stow_body([other.data])
        end = behind[behind.rindex(b"--" + BOUNDARY.encode()) :]
        body = ahead.removesuffix(end) + stow_body([bad], kind).removesuffix(end) + behind
        answer = client.post("/dicom-web/studies", content=body, headers=STOW)
        assert answer.status_code == 202
        assert len(answer.json()["00081199"]["Value"]) == 2
        assert [failed["00081197"]["Value"] for failed in answer.json()["0008119A"]["Value"]] == [[0xC000]]
        # What is answered for can be read at once.
        query = {"SOPInstanceUID": f"{good.sop_instance},{other.sop_instance}"}
        assert len(client.get("/dicom-web/instances", params=query).json()) == 2


def test_what_belongs_to_another_study_is_named(box: Box) -> None:
    sample = tiny("elsewhere")
    with box.login() as client:
        answer = client.post(f"/dicom-web/studies/{uid('another')}", content=stow_body([sample.data]), headers=STOW)
        assert answer.status_code == 409
        (failed,) = answer.json()["00081198"]["Value"]
        assert failed["00081155"]["Value"] == [sample.sop_instance]
        assert failed["00081150"]["Value"] == [sample.sop_class]
        assert failed["00081197"]["Value"] == [0xA900]
        assert "0008119A" not in answer.json()
