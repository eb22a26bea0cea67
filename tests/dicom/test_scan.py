"""What the scanner makes of data sets in every layout that devices send."""

import hashlib
import io
import json
import struct
import sys
import zlib

import pydicom
import pytest
from dicombytes import (
    BIG,
    DEFLATED,
    END,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    UNDEFINED,
    explicit,
    fragments,
    implicit,
    item,
)
from pydicom.dataset import Dataset

from appliance.dicom.note import Bulk
from appliance.dicom.part10 import file_head
from appliance.dicom.scan import Scanner
from appliance.dicom.scanned import Scanned
from appliance.errors import BadInput

NAME = explicit(0x00100010, "PN", b"DUPONT^Marie")


def scan(data: bytes, syntax: str | None = EXPLICIT, base: int = 0) -> Scanned:
    scanner = Scanner(syntax, base=base)
    scanner.feed(data)
    return scanner.finish()


def values(scanned: Scanned, tag: str) -> object:
    return scanned.attributes[tag].get("Value")


def test_identifiers_are_at_hand_and_empty_when_missing() -> None:
    data = explicit(0x00080016, "UI", b"1.2\0") + explicit(0x00080018, "UI", b"1.2.3\0")
    scanned = scan(data + explicit(0x0020000D, "UI", b"1.4\0"))
    assert (scanned.sop_class, scanned.sop_instance, scanned.study, scanned.series) == (
        "1.2",
        "1.2.3",
        "1.4",
        "",
    )


def test_digest_size_and_offsets_are_those_of_the_file() -> None:
    data = NAME + explicit(0x7FE00010, "OW", b"\1\2" * 5000)
    head = file_head("1.2", "1.2.3", EXPLICIT)
    for scanned in (scan(data, base=len(head)), scan(head + data, None)):
        assert scanned.dataset_sha256 == hashlib.sha256(data).hexdigest()
        assert scanned.dataset_offset == len(head)
        assert scanned.size == len(head + data)
        assert scanned.bulk == {"7FE00010": Bulk(len(head + data) - 10_000, 10_000, "OW")}
        assert scanned.attributes["7FE00010"] == {"vr": "OW", "BulkDataURI": "bulkdata/7FE00010"}


def test_group_lengths_are_left_out() -> None:
    assert set(scan(explicit(0x00080000, "UL", b"\4\0\0\0") + NAME).attributes) == {"00100010"}


@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_of_either_kind_nest(undefined: bool) -> None:
    inner = explicit(0x00080100, "SH", b"CODE")
    for _ in range(20):
        body = item(inner, undefined=undefined) + item(b"", undefined=undefined)
        inner = explicit(4237104, "SQ", body, length=UNDEFINED) + END if undefined else explicit(4237104, "SQ", body)
    here = scan(inner + NAME).attributes
    assert here["00100010"]["Value"] == [{"Alphabetic": "DUPONT^Marie"}]
    for _ in range(20):
        here, empty = here["0040A730"]["Value"]
        assert empty == {}
    assert here == {"00080100": {"vr": "SH", "Value": ["CODE"]}}


def test_an_empty_sequence_has_no_value_in_either_form() -> None:
    data = explicit(0x00081140, "SQ", b"") + explicit(0x00082112, "SQ", b"", length=UNDEFINED) + END
    assert scan(data).attributes == {"00081140": {"vr": "SQ"}, "00082112": {"vr": "SQ"}}


def test_un_of_undefined_length_holds_a_sequence_in_implicit_vr() -> None:
    # PS3.5 6.2.2 note: "the Value Field ... shall be encoded as Implicit VR Little Endian".
    content = item(implicit(0x00100010, b"DUPONT^Marie"), undefined=True)
    for tag in (0x00091010, 0x00081140):
        for order, syntax in (("<", EXPLICIT), (">", BIG)):
            data = explicit(tag, "UN", b"", length=UNDEFINED, order=order) + content + END
            after = explicit(0x00280010, "US", struct.pack(order + "H", 7), order=order)
            scanned = scan(data + after, syntax)
            assert values(scanned, "00280010") == [7]
            sequence = scanned.attributes[f"{tag:08X}"]
            assert sequence == {
                "vr": "SQ",
                "Value": [{"00100010": {"vr": "PN", "Value": [{"Alphabetic": "DUPONT^Marie"}]}}],
            }


