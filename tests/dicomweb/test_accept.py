"""The Accept header decides what a client gets (PS3.18 8.7), table by table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.dicomweb.accept import Choice, Resource, negotiate
from appliance.dicomweb.mediatype import MediaType, parse, parse_list
from appliance.errors import BadInput

EXPLICIT = "1.2.840.10008.1.2.1"
BASELINE = "1.2.840.10008.1.2.4.50"
J2K = "1.2.840.10008.1.2.4.90"
DICOM = Choice(True, "application/dicom", EXPLICIT)
STORED = Choice(True, "application/dicom", "*")
JSON = Choice(False, "application/dicom+json", "")
OCTETS = Choice(True, "application/octet-stream", EXPLICIT)
ONE_OCTETS = Choice(False, "application/octet-stream", EXPLICIT)

INSTANCES = [
    # 8.7.3: "If a Transfer Syntax parameter for a DICOM Media Type is not specified in a request or
    # response, the Transfer Syntax in the response shall be the Transfer Syntax specified as the default".
    ('multipart/related; type="application/dicom"', DICOM),
    ("multipart/related; type=application/dicom", DICOM),
    ('multipart/related; type="application/dicom"; transfer-syntax=*', STORED),
    ('multipart/related;type="application/dicom";transfer-syntax="*";boundary=x', STORED),
    (f"multipart/related; type=application/dicom; transfer-syntax={EXPLICIT}", DICOM),
    ('multipart/related; type="application/dicom;transfer-syntax=*"', STORED),
    (
        f"multipart/related; type=application/dicom; transfer-syntax={J2K}",
        Choice(True, "application/dicom", J2K),
    ),
    (f"multipart/related; type=application/dicom; transfer-syntax={BASELINE}", None),
    ("MULTIPART/Related; TYPE=Application/DICOM; Transfer-Syntax=*", STORED),
    # 8.7.7: "DICOM specifies that the */* media range matches the default media type for the target's
    # Resource Category."
    ("*/*", DICOM),
    ("multipart/*", DICOM),
    ("multipart/related", DICOM),
    ('multipart/related; type="application/*"', DICOM),
    ("text/html, */*;q=0.8", DICOM),
    ("", DICOM),
    # 10.4.4: application/dicom without multipart "shall only be used for individual Instance Resources".
    ("application/dicom", None),
    ("application/dicom, multipart/related; type=application/dicom; q=0.1", DICOM),
    # 8.7.5, weights.
    (
        "multipart/related; type=application/dicom; q=0.5, "
        "multipart/related; type=application/dicom; transfer-syntax=*",
        STORED,
    ),
    ("multipart/related; type=application/dicom; transfer-syntax=*; q=0.2, */*; q=0.9", DICOM),
    ("*/*, multipart/related; type=application/dicom; q=0", None),
    ("*/*;q=0", None),
    # 8.7.7: "Any Accept header field values, including media type parameters, that are not valid or not
    # supported shall be ignored by the origin server."
    ("nonsense, multipart/related; type=, */*; q=7, multipart/related; type=application/dicom", DICOM),
    ("image/png", None),
    ("multipart/mixed; type=application/dicom", None),
    ('multipart/related; type="not a type"', None),
]

FRAMES = [
    ('multipart/related; type="application/octet-stream"', OCTETS),
    ("multipart/related; type=application/octet-stream; transfer-syntax=*", OCTETS),
    ("*/*", OCTETS),
    # Table 8.7.3-5: image/jp2 is the media type of 1.2.840.10008.1.2.4.90.
    ("multipart/related; type=image/jp2", Choice(True, "image/jp2", J2K)),
    (f"multipart/related; type=image/jp2; transfer-syntax={J2K}", Choice(True, "image/jp2", J2K)),
    ("multipart/related; type=image/jp2; transfer-syntax=*", Choice(True, "image/jp2", J2K)),
    ('multipart/related; type="image/*"', Choice(True, "image/jp2", J2K)),
    ("multipart/related; type=image/jpeg", None),
    (f"multipart/related; type=image/jp2; transfer-syntax={BASELINE}", None),
    # 8.7.3.5's own example.
    (
        'multipart/related; type="application/octet-stream", multipart/related; type="image/*"; boundary=**, '
        'multipart/related; type="video/*"; boundary=**',
        OCTETS,
    ),
    # What OHIF sends: several image types, then octets at a lower weight.
    (
        "multipart/related; type=image/jls; q=1, multipart/related; type=image/jp2; q=1, "
        "multipart/related; type=application/octet-stream; q=0.5",
        Choice(True, "image/jp2", J2K),
    ),
    ("application/octet-stream", None),
    ("application/dicom", None),
]

SINGLE_FRAME = [
    # 10.4.4: "The use of a single part Media Type is permitted for resources which are a single response
    # item."
    ("application/octet-stream", ONE_OCTETS),
    ("application/octet-stream; transfer-syntax=*", ONE_OCTETS),
    ("image/jp2", Choice(False, "image/jp2", J2K)),
    ("image/*;q=0.5, application/octet-stream;q=0.4", Choice(False, "image/jp2", J2K)),
    ("*/*", OCTETS),
    ("multipart/related; type=application/octet-stream", OCTETS),
]

METADATA = [
    ("application/dicom+json", JSON),
    ("application/json", Choice(False, "application/json", "")),
    ("application/dicom+json; transfer-syntax=*; charset=utf-8", JSON),
    ("*/*", JSON),
    ("application/*", JSON),
    ("application/json;q=0.3, application/dicom+json;q=0.2", Choice(False, "application/json", "")),
    ('multipart/related; type="application/dicom+xml"', None),
    ("text/html", None),
]


@pytest.mark.parametrize(("header", "choice"), INSTANCES)
def test_instances(header: str, choice: Choice | None) -> None:
    assert negotiate(Resource.INSTANCES, [header], stored={J2K}) == choice


def test_a_syntax_that_only_some_of_the_objects_have_is_not_acceptable() -> None:
    header = f"multipart/related; type=application/dicom; transfer-syntax={J2K}"
    assert negotiate(Resource.INSTANCES, [header], stored={J2K, BASELINE}) is None


def test_one_instance_may_be_a_single_part() -> None:
    assert negotiate(Resource.INSTANCES, ["application/dicom"], single=True) == Choice(
        False, "application/dicom", EXPLICIT
    )
    assert negotiate(Resource.INSTANCES, ["application/dicom; transfer-syntax=*"], single=True) == Choice(
        False, "application/dicom", "*"
    )


@pytest.mark.parametrize(("header", "choice"), FRAMES)
def test_frames(header: str, choice: Choice | None) -> None:
    assert negotiate(Resource.FRAMES, [header], stored={J2K}) == choice


@pytest.mark.parametrize(("header", "choice"), SINGLE_FRAME)
def test_a_single_frame(header: str, choice: Choice | None) -> None:
    assert negotiate(Resource.FRAMES, [header], single=True, stored={J2K}) == choice
    assert negotiate(Resource.BULKDATA, [header], single=True, stored={J2K}) == choice


@pytest.mark.parametrize(("header", "choice"), METADATA)
def test_metadata(header: str, choice: Choice | None) -> None:
    assert negotiate(Resource.METADATA, [header]) == choice


def test_several_header_lines_are_one_list() -> None:
    lines = ["text/html", "application/json;q=0.1", "application/dicom+json;q=0.2"]
    assert negotiate(Resource.METADATA, lines) == JSON
    assert negotiate(Resource.METADATA, []) == JSON


@pytest.mark.parametrize(
    ("header", "query", "choice"),
    [
        # 8.3.3.1: the parameter is for links, "where the Content Negotiation Header Fields are not
        # accessible".
        ("text/html, */*;q=0.8", "application/dicom", Choice(False, "application/dicom", EXPLICIT)),
        ("*/*", "application/dicom; transfer-syntax=*", Choice(False, "application/dicom", "*")),
        ("*/*", 'multipart/related; type="application/dicom"', DICOM),
        # "shall be compatible with a media range in the Accept Header Field"
        ("text/html", "application/dicom", None),
        ('multipart/related; type="application/dicom"', "application/dicom", None),
        # "except that it shall not have wildcards"
        ("*/*", "*/*", None),
        ("*/*", "", DICOM),
    ],
)
def test_the_query_parameter_decides_within_the_header(header: str, query: str, choice: Choice | None) -> None:
    assert negotiate(Resource.INSTANCES, [header], query, single=True) == choice


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b", [MediaType("a/b")]),
        (' A/B ; C="d,\\"e;" ; f=g , h/i', [MediaType("a/b", {"c": 'd,"e;', "f": "g"}), MediaType("h/i")]),
        ("a/b;;q=1;", [MediaType("a/b", {"q": "1"})]),
        (",, a/b ,,", [MediaType("a/b")]),
        ('a/b; c="unclosed, d/e', []),
        ('a/b; c="x,y" junk, d/e', [MediaType("d/e")]),
        ("a/b; c=1; c=2, d/e", [MediaType("d/e")]),
        (
            "multipart/related; type=image/jpeg; boundary=a:b",
            [MediaType("multipart/related", {"type": "image/jpeg", "boundary": "a:b"})],
        ),
    ],
)
def test_lists_of_media_types_leave_out_what_is_malformed(text: str, expected: list[MediaType]) -> None:
    assert parse_list(text) == expected


def test_an_absurdly_long_header_is_refused() -> None:
    with pytest.raises(BadInput):
        negotiate(Resource.FRAMES, ["a/b," * 10_000])
    with pytest.raises(BadInput):
        parse("a/b" + " " * 10_000)


@given(st.text(alphabet='a/*;,="\\ \tq01.é\r\n-', max_size=60))
def test_any_header_gives_an_answer_or_none(text: str) -> None:
    for resource in Resource:
        negotiate(resource, [text], text, single=True, stored={J2K})
    parse_list("multipart/related; type=" + text)
