"""Drawing people and things: subjects, objects, and the determiners that suit them."""

from __future__ import annotations

from tools.corpus.draws import Draws
from tools.corpus.german import Case
from tools.corpus.names import MEN, SURNAMES, WOMEN
from tools.corpus.nouns import BY_GERMAN, NOUNS, PARENTS, Noun
from tools.corpus.phrases import (
    Determiner,
    Phrase,
    draw_adjectives,
    measured,
    name_phrase,
    noun_phrase,
    pair_of_names,
    pronoun_phrase,
    titled_phrase,
    with_genitive,
    with_name_owner,
)

_SPECIAL = {
    "bread": "Brot Brötchen Kirschkuchen Apfelkuchen Nusskuchen",
    "writing": "Brief Roman Artikel Gedicht Postkarte Bericht Märchen Geschichte Kinderbuch",
    "letter": "Brief Postkarte Paket Geschenk",
    "orchard": "Baum Apfelbaum Kirschbaum Rose Tulpe Sonnenblume Blume",
    "home": "Haus Wohnung",
    "homebig": "Haus Wohnung",
    "rented": "Wohnung Haus Auto Boot Fahrrad",
    "pet": "Hund Katze",
    "owned": "Hund Katze Pferd Fahrrad Auto Motorrad Klavier Geige Gitarre Computer Fernseher Kamera Boot",
    "cleaned": "Küche Fenster Küchenfenster Wohnung Treppe Fahrrad Spiegel Bürofenster Wohnzimmer",
    "room": "Küche Wohnzimmer Schlafzimmer Keller Garage Wohnung Büro",
    "lamp": "Lampe Küchenlampe Gartenlampe Bürolampe",
    "parcel": "Paket Brief Geschenk Koffer",
    "eaten": "Brot Käse Reis Fleisch Obst Gemüse Schokolade Fisch Schinken",
    "sold": "Buch Zeitung Roman Zeitschrift Kochbuch Kinderbuch Geschichtsbuch Postkarte Deutschbuch Märchen",
    "borrowed": "Buch Roman Kochbuch Kinderbuch Geschichtsbuch Musikbuch Schulbuch Deutschbuch Zeitschrift",
    "parked": "Auto Fahrrad Motorrad Lastwagen Traktor Sportauto",
    "outerwear": "Mantel Jacke Wintermantel Lederjacke Schal Mütze Hut Pullover Regenmantel Winterjacke"
    " Wollmütze Ledermantel",
    "switched": "Computer Radio Waschmaschine Drucker Fernseher Kamera Heizung Kaffeemaschine Spülmaschine",
    "flower": "Blume Rose Tulpe Sonnenblume",
    "ride": "Auto Fahrrad Motorrad Boot Sportauto Kinderfahrrad",
    "key": "Schlüssel Hausschlüssel Autoschlüssel Regenschirm Koffer Kellerschlüssel",
    "lostthing": "Schlüssel Hausschlüssel Autoschlüssel Regenschirm Fahrkarte Ring Mütze Schal"
    " Kellerschlüssel Garagenschlüssel",
    "ball": "Ball Puppe Schlüssel Mütze",
    "coin": "Hut Schal Regenschirm",
    "umbrella": "Regenschirm Jacke Regenmantel",
    "song": "Lied",
    "picture": "Bild Porträt",
    "portrait": "Bild Porträt",
    "painted": "Gartentisch Gartenstuhl Holztisch Holzstuhl Küchenschrank Küchenstuhl Regal",
    "built": "Haus Boot Regal Holztisch Holzstuhl Gartentisch",
    "small": "Fahrrad Computer Kamera Radio Drucker Küchenuhr",
    "museum": "Museum Stadtmuseum Burg Ausstellung Dorfmuseum Geschichtsmuseum Eisenbahnmuseum",
    "putthing": "Korb Koffer Lampe Rucksack Einkaufstasche Reisetasche",
    "laything": "Buch Zeitung Brief Schlüssel Postkarte Hut Messer Kissen Karte Kochbuch Hausschlüssel"
    " Schulbuch Zeitschrift",
    "peeled": "Kartoffel Apfel Orange Karotte Gurke Zwiebel Birne",
    "dog": "Hund",
    "animalfood": "Brot Karotte Apfel Fleisch Fisch",
}
_EXTRA = (
    Noun("Porträt", "n", "Porträts", "portrait", "portraits", "thing"),
    Noun("Regenmantel", "m", "Regenmäntel", "raincoat", "raincoats", "clothing"),
    Noun("Kochbuch", "n", "Kochbücher", "cookbook", "cookbooks", "text"),
    Noun("Treppe", "f", "Treppen", "staircase", "staircases", "opening"),
    Noun("Küche", "f", "Küchen", "kitchen", "kitchens", "building"),
    Noun("Wohnzimmer", "n", "Wohnzimmer", "living room", "living rooms", "building"),
    Noun("Schlafzimmer", "n", "Schlafzimmer", "bedroom", "bedrooms", "building"),
    Noun("Keller", "m", "Keller", "cellar", "cellars", "building"),
    Noun("Garage", "f", "Garagen", "garage", "garages", "building"),
    Noun("Büro", "n", "Büros", "office", "offices", "building"),
)


