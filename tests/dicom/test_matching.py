"""A query means what PS3.18 8.3.4 and PS3.4 C.2.2.2 say; what is malformed is refused, what is unknown is named."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from appliance.dicom.folding import fold, fold_name, fold_words, glob_match, time_bounds
from appliance.dicom.matching import MAX_PAGE, Level, matches, parse_path, parse_query
from appliance.errors import BadInput


def says(key: str, value: str, tag: str, vr: str, *stored: Any, **flags: str) -> bool:
    """Say whether ``key=value`` matches one stored element."""
    params = [(key, value), *flags.items()]
    query = parse_query("instances", params)
    return all(matches(c, {tag: {"vr": vr, "Value": list(stored)}}) for c in query.conditions)


def name(query: str, alphabetic: str, **flags: str) -> bool:
    return says("PatientName", query, "00100010", "PN", {"Alphabetic": alphabetic}, **flags)


def test_names_match_without_case_and_accents_up_to_any_component() -> None:
    assert name("dupont", "DUPONT^Émile")
    assert name("Dupont^emile", "DUPONT^Émile")
    assert name("DUPONT^É*", "dupont^emile")
    assert name("lefevre", "LEFÈVRE^Cœlia^^")
    assert name("LEFÈVRE^COELIA", "Lefevre^Cœlia")
    assert name("d?pont*", "DUPONT^Émile")
    assert not name("dupon", "DUPONT^Émile")
    assert not name("emile", "DUPONT^Émile")
    assert not name("emile^dupont", "DUPONT^Émile")
    assert not name("dupont^emile", "DUPONTEL^Émile")


def test_fuzzy_names_match_beginnings_of_words_in_any_order() -> None:
    assert name("emile dup", "DUPONT^Émile", fuzzymatching="true")
    assert name("emi^dupont", "DUPONT^Émile", fuzzymatching="true")
    assert not name("mile", "DUPONT^Émile", fuzzymatching="true")


def test_name_groups_match_alone_or_each_in_its_place() -> None:
    stored = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    for asked in ("山田", "山田^太郎", "やまだ", "yamada", "Yamada=山田", "=山田", "yamada=*郎"):
        assert says("PatientName", asked, "00100010", "PN", stored), asked
    for asked in ("山", "suzuki=山田", "山田=yamada"):
        assert not says("PatientName", asked, "00100010", "PN", stored), asked


def test_text_is_compared_with_case_and_without_outer_spaces() -> None:
    assert says("PatientID", "P1", "00100020", "LO", "P1 ")
    assert not says("PatientID", "p1", "00100020", "LO", "P1")
    assert says("PatientID", "P?", "00100020", "LO", "P1")
    assert not says("PatientID", "P?", "00100020", "LO", "P12")
    assert says("PatientID", "[P]*", "00100020", "LO", "[P]1")
    assert says("ImageType", "AXIAL", "00080008", "CS", "ORIGINAL", "PRIMARY", "AXIAL")


@pytest.mark.parametrize(
    ("asked", "yes", "no"),
    [
        ("20261124", ["20261124", "2026.11.24"], ["20261123", ""]),
        ("20261101-20261130", ["20261101", "20261130"], ["20261031", "20261201", ""]),
        ("-20261130", ["19000101"], ["20261201", ""]),
        ("20261101-", ["20270101"], ["20261031", ""]),
    ],
)
def test_dates_match_alone_and_in_inclusive_ranges(asked: str, yes: list[str], no: list[str]) -> None:
    assert all(says("StudyDate", asked, "00080020", "DA", value) for value in yes)
    assert not any(says("StudyDate", asked, "00080020", "DA", value) for value in no)


@pytest.mark.parametrize(
    ("asked", "yes", "no"),
    [
        ("10", ["100000", "105959.999999"], ["110000", "095959", "nonsense"]),
        ("1015", ["101530"], ["101600"]),
        ("1000-1100", ["1000", "110059.5"], ["110100", "0959"]),
        ("-1100", ["000000"], ["1101", ""]),
        ("1000-", ["235959"], ["0959", ""]),
    ],
)
def test_times_match_at_any_precision(asked: str, yes: list[str], no: list[str]) -> None:
    assert all(says("StudyTime", asked, "00080030", "TM", value) for value in yes)
    assert not any(says("StudyTime", asked, "00080030", "TM", value) for value in no)


def test_datetimes_compare_in_utc_when_an_offset_is_given() -> None:
    assert says("AcquisitionDateTime", "20261124", "0008002A", "DT", "20261124083000.5")
    assert says("AcquisitionDateTime", "20261124080000-20261124090000", "0008002A", "DT", "20261124083000")
    assert says("AcquisitionDateTime", "20261124083000+0000", "0008002A", "DT", "20261124093000+0100")
    assert not says("AcquisitionDateTime", "20261124093000+0000", "0008002A", "DT", "20261124093000+0100")
    assert says("AcquisitionDateTime", "20261124-20261125", "0008002A", "DT", "20261125235959")
    assert time_bounds("DT", "202602+0000")[1] == "20260228235959999999"


def test_numbers_are_compared_as_numbers() -> None:
    assert says("InstanceNumber", "007", "00200013", "IS", 7)
    assert says("SliceThickness", "1.250", "00180050", "DS", 1.25)
    assert not says("InstanceNumber", "7", "00200013", "IS", 70, "x", None)


def test_uid_lists_may_be_separated_by_comma_backslash_or_repetition() -> None:
    for params in (
        [("StudyInstanceUID", "1.2,1.3")],
        [("StudyInstanceUID", "1.2\\1.3")],
        [("StudyInstanceUID", "1.2"), ("0020000D", "1.3")],
    ):
        assert parse_query("studies", params).conditions[0].values == ("1.2", "1.3")


def test_lists_of_modalities_and_of_other_values_on_demand() -> None:
    assert parse_query("studies", [("ModalitiesInStudy", "CT\\MR")]).conditions[0].values == ("CT", "MR")
    assert says("PatientID", "a\\b", "00100020", "LO", "b", multiplevaluematching="true")
    assert not says("PatientID", "a\\b", "00100020", "LO", "b")


def test_an_empty_value_or_a_lone_star_matches_all_and_asks_for_the_attribute() -> None:
    for value in ("", "*", "**"):
        query = parse_query("studies", [("PatientComments", value)])
        assert (query.conditions, query.include) == ((), {"00104000"})


def test_empty_value_matching_finds_what_is_missing() -> None:
    query = parse_query("studies", [("PatientID", '""'), ("emptyvaluematching", "true")])
    assert matches(query.conditions[0], {})
    assert matches(query.conditions[0], {"00100020": {"vr": "LO", "Value": [""]}})
    assert not matches(query.conditions[0], {"00100020": {"vr": "LO", "Value": ["P"]}})


def test_keys_may_be_keywords_tags_and_paths_through_sequences() -> None:
    assert parse_path("PatientID") == parse_path("00100020") == (("00100020",), "LO")
    path = (("00400275", "00400009"), "SH")
    assert parse_path("RequestAttributesSequence.ScheduledProcedureStepID") == parse_path("00400275.00400009") == path
    query = parse_query("series", [("00400275.00400009", "S1")])
    item = {"00400009": {"vr": "SH", "Value": ["S1"]}}
    assert matches(query.conditions[0], {"00400275": {"vr": "SQ", "Value": [{}, item]}})
    assert not matches(query.conditions[0], {"00400275": {"vr": "SQ", "Value": [{}]}})


def test_includefields_may_be_repeated_listed_or_all() -> None:
    query = parse_query("studies", [("includefield", "PatientComments,00101010"), ("includefield", "all")])
    assert (query.include, query.include_all) == ({"00104000", "00101010"}, True)


def test_pages_are_bounded() -> None:
    query = parse_query("studies", [("limit", "999999"), ("offset", "7"), ("", "")])
    assert (query.limit, query.offset) == (MAX_PAGE, 7)


@pytest.mark.parametrize(
    "params",
    [
        [("StudyDate", "2026-11-24")],
        [("StudyDate", "-")],
        [("StudyTime", "noon")],
        [("AcquisitionDateTime", "99-")],
        [("StudyInstanceUID", "1.2.x")],
        [("StudyInstanceUID", "1.2,../etc")],
        [("PatientID", "a"), ("00100020", "b")],
        [("RequestAttributesSequence", "a")],
        [("PatientName", "a*b*c*d*e*f*g*h")],
        [("PatientID", "x" * 2000)],
        [("InstanceNumber", "one")],
        [("InstanceNumber", "inf")],
        [("limit", "-1")],
        [("limit", "1"), ("limit", "2")],
        [("offset", "1e9")],
        [("fuzzymatching", "maybe")],
        [("PixelData", "x")],
        [(f"0010{n:04X}", "") for n in range(300)],
        [("PatientName", "a " * 500), ("fuzzymatching", "true")],
        [("PatientName", "\x00")],
        [("PatientID", "A\x1f*")],
    ],
)
def test_nonsense_is_refused_without_repeating_it(params: list[tuple[str, str]]) -> None:
    with pytest.raises(BadInput) as caught:
        parse_query("instances", params)
    assert "etc" not in str(caught.value) and "xxx" not in str(caught.value)


@pytest.mark.parametrize(
    ("level", "name"),
    [
        ("studies", "_"),
        ("studies", "NoSuchKeyword"),
        ("studies", "Modality"),
        ("studies", "0020000E"),
        ("studies", "00091001"),
        ("series", "ImageType"),
        ("instances", "PatientID.PatientName"),
        ("instances", "RequestAttributesSequence.NoSuchKeyword"),
        ("instances", ".".join(["00400275"] * 9)),
    ],
)
def test_what_is_unknown_or_below_the_level_is_named_and_plays_no_part(level: Level, name: str) -> None:
    for params in ([(name, "1")], [(name, "")], [("includefield", f"all,{name}")]):
        query = parse_query(level, params)
        assert (query.conditions, query.include, query.ignored) == ((), frozenset(), (name,))


def test_a_key_below_the_level_is_refused_when_its_value_is_malformed() -> None:
    with pytest.raises(BadInput):
        parse_query("studies", [("SeriesNumber", "one")])


def test_a_path_that_is_no_uid_is_refused() -> None:
    with pytest.raises(BadInput):
        parse_query("series", [], study="../1")


def test_malformed_stored_values_match_nothing_and_raise_nothing() -> None:
    for stored in (None, 7, [], {}, {"Value": "x"}, {"Value": [None, 3, {"Alphabetic": 5}]}):
        for params in (
            [("PatientName", "x")],
            [("PatientName", "x=y")],
            [("PatientName", "x"), ("fuzzymatching", "true")],
        ):
            query = parse_query("studies", params)
            assert not matches(query.conditions[0], {"00100010": stored})


def test_hostile_patterns_take_little_time() -> None:
    assert not glob_match("*a*a*a*a*a*b", "a" * 100_000)


def test_folding_makes_spellings_equal() -> None:
    assert fold(" ÉMILE   Straße ") == "emile strasse"
    assert fold_name("O’BRIEN^ Zoé ^^") == "o’brien^zoe"
    assert fold_name("홍^길동") == fold_name(unicodedata.normalize("NFD", "홍^길동")) == "홍^길동"
    assert fold_words("Jean-Pierre O'Neil_2") == ["jean", "pierre", "o", "neil", "2"]
