"""The invented patients of the sample images."""

from __future__ import annotations

from dataclasses import dataclass

from tests.samples.uids import number


@dataclass(frozen=True, slots=True)
class Person:
    """An invented patient: ``name`` as DICOM PN, ``birth`` as DA, ``sex`` F or M, ``patient_id`` as LO."""

    name: str
    birth: str
    sex: str
    patient_id: str

    @property
    def charset(self) -> str:
        """The SpecificCharacterSet term that this name needs; empty for the default repertoire."""
        if self.name.isascii():
            return ""
        try:
            self.name.encode("latin-1")
        except UnicodeEncodeError:
            return "ISO_IR 192"
        return "ISO_IR 100"


_PEOPLE = """
Lanvoisier^Maëlle|19840312|F
Brunetière^Côme|19560729|M
Vaucresson-Tillier^Odile|19471103|F
Kerguével^Yann|19910518|M
Dubourdais^Hélène|19680220|F
Marchelier^Théophile|20110907|M
Roquebrac^Solène|19790114|F
Tessandier^Gaspard|19350626|M
Aït Belkassem^Nadia|19881202|F
Pontarlin^Étienne|19620415|M
Szymczewska^Irena|19530809|F
Fontvielle^Agathe|20030330|F
Haudebert^Lucien|19411017|M
Quesnelais^Bérénice|19960605|F
Nguyên Thanh^Linh|19750923|F
Castelnou^Rémi|19860211|M
Mbarga Essomba^Clarisse|19931128|F
Delacroissille^Gauthier|20080704|M
Ruivo Sarmento^Inês|19660501|F
Grandpierrat^Anselme|19290816|M
Boisrivaud^Zoé|20160119|F
Trégoumel^Malo|19980413|M
Olhagaraï^Maïté|19721225|F
Vernissac^Honoré|19380307|M
Larchevesque^Noémie|19890922|F
Benhaddouche^Sofiane|19950610|M
Chaumontel^Irène|19500131|F
Pasquelin^Aurèle|20050827|M
Wattrelin^Godelieve|19590514|F
Etcheverrigaray^Peio|19831106|M
""".strip().splitlines()

JAPANESE = Person("Morinaka^Satsuki=森中^皐=もりなか^さつき", "19770422", "F", "P-310077")
PANORAMIC = Person("Vaucresson-Tillier^Odile", "19471103", "F", "P-104711")
THORAX = Person("Kerguével^Yann", "19910518", "M", "P-109118")


def everybody() -> list[Person]:
    """Return the invented patients in a fixed order, each with an id of his own."""
    people = []
    for place, line in enumerate(_PEOPLE):
        name, birth, sex = line.split("|")
        people.append(Person(name, birth, sex, f"P-{120000 + place * 937}"))
    return [*people, JAPANESE]


def nth(place: int) -> Person:
    """Return the invented patient number ``place`` (from 0); the first 900 have names of their own."""
    people = everybody()
    if place < len(people):
        return people[place]
    family = people[place % (len(people) - 1)]
    given = people[(place * 11 + 5 + place // len(people)) % (len(people) - 1)]
    name = f"{family.name.split('^')[0]}^{given.name.split('^')[1]}"
    return Person(name, given.birth, given.sex, f"P-{400000 + place * 613}")


def person_for(*parts: object) -> Person:
    """Return the patient who belongs to ``parts``; two different keys may share a name, never an id."""
    people = everybody()
    draw = number(*parts)
    chosen = people[draw % len(people)]
    return Person(chosen.name, chosen.birth, chosen.sex, f"P-{200000 + draw // 64 % 700000}")


def study_date(*parts: object) -> str:
    """Return a DA between September 2025 and October 2026 that belongs to ``parts``."""
    draw = number("date", *parts)
    month = 9 + draw % 14
    return f"{2025 + (month - 1) // 12}{(month - 1) % 12 + 1:02d}{draw // 14 % 28 + 1:02d}"


def study_time(*parts: object) -> str:
    """Return a TM within surgery hours that belongs to ``parts``."""
    draw = number("time", *parts)
    return f"{8 + draw % 11:02d}{draw // 11 % 60:02d}{draw // 660 % 60:02d}"