def _special() -> dict[str, tuple[Noun, ...]]:
    every = {**BY_GERMAN, **{noun.german: noun for noun in _EXTRA}}
    return {kind: tuple(every[name] for name in names.split()) for kind, names in _SPECIAL.items()}


SPECIAL = _special()
_SINGLE = ("homebig", "rented", "built")  # somebody has or builds one
_ONE = (
    "small",
    "switched",
    "key",
    "owned",
    "umbrella",
    "lamp",
    "parcel",
    "ride",
    "picture",
    "portrait",
    "cleaned",
    "ball",
    "museum",
    "parked",
)
_ALONE = (
    "soup",
    "instrument",
    "device",
    "vehicle",
    "show",
    "salad",
    "furniture",
    "clothing",
    "building",
)  # never by the dozen
_CONTAINERS = {
    "cup": (("Tasse", "f", "cup"), ("Kanne", "f", "pot")),
    "drink": (("Glas", "n", "glass"), ("Flasche", "f", "bottle")),
}


def nouns_of(kind: str) -> tuple[Noun, ...]:
    """Return the nouns of a class."""
    return SPECIAL.get(kind) or NOUNS[kind]


_ANY: tuple[tuple[int, tuple[Determiner, bool]], ...] = (
    (9, ("a", False)), (8, ("the", False)), (2, ("the", True)), (3, ("this", False)), (1, ("this", True)),
    (3, ("number", True)), (2, ("some", True)), (1, ("many", True)), (1, ("several", True)), (3, ("bare", True)),
)  # fmt: skip
_FRUIT: tuple[tuple[int, tuple[Determiner, bool]], ...] = (
    (6, ("a", False)), (4, ("number", True)), (2, ("some", True)), (1, ("many", True)), (4, ("bare", True)),
    (1, ("the", False)), (2, ("the", True)), (1, ("this", False)),
)  # fmt: skip


def _drawn_determiner(
    draws: Draws, *, definite: bool, indefinite: bool, own: bool, owner: str
) -> tuple[Determiner, bool]:
    """Draw (determiner, plural) for something that can be counted."""
    if own and owner and draws.chance(0.5):
        return "my", draws.chance(0.1)
    if definite:
        return draws.weighted(((10, ("the", False)), (3, ("the", True)), (3, ("this", False)), (1, ("this", True))))
    if indefinite:
        return draws.weighted(((8, ("a", False)), (2, ("number", True)), (1, ("many", True))))
    return draws.weighted(_ANY)


