"""Odd queries and odd images over HTTP: what is unknown is ignored and named, and nothing makes the search fail."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from notes import CT, element, note, uid
from qido_server import Service, get, serving, uids

from appliance.dicom.note import Bulk, Note
from appliance.index.store import Index

SR = "1.2.840.10008.5.1.4.1.1.88.11"
JPEG, H264, JPX = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.92"


def pictures(instance: int, declared: Any, bulk: Bulk, syntax: str = "1.2.840.10008.1.2.1", **shape: Any) -> Note:
    """Return the note of a one-byte picture of 8 by 8, whose pixel data are ``bulk``, in study 5."""
    extra = {"00280008": element("IS", declared), "00280010": element("US", 8), "00280011": element("US", 8)}
    extra |= {"00280100": element("US", 8)} | shape
    made = note(5, 1, instance, date="20200101", extra=extra)
    return dataclasses.replace(made, transfer_syntax=syntax, bulk={"7FE00010": bulk})


def fragments(count: int) -> Bulk:
    return Bulk(1000, 100 * count, "OB", tuple((1000 + 100 * n, 92) for n in range(count)))


FRAMES = [
    # what it declares, its pixel data, how many are believed
    (pictures(1, 2147483647, Bulk(1000, 64, "OW")), 1),
    (pictures(2, 3, Bulk(1000, 192, "OW")), 3),
    (pictures(3, 4, Bulk(1000, 192, "OW")), 3),
    (pictures(4, 2**31, Bulk(1000, 64_000_000_000, "OW")), 1_000_000),
    (pictures(5, 2147483647, fragments(7), JPEG), 7),
    (pictures(6, 5, fragments(9), JPEG), 5),
    (pictures(7, 2147483647, fragments(0), JPEG), 1),
    (pictures(8, 250, fragments(1), H264), 100),
    (pictures(9, 90, fragments(1), JPX), 90),
    (pictures(10, 9, Bulk(1000, 64, "OB"), **{"00280100": element("US", 1)}), 8),
    (pictures(11, 9, Bulk(1000, 512, "OW"), **{"00280002": element("US", 3)}), 2),
    (
        pictures(
            12, 9, Bulk(1000, 512, "OB"),
            **{"00280002": element("US", 3), "00280004": element("CS", "YBR_FULL_422")},
        ),
        4,
    ),
    (pictures(13, 9, Bulk(1000, 512, "OW"), **{"00280010": element("LT", "9" * 5000)}), 1),
    (pictures(14, -7, Bulk(1000, 512, "OW")), 1),
    (pictures(15, "1e300", Bulk(1000, 512, "OW")), 1),
]  # fmt: skip


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    index = Index.open(tmp_path_factory.mktemp("qido") / "index.db", bytes(range(32)))
    report = note(1, 2, 1, modality="SR", extra={"00080016": element("UI", SR)})
    index.add([note(1, 1, 1), dataclasses.replace(report, sop_class=SR)])
    index.add([note(2, name="홍^길동", date="20251110")])
    index.add([note(3, name=unicodedata.normalize("NFD", "김^영희=金^英姬"), date="20241110")])
    index.add([note(4, name="IMPOSSIBLE^Day", date="20261399")])
    index.add([made for made, _ in FRAMES])
    index.add([note(6, name="NO^Day", date="")])
    yield index
    index.close()


@pytest.fixture(scope="module")
def root(index: Index) -> Iterator[str]:
    with serving(Service(index)) as root:
        yield root


def studies(root: str, **params: str) -> list[str]:
    return uids(get(root, "/studies", **params), "0020000D")


DATED = [uid(1), uid(2), uid(3), uid(5)]


@pytest.mark.parametrize(
    "query",
    [
        "series?SeriesNumber=99999999999999999999",
        "series?SeriesNumber=-99999999999999999999",
        f"instances?InstanceNumber={2**63}",
        "studies?NumberOfStudyRelatedInstances=100000000000000000000",
        "studies?NumberOfStudyRelatedInstances=1e300",
        "studies?NumberOfStudyRelatedSeries=-1e300",
        "studies?NumberOfStudyRelatedInstances=%22%22&emptyvaluematching=true",
        f"studies?SOPClassesInStudy={','.join(f'1.{n}' for n in range(500))}",
        f"studies?ModalitiesInStudy={'Q,' * 500}",
        f"studies?ModalitiesInStudy={'Q*,' * 340}",
        f"studies?PatientID={'Q*%5C' * 300}&multiplevaluematching=true",
        f"studies?PatientName={'q%20' * 64}&ReferringPhysicianName={'q%20' * 64}&fuzzymatching=true",
    ],
)
def test_a_value_beyond_what_can_be_stored_matches_nothing(root: str, query: str) -> None:
    answer = httpx.get(f"{root}/{query}")
    assert (answer.status_code, answer.content) == (200, b"[]")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("_=123", "_"),
        ("NoSuchKey=DUPONT", "NoSuchKey"),
        ("Modality=CT", "Modality"),
        ("Modality=", "Modality"),
        ("SpecificCharacterSet=ISO_IR%20100", "SpecificCharacterSet"),
        ("RetrieveURL=x", "RetrieveURL"),
        ("00200011=7", "00200011"),
        ("BodyPartExamined=CHEST", "BodyPartExamined"),
        ("includefield=NoSuch", "NoSuch"),
        ("includefield=all,NoSuch&includefield=NoSuch", "NoSuch"),
        ("includefield=SliceThickness", "SliceThickness"),
        ("_=1&_=2&Modality=CT", "_, Modality"),
        ("%22%0D%0ASet-Cookie:%20a=b", "1 unnamed"),
        ("Modality=CT&é=1&a.b=2", "Modality, 2 unnamed"),
        (f"{'k' * 65}=1", "1 unnamed"),
        ("&".join(f"k{n}=1" for n in range(150)), ", ".join(f"k{n}" for n in range(10)) + ", 140 unnamed"),
    ],
)
def test_what_is_not_supported_is_ignored_and_named(root: str, query: str, named: str) -> None:
    answer = httpx.get(f"{root}/studies?{query}")
    assert answer.status_code == 200
    assert [study["0020000D"]["Value"][0] for study in answer.json()][:4] == DATED
    assert answer.headers.get_list("warning") == [f'299 negatoscope "Ignored as not supported here: {named}"']
    assert "set-cookie" not in answer.headers


def test_what_else_was_asked_still_counts(root: str) -> None:
    answer = httpx.get(f"{root}/studies?PatientID=P1&_=1&limit=2&Modality=SR")
    assert len(answer.json()) == 2
    assert answer.headers["warning"] == (
        '299 negatoscope "There are additional results that can be requested", '
        '299 negatoscope "Ignored as not supported here: _, Modality"'
    )
    assert httpx.get(f"{root}/series?_=1&Modality=SR").headers["warning"].endswith('"Ignored as not supported here: _"')
    assert "warning" not in httpx.get(f"{root}/series?Modality=SR&includefield=PatientID").headers
    assert "warning" not in httpx.get(f"{root}/studies?RetrieveURL=&includefield=SpecificCharacterSet").headers


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"SOPClassesInStudy": SR}, [uid(1)]),
        ({"SOPClassesInStudy": f"{SR},1.2.3"}, [uid(1)]),
        ({"00080062": CT}, [*DATED, uid(6), uid(4)]),
        ({"SOPClassesInStudy": SR[:-1]}, []),
        ({"InstanceAvailability": "ONLINE", "SOPClassesInStudy": SR}, [uid(1)]),
        ({"InstanceAvailability": "ON*", "SOPClassesInStudy": SR}, [uid(1)]),
        ({"InstanceAvailability": "NEARLINE"}, []),
    ],
)
def test_classes_and_availability_are_keys(root: str, params: dict[str, str], found: list[str]) -> None:
    assert sorted(studies(root, **params)) == sorted(found)


def test_availability_is_a_key_at_every_level(root: str) -> None:
    for path in ("/series", "/instances", f"/studies/{uid(1)}/series", f"/studies/{uid(1)}/instances"):
        everything = get(root, path)
        assert everything == get(root, path, InstanceAvailability="ONLINE")
        assert get(root, path, InstanceAvailability="OFFLINE") == []


def test_classes_are_returned_on_demand(root: str) -> None:
    assert "00080062" not in get(root, "/studies", StudyInstanceUID=uid(1))[0]
    wanted = {"vr": "UI", "Value": sorted([CT, SR])}
    for params in ({"includefield": "SOPClassesInStudy"}, {"includefield": "all"}, {"SOPClassesInStudy": ""}):
        assert get(root, "/studies", StudyInstanceUID=uid(1), **params)[0]["00080062"] == wanted
        assert get(root, "/series", StudyInstanceUID=uid(1), **params)[0]["00080062"] == wanted
    inside = get(root, f"/studies/{uid(1)}/series", includefield=["ModalitiesInStudy", "SOPClassesInStudy"])[0]
    assert inside["00080061"]["Value"] == ["CT", "SR"] and inside["00080062"] == wanted
    below = get(root, f"/studies/{uid(1)}/instances", includefield="NumberOfSeriesRelatedInstances")[0]
    assert below["00201209"]["Value"] == [1]


def test_an_impossible_day_is_listed_with_the_undated(root: str, index: Index) -> None:
    listed = get(root, "/studies")
    assert uids(listed, "0020000D") == [*DATED, uid(6), uid(4)]
    assert listed[-1]["00080020"] == {"vr": "DA", "Value": ["20261399"]}
    assert [row.study_date for row in index.studies()[1]] == ["20261101", "20251110", "20241110", "20200101", "", ""]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("홍^길?", [uid(2)]),
        ("홍^?동", [uid(2)]),
        ("?^길동", [uid(2)]),
        (unicodedata.normalize("NFD", "홍^길?"), [uid(2)]),
        ("홍^?", []),
        ("김^영?", [uid(3)]),
        ("홍*", [uid(2)]),
        ("홍", [uid(2)]),
    ],
)
def test_one_question_mark_stands_for_one_syllable(root: str, name: str, found: list[str]) -> None:
    assert studies(root, PatientName=name) == found


@pytest.mark.parametrize(("made", "believed"), FRAMES)
def test_frames_are_believed_as_far_as_the_pixel_data_hold_them(
    root: str, index: Index, made: Note, believed: int
) -> None:
    for include in ("", "NumberOfFrames", "all"):
        (found,) = get(root, "/instances", SOPInstanceUID=made.sop_instance, includefield=include)
        assert found["00280008"] == {"vr": "IS", "Value": [believed]}
    (entry,) = index.entries(made.study, made.series, made.sop_instance)
    assert entry.frames == believed