def test_un_is_implicit_even_where_a_length_looks_like_a_vr() -> None:
    text = b"x" * int.from_bytes(b"DS", "little")
    data = explicit(0x00081140, "UN", item(implicit(0x00084000, text), undefined=True), length=UNDEFINED) + END
    assert values(scan(data), "00081140") == [{"00084000": {"vr": "LT", "Value": [text.decode()]}}]


def test_un_is_little_endian_in_a_big_endian_data_set() -> None:
    assert values(scan(explicit(0x00280010, "UN", b"\7\0", order=">"), BIG), "00280010") == [7]


def test_un_of_a_known_attribute_is_read_as_what_it_is() -> None:
    sequence = item(implicit(0x00081155, b"1.2.3\0"))
    data = explicit(0x00081140, "UN", sequence) + explicit(0x00100010, "UN", b"DUPONT^Marie")
    scanned = scan(data + explicit(0x00280010, "UN", b"\7\0"))
    assert values(scanned, "00081140") == [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}]
    assert values(scanned, "00100010") == [{"Alphabetic": "DUPONT^Marie"}]
    assert values(scanned, "00280010") == [7]


def test_un_that_should_be_a_sequence_but_is_none_stays_un() -> None:
    scanned = scan(explicit(0x00081140, "UN", b"not an item") + explicit(0x00081115, "UN", b"short"))
    assert scanned.attributes["00081140"]["vr"] == scanned.attributes["00081115"]["vr"] == "UN"


def test_private_elements_of_implicit_data_sets_get_their_vendors_vr() -> None:
    data = implicit(0x00190010, b"GEMS_ACQU_01") + implicit(0x00191002, b"\5\0\0\0") + implicit(0x00191102, b"\5\0")
    attributes = scan(data, IMPLICIT).attributes
    assert attributes["00190010"] == {"vr": "LO", "Value": ["GEMS_ACQU_01"]}
    assert attributes["00191002"] == {"vr": "SL", "Value": [5]}
    assert attributes["00191102"] == {"vr": "UN", "InlineBinary": "BQA="}


def test_private_sequences_of_implicit_data_sets_are_entered_when_of_undefined_length() -> None:
    data = implicit(0x00091010, item(implicit(0x00100020, b"4711")), length=UNDEFINED) + END
    assert values(scan(data, IMPLICIT), "00091010") == [{"00100020": {"vr": "LO", "Value": ["4711"]}}]


@pytest.mark.parametrize(("signed", "vr", "number"), [(b"\0\0", "US", 65535), (b"\1\0", "SS", -1)])
def test_pixel_representation_settles_us_or_ss(signed: bytes, vr: str, number: int) -> None:
    nested = implicit(0x00283000, item(implicit(0x00283002, b"\xff\xff" * 3)))
    before = implicit(0x00221452, b"\xff\xff")  # stands before PixelRepresentation
    data = before + implicit(0x00280103, signed) + implicit(0x00280106, b"\xff\xff") + nested
    attributes = scan(data, IMPLICIT).attributes
    assert attributes["00221452"] == attributes["00280106"] == {"vr": vr, "Value": [number]}
    assert attributes["00283000"]["Value"][0]["00283002"] == {"vr": vr, "Value": [number] * 3}


def test_words_of_implicit_data_sets_are_ow() -> None:
    data = implicit(0x00283006, b"\1\0" * 4) + implicit(0x60003000, b"\1\0") + implicit(0x7FE00010, b"\0\0")
    attributes = scan(data, IMPLICIT).attributes
    assert [attributes[tag]["vr"] for tag in ("00283006", "60003000", "7FE00010")] == ["OW"] * 3


