"""Which attribute belongs to the patient, the study or the series (PS3.3 C.7.1 to C.7.3, PS3.4 C.6)."""

from __future__ import annotations

from typing import Final, Literal

Level = Literal["studies", "series", "instances"]


def _tags(text: str) -> frozenset[str]:
    return frozenset(text.split())


PATIENT = _tags(
    """
    00100010 00100020 00100021 00100022 00100024 00100030 00100032 00100033 00100034 00100035 00100040
    00101000 00101001 00101002 00101005 00101010 00101020 00101030 00101040 00101060 00102154 00102160
    00102180 00102297 00104000 00120062 00120063 00104001
    """
)
STUDY = _tags(
    """
    00080020 00080030 00080050 00080051 00080080 00080081 00080090 00080092 00080096 00081030 00081032
    00081040 00081048 00081060 00081080 00081110 00081120 00080201 0020000D 00200010 00321032 00321033
    00321060 00321064 00400012 00401012 00324000 00120010 00120040 00120050
    """
)
SERIES = _tags(
    """
    00080021 00080031 00080060 00080064 00080068 00080070 00080201 0008103E 0008103F 00081010 00081050
    00081070 00081090 00081111 00081250 00180015 00181000 00181020 00181030 00185100 0020000E 00200011
    00200052 00200060 00201040 00400244 00400245 00400250 00400251 00400253 00400254 00400260 00400275
    00400280
    """
)
# What no data set says: the index counts it, or unites what the instances below say (PS3.4 C.3.4).
COUNTED_OF_STUDY = _tags("00080061 00080062 00201206 00201208")
COUNTED_OF_SERIES = _tags("00201209")
INSTANCE_AVAILABILITY = "00080056"
# What every answer carries, at every level: besides that its character set and RetrieveURL.
EVERYWHERE = frozenset({INSTANCE_AVAILABILITY}) | _tags("00080005 00081190")

# What is always returned: PS3.18 Tables 10.6.3-3 (study), 10.6.3-4 (series) and 10.6.3-5 (instance), with the
# VR for attributes that the data left out, plus the descriptions that every list wants to show.
STUDY_DEFAULTS = {
    "00080020": "DA",
    "00080030": "TM",
    "00080050": "SH",
    "00080090": "PN",
    "00100010": "PN",
    "00100020": "LO",
    "00100030": "DA",
    "00100040": "CS",
    "00200010": "SH",
}
STUDY_OPTIONAL = ("00080201", "00081030")
SERIES_DEFAULTS = {"00080060": "CS", "00200011": "IS"}
SERIES_OPTIONAL = ("00080201", "0008103E", "00400244", "00400245", "00400275")
INSTANCE_DEFAULTS = {"00080016": "UI", "00080018": "UI", "00200013": "IS"}
INSTANCE_OPTIONAL = ("00080201", "00280008", "00280010", "00280011", "00280100")

_DOWNWARD: Final[tuple[Level, ...]] = ("studies", "series", "instances")


def level_of(tag: str) -> Level:
    """Return the level that an attribute describes; what no table names belongs to the instances."""
    if tag in PATIENT or tag in STUDY or tag in COUNTED_OF_STUDY:
        return "studies"
    return "series" if tag in SERIES or tag in COUNTED_OF_SERIES else "instances"


def reaches(level: Level, tag: str) -> bool:
    """Say whether what is searched at ``level`` can be matched by the attribute, its own or that of a level above it.

    One below has many values for one result, e.g. Modality among studies (PS3.18 10.6.1.2).
    """
    return tag == INSTANCE_AVAILABILITY or _DOWNWARD.index(level_of(tag)) <= _DOWNWARD.index(level)


def returns(level: Level, tag: str) -> bool:
    """Say whether results at ``level`` can carry the attribute."""
    return tag in EVERYWHERE or reaches(level, tag)