def thing(
    draws: Draws,
    kind: str,
    case: Case,
    *,
    definite: bool = False,
    indefinite: bool = False,
    own: bool = False,
    owner: str = "",
    adjective: float = 0.3,
    single: bool = False,
) -> Phrase:
    """Draw a thing of a class as a phrase.

    Args:
        draws: The random stream.
        kind: The class.
        case: The case.
        definite: Whether it must be a particular one (the, this, my).
        indefinite: Whether it must not be.
        own: Whether it may belong to the subject.
        owner: The pronoun of the subject, empty if nothing can belong to it.
        adjective: The chance of an adjective.
        single: Whether it must be one.
    """
    noun = draws.pick(nouns_of(kind))
    adjectives = draw_adjectives(draws, noun, adjective)
    if kind == "room":
        return noun_phrase(noun, case, "the")
    if kind in _SINGLE:
        return noun_phrase(noun, case, "a", adjectives=adjectives)
    if noun.mass:
        return _mass(draws, noun, case, adjectives, definite=definite)
    if own and draws.chance(0.08) and not indefinite:
        return _of_somebody(draws, noun, case, adjectives)
    if noun.kind == "fruit" and not definite:
        determiner, plural = draws.weighted(_FRUIT)
    else:
        determiner, plural = _drawn_determiner(draws, definite=definite, indefinite=indefinite, own=own, owner=owner)
    if plural and (single or noun.kind in _ALONE or kind in _ONE):
        determiner, plural = "my" if determiner == "my" else "the", False
        determiner = "a" if indefinite else determiner
    number = 0
    if determiner == "number":
        number = draws.between(2, 9)
        if (noun.kind == "fruit" or kind == "flower") and draws.chance(0.5):
            number = draws.pick((10, 11, 12, 13, 15, 18, 20, 21, 24, 25, 30, 32, 36, 40, 42, 45, 50))
    if plural and not noun.german_plural:
        plural = False
    return noun_phrase(noun, case, determiner, plural=plural, adjectives=adjectives, owner=owner, number=number)


def _mass(draws: Draws, noun: Noun, case: Case, adjectives: tuple[tuple[str, str], ...], *, definite: bool) -> Phrase:
    if definite:
        return noun_phrase(noun, case, draws.weighted(((4, "the"), (1, "this"))), adjectives=adjectives)  # type: ignore[arg-type]
    if noun.kind in _CONTAINERS and draws.chance(0.45):
        return measured(draws.pick(_CONTAINERS[noun.kind]), noun, case)
    if noun.kind == "cup" and draws.chance(0.3):
        return noun_phrase(noun, case, "a", adjectives=adjectives)
    determiner: Determiner = draws.weighted(((5, "bare"), (2, "a little"), (1, "the")))  # type: ignore[arg-type]
    return noun_phrase(noun, case, determiner, adjectives=adjectives)


def _of_somebody(draws: Draws, noun: Noun, case: Case, adjectives: tuple[tuple[str, str], ...]) -> Phrase:
    """Return Annas Fahrrad, or das Fahrrad meines Bruders."""
    if draws.chance(0.5):
        return with_name_owner(draws.pick(_OWNERS), noun, case, adjectives)
    owner = noun_phrase(draws.pick(NOUNS["kin"]), "gen", "my", owner=draws.pick(("ich", "ich", "wir", "du")))
    return with_genitive(noun_phrase(noun, case, "the", adjectives=adjectives), owner)


_OWNERS = tuple(name for name in (*WOMEN, *MEN) if name[-1] not in "sxzß")
_FAMILY = tuple(noun for noun in NOUNS["kin"] if noun.english not in ("friend", "neighbour", "colleague"))
_SPEAKERS = ("ich", "ich", "ich", "du", "wir", "wir", "ihr")


def kin(draws: Draws, case: Case, owner: str, *, close: bool = False) -> Phrase:
    """Draw a relative (or, unless `close`, a friend) of the one that the pronoun `owner` stands for: my brother."""
    if draws.chance(0.1):
        return with_name_owner(draws.pick(_OWNERS), draws.pick(NOUNS["kin"]), case)
    if draws.chance(0.12):
        noun = draws.pick(PARENTS)
        return noun_phrase(noun, case, "my", plural=True, owner=owner)
    noun = draws.pick(_FAMILY if close else NOUNS["kin"])
    plural = noun.german in (
        "Bruder",
        "Schwester",
        "Sohn",
        "Tochter",
        "Freund",
        "Nachbar",
        "Kollege",
        "Freundin",
    ) and draws.chance(0.25)
    return noun_phrase(noun, case, "my", plural=plural, owner=owner)