def test_big_endian_values_come_out_like_little_endian_ones() -> None:
    def both(order: str) -> bytes:
        return b"".join(
            [
                explicit(0x00080005, "CS", b"ISO_IR 100", order=order),
                explicit(0x00080301, "US", struct.pack(order + "2H", 1, 65535), order=order),
                explicit(0x00082112, "SQ", b"", order=order),
                explicit(0x00181060, "FD", struct.pack(order + "d", 1.5), order=order),
                explicit(0x00281201, "OW", struct.pack(order + "3H", 1, 2, 3), order=order),
                explicit(0x00720060, "AT", struct.pack(order + "2H", 0x0010, 0x0020), order=order),
            ]
        )

    assert scan(both(">"), BIG).attributes == scan(both("<")).attributes
    assert values(scan(both(">"), BIG), "00720060") == ["00100020"]


def test_a_deflated_data_set_is_read_and_its_bulk_counts_from_the_inflated_start() -> None:
    plain = NAME + explicit(0x7FE00010, "OW", bytes(100_000))
    squeeze = zlib.compressobj(wbits=-15)
    packed = squeeze.compress(plain) + squeeze.flush()
    head = file_head("1.2", "1.2.3", DEFLATED)
    trailer = struct.pack("<LL", zlib.crc32(plain), len(plain))
    for padding in (b"", b"\0", trailer):
        scanned = scan(head + packed + padding, None)
        assert scanned.bulk["7FE00010"] == Bulk(len(plain) - 100_000, 100_000, "OW")
        assert scanned.dataset_sha256 == hashlib.sha256(packed + padding).hexdigest()
        assert scanned.size == len(head + packed + padding)
        assert values(scanned, "00100010") == [{"Alphabetic": "DUPONT^Marie"}]


def test_fragments_and_offset_table_are_kept_and_what_follows_is_read() -> None:
    table = struct.pack("<2L", 0, 18)
    data = NAME + fragments([b"0123456789", b"", b"abc"], table) + explicit(0xFFFCFFFC, "OB", b"\0\0")
    scanned = scan(data, JPEG, base=1000)
    bulk = scanned.bulk["7FE00010"]
    assert bulk.fragments is not None and bulk.offset_table == (0, 18)
    assert [data[o - 1000 : o - 1000 + size] for o, size in bulk.fragments] == [b"0123456789", b"", b"abc"]
    assert data[bulk.offset - 1000 : bulk.offset - 1000 + bulk.length] == (
        item(table) + item(b"0123456789") + item(b"") + item(b"abc")
    )
    assert list(scanned.attributes) == ["00100010", "7FE00010", "FFFCFFFC"]


def test_bulk_inside_sequences_is_found_by_its_path() -> None:
    icon = explicit(0x7FE00010, "OB", b"x" * 10)
    data = explicit(0x00091010, "UN", b"y" * 9000)
    nested = explicit(0x00880200, "SQ", item(b"") + item(icon + data, undefined=True))
    scanned = scan(NAME + nested)
    whole = NAME + nested
    assert set(scanned.bulk) == {"00880200.1.7FE00010", "00880200.1.00091010"}
    place = scanned.bulk["00880200.1.00091010"]
    assert whole[place.offset : place.offset + place.length] == b"y" * 9000
    entry = scanned.attributes["00880200"]["Value"][1]["7FE00010"]
    assert entry == {"vr": "OB", "BulkDataURI": "bulkdata/00880200.1.7FE00010"}


