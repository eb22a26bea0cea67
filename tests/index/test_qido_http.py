"""QIDO-RS as a client sees it: a real server on loopback, asked by httpx and by dicomweb-client."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from dicomweb_client.api import DICOMwebClient
from notes import element, note, uid
from qido_server import Service, get, serving, uids

from appliance.index.store import Index


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    index = Index.open(tmp_path_factory.mktemp("qido") / "index.db", bytes(range(32)))
    request = element("SQ", {"00400009": element("SH", "STEP-7"), "00401001": element("SH", "PROC-8")})
    index.add([note(1, 1, i, extra={"00104000": element("LT", "à jeun")}) for i in (1, 2, 3)])
    index.add([note(1, 2, 1, modality="SR", extra={"00400275": request, "00400244": element("DA", "20261102")})])
    index.add([note(2, 1, 1, name="LEFÈVRE^Cœlia", patient="P2", modality="MR", date="20261110")])
    index.add([note(3, 1, 1, name="YAMADA^Tarou=山田^太郎", patient="P[3]*", modality="DX", date="20251110")])
    yield Service(index)
    index.close()


@pytest.fixture(scope="module")
def root(service: Service) -> Iterator[str]:
    with serving(service) as root:
        yield root


def test_a_study_carries_the_standards_attributes(root: str) -> None:
    study = get(root, "/studies", StudyInstanceUID=uid(1))[0]
    # PS3.18 Table 10.6.3-3
    required = "00080005 00080020 00080030 00080050 00080056 00080061 00080090 00081190 00100010 00100020 00100030"
    required += " 00100040 0020000D 00200010 00201206 00201208"
    assert set(required.split()) <= study.keys()
    assert study["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert study["00201206"] == {"vr": "IS", "Value": [2]}
    assert study["00201208"] == {"vr": "IS", "Value": [4]}
    assert study["00080056"]["Value"] == ["ONLINE"]
    assert study["00081190"] == {"vr": "UR", "Value": [f"{root}/studies/{uid(1)}"]}
    assert study["00100010"]["Value"] == [{"Alphabetic": "DUPONT^Émile"}]


@pytest.mark.parametrize(
    ("params", "studies"),
    [
        ({}, [2, 1, 3]),
        ({"PatientName": "dupont"}, [1]),
        ({"PatientName": "lefevre^coelia"}, [2]),
        ({"PatientName": "lef"}, []),
        ({"PatientName": "*^*"}, [2, 1, 3]),
        ({"PatientName": "山田"}, [3]),
        ({"PatientName": "山*"}, [3]),
        ({"PatientName": "*太郎"}, [3]),
        ({"PatientName": "太郎"}, []),
        ({"PatientName": "yamada=山田"}, [3]),
        ({"PatientName": "lef co", "fuzzymatching": "true"}, [2]),
        ({"00100020": "P1"}, [1]),
        ({"PatientID": "P[3]*"}, [3]),
        ({"PatientID": "P?"}, [2, 1]),
        ({"StudyDate": "20261101-20261130"}, [2, 1]),
        ({"StudyDate": "-20251231"}, [3]),
        ({"StudyDate": "20261110"}, [2]),
        ({"StudyTime": "10-11"}, [2, 1, 3]),
        ({"StudyTime": "11-"}, []),
        ({"AccessionNumber": "A3"}, [3]),
        ({"ModalitiesInStudy": "SR"}, [1]),
        ({"ModalitiesInStudy": "MR\\DX"}, [2, 3]),
        ({"ModalitiesInStudy": "MR,DX"}, [2, 3]),
        ({"ModalitiesInStudy": "C*"}, [1]),
        ({"ModalitiesInStudy": "T"}, []),
        ({"ReferringPhysicianName": "martin^zoe"}, [2, 1, 3]),
        ({"ReferringPhysicianName": "duval"}, []),
        ({"StudyInstanceUID": f"{uid(1)},{uid(3)}"}, [1, 3]),
        ({"StudyID": "S2"}, [2]),
        ({"PatientBirthDate": "19600229"}, [2, 1, 3]),
        ({"PatientSex": "F"}, []),
        ({"StudyDescription": "Thorax*"}, [2, 1, 3]),
        ({"NumberOfStudyRelatedInstances": "4"}, [1]),
        ({"PatientComments": "à jeun"}, [1]),
        ({"PatientComments": '""', "emptyvaluematching": "true"}, [2, 3]),
        ({"PatientID": '""', "emptyvaluematching": "true"}, []),
        ({"PatientName": "", "limit": "2"}, [2, 1]),
        ({"offset": "1", "limit": "1"}, [1]),
        ({"PatientComments": "*jeun", "offset": "1"}, []),
        ({"offset": "99"}, []),
        ({"limit": "0"}, []),
    ],
)
def test_studies_match(root: str, params: dict[str, str], studies: list[int]) -> None:
    assert uids(get(root, "/studies", **params), "0020000D") == [uid(n) for n in studies]


@pytest.mark.parametrize(
    ("path", "params", "series"),
    [
        (f"/studies/{uid(1)}/series", {}, [(1, 1), (1, 2)]),
        (f"/studies/{uid(1)}/series", {"Modality": "SR"}, [(1, 2)]),
        (f"/studies/{uid(1)}/series", {"SeriesNumber": "2"}, [(1, 2)]),
        (f"/studies/{uid(1)}/series", {"SeriesInstanceUID": uid(1, 1)}, [(1, 1)]),
        ("/series", {"PerformedProcedureStepStartDate": "20261102"}, [(1, 2)]),
        ("/series", {"PerformedProcedureStepStartDate": "20261103-"}, []),
        ("/series", {"RequestAttributesSequence.ScheduledProcedureStepID": "STEP-7"}, [(1, 2)]),
        ("/series", {"00400275.00401001": "PROC-?"}, [(1, 2)]),
        ("/series", {"RequestAttributesSequence.RequestedProcedureID": "PROC"}, []),
        ("/series", {"PatientName": "lefèvre"}, [(2, 1)]),
        ("/series", {"Modality": "CT", "PatientID": "P1"}, [(1, 1)]),
        ("/series", {"Manufacturer": "Lumière*"}, [(1, 1), (1, 2), (2, 1), (3, 1)]),
        ("/series", {"Manufacturer": "Lumi"}, []),
        ("/studies/1.2.3/series", {}, []),
    ],
)
def test_series_match(root: str, path: str, params: dict[str, str], series: list[tuple[int, int]]) -> None:
    found = get(root, path, **params)
    assert uids(found, "0020000E") == [uid(*numbers) for numbers in series]


@pytest.mark.parametrize(
    ("path", "params", "count"),
    [
        (f"/studies/{uid(1)}/instances", {}, 4),
        (f"/studies/{uid(1)}/series/{uid(1, 1)}/instances", {}, 3),
        (f"/studies/{uid(1)}/series/{uid(9, 1)}/instances", {}, 0),
        (f"/studies/{uid(2)}/series/{uid(1, 1)}/instances", {}, 0),
        ("/instances", {"SOPInstanceUID": uid(1, 1, 2)}, 1),
        ("/instances", {"InstanceNumber": "1"}, 4),
        ("/instances", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, 6),
        ("/instances", {"Modality": "CT", "InstanceNumber": "3"}, 1),
        ("/instances", {"PatientID": "P1", "Modality": "SR"}, 1),
        ("/instances", {"ImageType": "AXIAL"}, 6),
        ("/instances", {"SliceThickness": "1.25", "InstanceNumber": "2"}, 1),
        ("/instances", {"ContentDate": "2026-"}, None),
        ("/instances", {"ContentDate": "20260101-"}, 5),
    ],
)
def test_instances_match(root: str, path: str, params: dict[str, str], count: int | None) -> None:
    if count is None:
        assert httpx.get(root + path, params=params).status_code == 400
    else:
        assert len(get(root, path, **params)) == count


def test_what_the_path_leaves_open_is_returned(root: str) -> None:
    everywhere = get(root, "/instances", SOPInstanceUID=uid(1, 1, 2))[0]
    assert {"00100010", "00080060", "0020000D", "0020000E", "00080018", "00280010"} <= everywhere.keys()
    in_study = get(root, f"/studies/{uid(1)}/instances", SOPInstanceUID=uid(1, 1, 2))[0]
    assert "00080060" in in_study and "00100010" not in in_study
    in_series = get(root, f"/studies/{uid(1)}/series/{uid(1, 1)}/instances", InstanceNumber="2")[0]
    assert "00080060" not in in_series
    url = f"{root}/studies/{uid(1)}/series/{uid(1, 1)}/instances/{uid(1, 1, 2)}"
    assert everywhere["00081190"]["Value"] == in_series["00081190"]["Value"] == [url]
    series = get(root, "/series", SeriesInstanceUID=uid(1, 1))[0]
    assert series["00081190"]["Value"] == [f"{root}/studies/{uid(1)}/series/{uid(1, 1)}"]
    assert series["00201209"]["Value"] == [3] and series["00201208"]["Value"] == [4]


def test_included_fields_come_from_the_stored_data_set(root: str) -> None:
    plain = get(root, "/studies", StudyInstanceUID=uid(1))[0]
    assert "00104000" not in plain
    for field in ("PatientComments", "00104000", "StudyDate,PatientComments", "all"):
        assert get(root, "/studies", StudyInstanceUID=uid(1), includefield=field)[0]["00104000"]["Value"] == ["à jeun"]
    slice_ = get(root, "/instances", SOPInstanceUID=uid(1, 1, 2), includefield=["ImageType", "SliceThickness"])[0]
    assert slice_["00080008"]["Value"][2] == "AXIAL" and slice_["00180050"]["Value"] == [1.25]
    everything = get(root, "/instances", SOPInstanceUID=uid(1, 1, 2), includefield="all")[0]
    assert {"00200032", "00104000", "00201208", "00281050"} <= everything.keys()
    asked = get(root, "/series", includefield="RequestAttributesSequence.ScheduledProcedureStepID", Modality="SR")[0]
    assert asked["00400275"]["Value"][0]["00400009"]["Value"] == ["STEP-7"]


def test_a_cut_answer_says_so(root: str) -> None:
    cut = httpx.get(f"{root}/studies", params={"limit": "2"})
    assert cut.headers["warning"].startswith("299 ") and "additional results" in cut.headers["warning"]
    assert "warning" not in httpx.get(f"{root}/studies", params={"limit": "3"}).headers


def test_no_result_is_an_empty_array(root: str) -> None:
    answer = httpx.get(f"{root}/studies", params={"PatientID": "nobody"})
    assert (answer.status_code, answer.content) == (200, b"[]")


@pytest.mark.parametrize(
    "query",
    [
        "StudyDate=yesterday",
        "limit=x",
        "offset=-1",
        "limit=1&limit=2",
        "StudyInstanceUID=a",
        "NumberOfStudyRelatedInstances=many",
        "SeriesNumber=one",
        "SOPInstanceUID=1.x",
        "PatientID=a&00100020=b",
        "PixelData=x",
        "fuzzymatching=perhaps",
    ],
)
def test_what_cannot_be_answered_is_refused(root: str, query: str) -> None:
    assert httpx.get(f"{root}/studies?{query}").status_code == 400


def test_a_locked_archive_answers_423_to_every_search(root: str, service: Service) -> None:
    opened, service.opened = service.opened, None
    paths = "/studies", "/series", "/instances", f"/studies/{uid(1)}/series", "/studies?limit=x"
    answers = [httpx.get(root + path).status_code for path in paths]
    service.opened = opened
    assert answers == [423] * len(paths)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/dicom+json", 200),
        ("application/json", 200),
        ("*/*;q=0.1", 200),
        ("text/html, application/dicom+json; q=0.5", 200),
        ('multipart/related; type="application/dicom+xml"', 406),
        ("application/dicom+json;q=0", 406),
    ],
)
def test_media_types_are_negotiated(root: str, accept: str, status: int) -> None:
    assert httpx.get(f"{root}/studies", headers={"accept": accept}).status_code == status


def test_dicomweb_client_searches_at_every_level(root: str) -> None:
    client = DICOMwebClient(url=root)
    assert len(client.search_for_studies()) == 3
    assert len(client.search_for_studies(search_filters={"PatientName": "DUPONT*"}, fields=["PatientComments"])) == 1
    assert len(client.search_for_studies(limit=1, get_remaining=True)) == 3
    assert len(client.search_for_studies(fuzzymatching=True, search_filters={"PatientName": "emile"})) == 1
    assert len(client.search_for_series(uid(1))) == 2
    assert len(client.search_for_series(search_filters={"Modality": "MR"})) == 1
    assert len(client.search_for_instances(uid(1), uid(1, 1))) == 3
    assert len(client.search_for_instances(uid(1))) == 4
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