def name(draws: Draws) -> Phrase:
    """Draw a first name."""
    if draws.chance(0.5):
        return name_phrase(draws.pick(WOMEN), "f")
    return name_phrase(draws.pick(MEN), "m")


def titled(draws: Draws, case: Case) -> Phrase:
    """Draw Herr or Frau with a surname."""
    return titled_phrase(draws.pick(SURNAMES), draws.pick("mf"), case)


def person_object(draws: Draws, kind: str, case: Case, subject: Phrase) -> Phrase:
    """Draw somebody as an object; a relative belongs to the subject where that can be said."""
    owner = subject.pronoun
    if kind in ("kin", "relative"):
        return kin(draws, case, owner or draws.pick(("ich", "wir")), close=kind == "relative")
    if kind == "child":
        return noun_phrase(draws.pick(NOUNS["child"]), case, "the", plural=draws.chance(0.5))
    choice = draws.below(10)
    if choice < 2:
        return titled(draws, case)
    if choice < 4:
        spoken = [name for name in _object_pronouns(case) if name != owner and not _same_party(name, owner)]
        return pronoun_phrase(draws.pick(spoken), case)
    noun = draws.pick(NOUNS["person"])
    determiner: Determiner = draws.weighted(((6, "the"), (2, "a"), (1, _this(noun))))
    return noun_phrase(
        noun,
        case,
        determiner,
        plural=determiner == "the" and draws.chance(0.2),
        adjectives=draw_adjectives(draws, noun, 0.2),
    )


def _object_pronouns(case: Case) -> tuple[str, ...]:
    # the accusative sie could be her or them, so it is never written
    return ("ich", "du", "er", "wir", "ihr") if case == "acc" else ("ich", "du", "er", "sie", "wir", "ihr", "they")


def _same_party(one: str, other: str) -> bool:
    speakers, hearers = ("ich", "wir"), ("du", "ihr", "Sie")
    return (one in speakers and other in speakers) or (one in hearers and other in hearers)


def _this(noun: Noun) -> Determiner:
    return "this" if noun.german in ("Mann", "Frau", "Junge", "Dame", "Arzt", "Ärztin", "Polizist") else "the"


def subject(draws: Draws, *, child: bool = False, first: bool = True, known: bool = False) -> Phrase:
    """Draw somebody as the subject of a clause.

    Args:
        draws: The random stream.
        child: Whether it is a child.
        first: Whether it opens the sentence; elsewhere he, she and they would point at somebody else.
        known: Whether it must be somebody in particular, not `a teacher`.
    """
    if child:
        noun = draws.pick(NOUNS["child"])
        determiner: Determiner = draws.weighted(((5, "the"), (1, "this")))  # type: ignore[arg-type]
        plural = draws.chance(0.6)
        return noun_phrase(noun, "nom", determiner, plural=plural, adjectives=draw_adjectives(draws, noun, 0.25))
    choice = draws.below(100)
    if choice < 30:
        return name(draws)
    if choice < 35:
        return _two_names(draws)
    if choice < 41:
        return titled(draws, "nom")
    if choice < 58:
        third = ("er", "sie", "they") if first else ("wir",)
        return pronoun_phrase(draws.pick(("ich", "ich", "wir", "du", "ihr", *third)), "nom")
    if choice < 75:
        return kin(draws, "nom", draws.pick(_SPEAKERS))
    noun = draws.pick(NOUNS["person"])
    determiner = draws.weighted(((7, "the"), (2, "a"), (1, _this(noun))))
    if known:
        determiner = "the"
    plural = determiner == "the" and draws.chance(0.25)
    return noun_phrase(noun, "nom", determiner, plural=plural, adjectives=draw_adjectives(draws, noun, 0.25))


def _two_names(draws: Draws) -> Phrase:
    one, other = draws.pick(WOMEN), draws.pick(MEN)
    return pair_of_names(one, other) if draws.chance(0.5) else pair_of_names(other, one)