@pytest.mark.parametrize(
    ("tag", "vr", "limit"),
    [
        (0x00420011, "OB", 8 << 10),
        (0x00091010, "UN", 8 << 10),
        (0x00281201, "OW", 512 << 10),
        (0x00283006, "OW", 512 << 10),
        (0x0040A160, "UT", 64 << 10),
        (0x00660016, "OF", 8 << 10),
    ],
)
def test_values_are_inline_up_to_their_limit(tag: int, vr: str, limit: int) -> None:
    key = f"{tag:08X}"
    assert key not in scan(explicit(tag, vr, b"x" * limit)).bulk
    over = scan(explicit(tag, vr, b"x" * (limit + 2)))
    assert over.bulk[key].length == limit + 2 and over.attributes[key]["BulkDataURI"] == f"bulkdata/{key}"


def test_text_is_unicode_and_says_so() -> None:
    data = explicit(0x00080005, "CS", b"ISO_IR 100") + explicit(0x00100010, "PN", b"L\xe9a")
    item_text = explicit(0x00080005, "CS", b"ISO_IR 192") + explicit(0x00080104, "LO", "Ωé".encode())
    nested = explicit(0x00081140, "SQ", item(item_text) + item(explicit(0x00080104, "LO", b"\xe9")))
    scanned = scan(data + nested)
    assert values(scanned, "00080005") == ["ISO_IR 192"]
    assert scanned.character_set == ("ISO_IR 100",)
    assert values(scanned, "00100010") == [{"Alphabetic": "Léa"}]
    first, second = scanned.attributes["00081140"]["Value"]
    assert first["00080104"]["Value"] == ["Ωé"] and second["00080104"]["Value"] == ["é"]


def test_an_item_without_vrs_inside_an_explicit_data_set_is_read() -> None:
    # Some devices write the items of private sequences in implicit VR.
    nested = explicit(
        0x00081140, "SQ", item(implicit(0x00081155, b"1.2.3\0")) + item(explicit(0x00081155, "UI", b"1.4\0"))
    )
    assert [one["00081155"]["Value"] for one in scan(nested).attributes["00081140"]["Value"]] == [
        ["1.2.3"],
        ["1.4"],
    ]


def test_a_vr_of_the_future_has_the_long_header() -> None:
    data = struct.pack("<HH2sHL", 9, 0x1010, b"ZZ", 0, 3) + b"abc" + NAME
    assert scan(data).attributes["00091010"] == {"vr": "UN", "InlineBinary": "YWJj"}


def test_odd_lengths_are_read_as_they_come() -> None:
    scanned = scan(
        explicit(0x00100020, "LO", b"123")
        + NAME
        + explicit(0x7FE00010, "OB", b"123")
        + explicit(0xFFFCFFFC, "OB", b"\0")
    )
    assert values(scanned, "00100020") == ["123"] and scanned.bulk["7FE00010"].length == 3


def test_the_last_of_repeated_elements_counts_and_no_bulk_is_left_behind() -> None:
    big = explicit(0x00091010, "UN", b"y" * 9000)
    twice = explicit(0x00081140, "SQ", item(big)) + explicit(0x00081140, "SQ", item(NAME))
    scanned = scan(twice + explicit(0x7FE00010, "OB", b"1") + explicit(0x7FE00010, "OB", b"22") + NAME + NAME)
    assert set(scanned.bulk) == {"7FE00010"} and scanned.bulk["7FE00010"].length == 2
    assert set(scanned.attributes["00081140"]["Value"][0]) == {"00100010"}
    assert pydicom.dcmread(io.BytesIO(file_head("1.2", "1.3", EXPLICIT) + twice)).ReferencedImageSequence[0].PatientName


@pytest.mark.parametrize("zeros", [1, 7, 8, 9, 512, 65_536])
def test_zeros_behind_the_data_set_are_padding(zeros: int) -> None:
    assert scan(NAME + bytes(zeros)).attributes == scan(NAME).attributes


@pytest.mark.parametrize(
    "rest", [b"\1", b"\0\0\1", bytes(8) + b"\1", bytes(600) + NAME, bytes(70_000), b"garbage!" * 9]
)
def test_anything_else_behind_the_data_set_is_refused(rest: bytes) -> None:
    with pytest.raises(BadInput, match="at byte"):
        scan(NAME + rest)


