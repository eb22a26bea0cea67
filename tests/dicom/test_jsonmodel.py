"""Values in the DICOM JSON model (PS3.18 F.2)."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.dicom.charsets import decoder
from appliance.dicom.jsonmodel import element
from appliance.dicom.vrs import LONG_HEADER, SHORT_HEADER

PLAIN = decoder(())


@pytest.mark.parametrize(
    ("vr", "raw", "value"),
    [
        ("CS", b"ORIGINAL\\PRIMARY\\ ", ["ORIGINAL", "PRIMARY", None]),
        ("UI", b"1.2.840\0", ["1.2.840"]),
        ("LO", b" a \\b", ["a", "b"]),
        ("UC", b"a\\b", ["a", "b"]),
        ("LT", b"one\\two  ", ["one\\two"]),
        ("ST", b"  indented ", ["  indented"]),
        ("UR", b"http://x/\\y ", ["http://x/\\y"]),
        ("DS", b"1.5\\ 2 \\-3e2\\", [1.5, 2, -300.0, None]),
        ("DS", b"0", [0]),
        ("IS", b"-12 ", [-12]),
        ("IS", b"0", [0]),
        # What is no JSON number stays text.
        ("DS", b"nan\\1_0\\0x10\\1e999\\1,5\\--1", ["nan", "1_0", "0x10", "1e999", "1,5", "--1"]),
        ("IS", b"9" * 5000, ["9" * 5000]),
        ("IS", b"1A", ["1A"]),
        ("PN", b"A^B", [{"Alphabetic": "A^B"}]),
        (
            "PN",
            b"A=B=C\\\\=D",
            [{"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C"}, None, {"Ideographic": "D"}],
        ),
        ("PN", b"A=B=C=D=E", [{"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C=D=E"}]),
        ("US", b"\1\0\xff\xff\7", [1, 65535]),
        ("SS", b"\xff\xff", [-1]),
        ("UL", b"\0\0\0\x80", [1 << 31]),
        ("SL", b"\0\0\0\x80", [-(1 << 31)]),
        ("SV", b"\xff" * 8, [-1]),
        ("UV", b"\xff" * 8, [(1 << 64) - 1]),
        (
            "FL",
            struct.pack("<4f", 0.5, float("nan"), float("inf"), float("-inf")),
            [0.5, "NaN", "inf", "-inf"],
        ),
        ("FD", struct.pack("<d", 0.1), [0.1]),
        ("AT", b"\x10\0\x20\0\1", ["00100020"]),
    ],
)
def test_values(vr: str, raw: bytes, value: list[object]) -> None:
    found = element(vr, raw, PLAIN)
    assert found == {"vr": vr, "Value": value}
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("vr", "raw"),
    [
        ("LO", b""),
        ("LO", b"  "),
        ("PN", b"^="[1:]),
        ("DS", b" "),
        ("US", b""),
        ("US", b"\1"),
        ("OB", b""),
        ("AT", b"\1\2\3"),
        ("LT", b" \0"),
    ],
)
def test_an_empty_value_is_left_out(vr: str, raw: bytes) -> None:
    # F.2.5: "If an attribute is present in DICOM but empty ... it shall be encoded with no Value".
    assert element(vr, raw, PLAIN) == {"vr": vr}


@pytest.mark.parametrize(
    ("vr", "big", "little"),
    [
        ("OB", "AAEC", "AAEC"),
        ("OW", "AAEAAg==", "AQACAA=="),
        ("OL", "AAAAAQ==", "AQAAAA=="),
        ("OW", "AAEC", "AQAC"),
    ],
)
def test_inline_binary_is_little_endian(vr: str, big: str, little: str) -> None:
    import base64

    assert element(vr, base64.b64decode(big), PLAIN, True) == {"vr": vr, "InlineBinary": little}


def test_only_vrs_of_the_character_set_follow_it() -> None:
    greek = decoder(["ISO_IR 126"])
    assert element("LO", b"\xc4", greek)["Value"] == ["Δ"]
    assert element("CS", b"\xc4", greek)["Value"] == ["Ä"]


@given(st.sampled_from(sorted(LONG_HEADER | SHORT_HEADER | {"??"})), st.binary(max_size=80), st.booleans())
def test_no_bytes_make_it_raise_or_give_what_json_cannot_hold(vr: str, raw: bytes, big: bool) -> None:
    decode = decoder(["ISO 2022 IR 13", "ISO 2022 IR 87", "ISO 2022 IR 149"])
    json.dumps(element(vr, raw, decode, big), allow_nan=False).encode()


@given(st.sampled_from([[], ["GB18030"], ["ISO_IR 192"], ["", "ISO 2022 IR 159"]]), st.binary(max_size=60))
def test_no_text_makes_a_decoder_raise(terms: list[str], raw: bytes) -> None:
    decoder(terms)(raw).encode("utf_8")