def test_every_truncation_is_refused_with_the_byte_where_it_ends() -> None:
    sequence = explicit(0x00081140, "SQ", item(NAME, undefined=True), length=UNDEFINED) + END
    data = NAME + sequence + fragments([b"abc", b"de"])
    wholes = {0, len(NAME), len(NAME + sequence), len(data)}
    for length in range(len(data)):
        if length in wholes - {0}:
            scan(data[:length], JPEG)
            continue
        with pytest.raises(BadInput, match=r"at byte [0-9]+ of the file"):
            scan(data[:length], JPEG)
    head = file_head("1.2", "1.2.3", EXPLICIT)
    for length in range(len(head) + 1):
        with pytest.raises(BadInput):
            scan(head[:length], None)


def test_errors_name_place_and_attribute_but_no_content() -> None:
    secret = explicit(0x00100010, "PN", b"CANARY^NAME", length=60_000)
    with pytest.raises(BadInput) as error:
        scan(NAME + explicit(0x00081140, "SQ", item(secret)), base=100)
    assert "(0010,0010)" in str(error.value) and "CANARY" not in str(error.value)
    assert f"byte {100 + len(NAME) + 12 + 8}" in str(error.value)


def test_a_spent_scanner_stays_spent() -> None:
    scanner = Scanner(EXPLICIT)
    with pytest.raises(BadInput):
        scanner.feed(b"\2\0\0\0UL\4\0\0\0\0\0")
    for _ in range(2):
        with pytest.raises(BadInput):
            scanner.feed(NAME)
        with pytest.raises(BadInput):
            scanner.finish()


@pytest.mark.parametrize("syntax", ["", "1.2.3", "1.2.840.113619.5.2", "../1", "1.2.840.10008.1.2.\n"])
def test_a_private_or_impossible_transfer_syntax_is_refused(syntax: str) -> None:
    with pytest.raises(BadInput, match="transfer syntax"):
        Scanner(syntax)


def a_ct_slice(rows: int = 512) -> bytes:
    dataset = Dataset()
    for tag in range(0x00180010, 0x00180010 + 110):
        if pydicom.datadict.dictionary_has_tag(tag) and pydicom.datadict.dictionary_VR(tag) in {
            "LO",
            "CS",
            "DS",
            "IS",
        }:
            dataset.add_new(tag, pydicom.datadict.dictionary_VR(tag), "1")
    for keyword in ("PatientName", "PatientID", "StudyDate", "Manufacturer", "StudyDescription"):
        setattr(dataset, keyword, "20200101")
    for index in range(40):
        dataset.add_new(0x00191000 + index, "DS", ["1.5", "2.5", "3"])
    dataset.add_new(0x00190010, "LO", "SOMEBODY")
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2", "1.2.3"
    dataset.ReferencedImageSequence = [reference] * 3
    dataset.Rows = dataset.Columns = rows
    dataset.BitsAllocated, dataset.PixelRepresentation = 16, 1
    dataset.PixelData = bytes(rows * rows * 2)
    dataset["PixelData"].VR = "OW"
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def test_a_ct_slice_takes_few_calls_to_scan() -> None:
    """What a slice costs at the door, counted in calls of functions: seconds would be the machine's, not the code's."""
    data = memoryview(a_ct_slice())
    scanner = Scanner(EXPLICIT)
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        scanner.feed(data)
        found = scanner.finish()
    finally:
        sys.setprofile(None)
    assert len(found.attributes) >= 75
    assert calls < 2500  # 1,835 when it was written


def test_the_result_is_plain_json() -> None:
    scanned = scan(a_ct_slice(4) + b"")
    assert json.loads(json.dumps(scanned.attributes, allow_nan=False)) == scanned.attributes
