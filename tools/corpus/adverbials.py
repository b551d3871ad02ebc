"""Adverbs and adverbial phrases of time, place, direction, means and manner, with the links of their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.corpus.clauses import Item
from tools.corpus.draws import Draws
from tools.corpus.german import Case
from tools.corpus.names import TOWNS
from tools.corpus.nouns import BY_GERMAN, Noun
from tools.corpus.numerals import english_number, german_number
from tools.corpus.phrases import Phrase, draw_adjectives, noun_phrase, prepositional
from tools.corpus.words import English, German, Source, Target

TIME_RANK, FREQUENCY_RANK = 20, 25


def linked(row: str) -> tuple[German, English]:
    """Build a fixed phrase from `am Montag = on/0 Monday/1`: after each English word the German words it belongs to."""
    german_side, english_side = row.split("=")
    words = [Source(word) for word in german_side.split()]
    english: English = []
    for part in english_side.split():
        text, _, places = part.rpartition("/")
        english.append(Target(text, *(words[int(place)] for place in places.split(","))))
    return [*words], english


def fixed(row: str, german_rank: int, english_rank: int, front: str = "") -> Item:
    """Return a fixed phrase as an item."""
    german, english = linked(row)
    return Item(german, english, german_rank, english_rank, front)  # type: ignore[arg-type]


_DAYS = (
    "Montag Monday|Dienstag Tuesday|Mittwoch Wednesday|Donnerstag Thursday|Freitag Friday|Samstag Saturday"
    "|Sonntag Sunday"
)
DAYS = tuple(tuple(pair.split()) for pair in _DAYS.split("|"))
_MONTHS = (
    "Januar January|Februar February|März March|April April|Mai May|Juni June|Juli July|August August"
    "|September September|Oktober October|November November|Dezember December"
)
MONTHS = tuple(tuple(pair.split()) for pair in _MONTHS.split("|"))
_SEASONS = ("Sommer summer", "Winter winter", "Herbst autumn", "Frühling spring")

NOW = ("heute = today/0", "gerade = right/0 now/0", "heute = today/0")
PAST_FAR = (
    "letzte Woche = last/0 week/1",
    "letztes Jahr = last/0 year/1",
    "letzten Monat = last/0 month/1",
)
PAST = (
    "gestern = yesterday/0",
    "vorgestern = the/0 day/0 before/0 yesterday/0",
    "gestern Abend = yesterday/0 evening/1",
    "gestern Nachmittag = yesterday/0 afternoon/1",
    "heute Morgen = this/0 morning/1",
)
FUTURE_FAR = (
    "nächste Woche = next/0 week/1",
    "nächstes Jahr = next/0 year/1",
    "nächsten Monat = next/0 month/1",
)
FUTURE = (
    "morgen = tomorrow/0",
    "übermorgen = the/0 day/0 after/0 tomorrow/0",
    "heute Abend = this/0 evening/1",
    "heute Nachmittag = this/0 afternoon/1",
    "morgen Abend = tomorrow/0 evening/1",
)
OFTEN = ("oft = often/0", "immer = always/0", "manchmal = sometimes/0", "selten = rarely/0", "nie = never/0")
HABIT = (
    "jeden Tag = every/0 day/1",
    "jeden Morgen = every/0 morning/1",
    "jeden Abend = every/0 evening/1",
    "jede Woche = every/0 week/1",
    "am Abend = in/0 the/0 evening/1",
    "am Nachmittag = in/0 the/0 afternoon/1",
    "nach der Arbeit = after/0 work/2",
    "nach dem Essen = after/0 the/1 meal/2",
)


def _day(draws: Draws) -> str:
    german, english = draws.pick(DAYS)
    return f"am {german} = on/0 {english}/1"


def _month(draws: Draws) -> str:
    german, english = draws.pick(MONTHS)
    return f"im {german} = in/0 {english}/1"


def _season(draws: Draws) -> str:
    german, english = draws.pick(_SEASONS).split()
    return f"im {german} = in/0 the/0 {english}/1"


def _ago(draws: Draws) -> str:
    number = draws.between(2, 30)
    unit = draws.pick(("Jahren years", "Tagen days", "Wochen weeks", "Monaten months"))
    number = number if unit.startswith("Jahren") else draws.between(2, 9)
    german, english = unit.split()
    return f"vor {german_number(number)} {german} = {english_number(number)}/1 {english}/2 ago/0"


def _in_future(draws: Draws) -> str:
    number = draws.between(2, 9)
    german, english = draws.pick(("Jahren years", "Tagen days", "Wochen weeks", "Monaten months")).split()
    return f"in {german_number(number)} {german} = in/0 {english_number(number)}/1 {english}/2"


_ABOUT_TIME = (("um", "at"),) * 4 + (("nach", "after"), ("vor", "before"), ("gegen", "around"))


def _clock(draws: Draws) -> str:
    number = draws.between(2, 12)
    german, english = draws.pick(_ABOUT_TIME)
    return f"{german} {german_number(number)} Uhr = {english}/0 {english_number(number)}/1 o'clock/2"


def time_now(draws: Draws) -> Item:
    """Return heute or gerade."""
    row = draws.pick(NOW)
    return fixed(row, TIME_RANK, 60, "stay" if row.startswith("heute") else "")


def time_past(draws: Draws, *, far: bool = False) -> Item:
    """Return a time that is over: gestern, am Montag; `far` are those for what happens rarely: vor drei Jahren."""
    kind = draws.below(10)
    if far and kind < 7:
        row = draws.pick(PAST_FAR) if kind < 2 else _ago(draws) if kind < 5 else _month(draws)
    else:
        row = draws.pick(PAST) if kind < 8 else _day(draws)
    return fixed(row, TIME_RANK, 60, "stay")


def time_future(draws: Draws, *, far: bool = False) -> Item:
    """Return a time to come: morgen; `far` are those for what happens rarely: in drei Tagen."""
    row = draws.pick(FUTURE)
    if far and draws.chance(0.6):
        row = draws.pick(FUTURE_FAR) if draws.chance(0.5) else _in_future(draws)
    return fixed(row, TIME_RANK, 60, "stay")


def time_modal(draws: Draws) -> Item:
    """Return a time that goes with a modal or werden."""
    kind = draws.below(10)
    row = (
        "heute = today/0"
        if kind < 2
        else draws.pick(FUTURE)
        if kind < 6
        else _day(draws)
        if kind < 8
        else _clock(draws)
    )
    return fixed(row, TIME_RANK, 60, "stay")


def time_habit(draws: Draws, *, season: bool = False) -> Item:
    """Return a time that comes again and again, perhaps a season; it makes the English present simple."""
    if draws.chance(0.4):
        return fixed(draws.pick(OFTEN), FREQUENCY_RANK, -1)
    kind = draws.below(10)
    if kind < 6:
        row = draws.pick(HABIT)
    elif kind < 8 or not season:
        german, english = draws.pick(DAYS)
        row = f"jeden {german} = every/0 {english}/1"
    else:
        row = _season(draws)
    return fixed(row, TIME_RANK, 60, "stay")


def clock(draws: Draws) -> Item:
    """Return um sieben Uhr."""
    return fixed(_clock(draws), TIME_RANK, 60, "stay")


def since(draws: Draws) -> Item:
    """Return seit zwei Jahren, which makes the English verb a present perfect."""
    number = draws.between(2, 25)
    unit = "Jahren years" if number > 11 else draws.pick(("Jahren years", "Monaten months", "Wochen weeks"))
    german, english = unit.split()
    return fixed(
        f"seit {german_number(number)} {german} = for/0 {english_number(number)}/1 {english}/2", TIME_RANK, 60, "stay"
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A place where things happen and to which people go.

    Args:
        noun: Its name.
        inside: (German preposition, English preposition) with the dative.
        toward: (German preposition, case, English preposition).
        groups: What happens there.
        goals: Frames of what people go there for.
    """

    noun: Noun
    inside: tuple[str, str]
    toward: tuple[str, str, str]
    groups: frozenset[str]
    goals: tuple[str, ...]


_PLACES = """
Küche f kitchen room | in in | in acc into | eat cook home room | cook drink
Garten m garden nature | in in | in acc into | eat read play sleep green home room yard | water feed
Wohnzimmer n living_room room | in in | in acc into | read home room tv | watch
Schlafzimmer n bedroom room | in in | in acc into | sleep room | -
Keller m cellar room | in in | in acc into | room | -
Garage f garage room | in in | in acc into | repair room | repair
Supermarkt m supermarket public | in at | in acc to | food out | buyfood
Markt m market public | auf at | auf acc to | food out | buyfood
Park m park nature | in in | in acc to | read play green out meet dance | meet
Wald m forest nature | in in | in acc into | hike green | -
Café n café public | in in | in acc to | eat read meet out | drinkcafe meet
Restaurant n restaurant public | in at | in acc to | order eatout meet out | eat
Bibliothek f library public | in in | in acc to | read study out | read
Bahnhof m railway_station public | an at | zu dat to | meet wait pickup out | pickup
Flughafen m airport public | an at | zu dat to | wait pickup meet | pickup
Bushaltestelle f bus_stop public | an at | zu dat to | wait | -
See m lake nature | an by | an acc to | swimby read | swim
Schwimmbad n swimming_pool public | in in | in acc to | swim out | swim
Büro n office room | in in | in acc to | work | work
Fabrik f factory public | in in | in acc to | work | -
Krankenhaus n hospital public | in at | in acc to | work | visitkin
Hotel n hotel public | in at | in acc to | work sleep | -
Museum n museum public | in at | in acc to | work meet out | -
Theater n theatre public | in at | in acc to | work meet out | -
Schule f school public | in at | in acc to | study work | -
Universität f university public | an at | zu dat to | study work | -
Post f post_office public | bei at | zu dat to | work out | -
Bäckerei f bakery public | in at | in acc to | work out | buybread
Buchhandlung f bookshop public | in at | in acc to | work out | buybook
Zoo m zoo public | in at | in acc to | zoo out | photoanimal
Spielplatz m playground nature | auf on | auf acc to | play | -
Strand m beach nature | an on | an acc to | read play sleep | swim
"""


def _places() -> tuple[Place, ...]:
    places = []
    for row in _PLACES.strip().splitlines():
        name, inside, toward, groups, goals = (field.split() for field in row.split("|"))
        german, gender, english, kind = name
        noun = Noun(german, gender, "", english.replace("_", " "), "", kind)
        goal_names = () if goals == ["-"] else tuple(goals)
        places.append(
            Place(noun, (inside[0], inside[1]), (toward[0], toward[1], toward[2]), frozenset(groups), goal_names)
        )
    return tuple(places)


PLACES = _places()
GROUPS: dict[str, tuple[Place, ...]] = {
    group: tuple(place for place in PLACES if group in place.groups)
    for group in sorted({group for place in PLACES for group in place.groups})
}


_LANDMARKS = ("Haus", "Kirche", "Schule", "Rathaus", "Museum", "Turm", "Hotel", "Burg")
_BESIDE = (("vor", "in front of"), ("hinter", "behind"), ("neben", "next to"))
_OUTDOORS = ("play", "meet", "green")


def location(draws: Draws, group: str, owner: str) -> Item:
    """Return a place in the dative: in der Küche, in ihrem Büro; `home` may be daheim, `town` is a town by its name."""
    if group == "town" or (group in ("meet", "work") and draws.chance(0.3)):
        town = draws.pick(TOWNS)
        return fixed(f"in {town} = in/0 {town}/1", 56, 50, "move")
    if group in ("home", "tv", "cook", "work") and draws.chance(0.3):
        return fixed("daheim = at/0 home/0", 56, 50)
    if group in _OUTDOORS and draws.chance(0.2):
        phrase = noun_phrase(BY_GERMAN[draws.pick(_LANDMARKS)], "dat", draws.pick(("the", "the", "this")))  # type: ignore[arg-type]
        return Item(*prepositional(*draws.pick(_BESIDE), phrase), 56, 50, "move")
    place = draws.pick(GROUPS[group])
    return Item(*prepositional(*place.inside, _place_phrase(draws, place, "dat", owner)), 56, 50, "move")


def _place_phrase(draws: Draws, place: Place, case: Case, owner: str) -> Phrase:
    """Name a place: rooms and gardens belong to somebody, others may be this one, or a small one."""
    choice = draws.below(10)
    if place.noun.kind == "room" or place.noun.german == "Garten":
        mine = choice < 6
        return noun_phrase(place.noun, case, "my" if mine else "the", owner=owner or draws.pick(("ich", "wir")))
    if choice < 2:
        return noun_phrase(place.noun, case, "a", adjectives=draw_adjectives(draws, place.noun, 1.0))
    return noun_phrase(place.noun, case, "this" if choice < 4 else "the")


def direction(draws: Draws, place: Place, owner: str) -> Item:
    """Return the way to a place: in den Park, zum Bahnhof, in sein Büro."""
    preposition, case, english = place.toward
    phrase = _place_phrase(draws, place, case, owner)  # type: ignore[arg-type]
    return Item(*prepositional(preposition, english, phrase), 62, 35)


def to_town(town: str) -> Item:
    """Return nach Berlin."""
    return fixed(f"nach {town} = to/0 {town}/1", 62, 35)


_MEANS = ("Zug m train", "Bus m bus", "Auto n car", "Fahrrad n bicycle", "Taxi n taxi", "Motorrad n motorcycle")


def means(draws: Draws, *, far: bool) -> Item:
    """Return mit dem Zug, by train."""
    german, _, english = draws.pick(_MEANS[:4] if far else _MEANS[1:]).split()
    return fixed(f"mit dem {german} = by/0 {english}/2", 55, 45)


MANNER: dict[str, tuple[str, ...]] = {
    "alone": ("allein = alone/0", "zusammen = together/0"),
    "sound": ("leise = quietly/0", "laut = loudly/0"),
    "care": ("langsam = slowly/0", "vorsichtig = carefully/0", "schnell = quickly/0"),
    "well": ("tief = deeply/0", "gut = well/0"),
}


def manner(draws: Draws, group: str) -> Item:
    """Return an adverb of manner."""
    return fixed(draws.pick(MANNER[group]), 27 if group == "alone" else 57, 40)


_TOP = ("Tisch table", "Stuhl chair", "Schrank cupboard", "Teppich carpet", "Sofa sofa", "Bett bed", "Regal shelf")
_TOPS: Sequence[Noun] = tuple(
    Noun(row.split()[0], gender, "", row.split()[1], "", "furniture")
    for row, gender in zip(_TOP, "mmmmnnn", strict=True)
)


def furniture_place(draws: Draws, case: str) -> Item:
    """Return where a thing lies (dative) or is put (accusative): auf dem Tisch, unter das Bett."""
    noun = draws.pick(_TOPS)
    choices = ("auf on", "auf on", "unter under", "neben next_to")
    if noun.german in ("Teppich", "Regal"):
        choices = ("auf on",)
    elif noun.german in ("Sofa",):
        choices = ("auf on", "neben next_to")
    elif noun.german == "Schrank":
        choices = ("in in", "neben next_to", "auf on")
        if case == "acc":
            choices = ("neben next_to", "auf on")
    german, english = draws.pick(choices).split()
    adjectives = draw_adjectives(draws, noun, 0.15)
    phrase = noun_phrase(noun, case, "the", adjectives=adjectives)  # type: ignore[arg-type]
    words = prepositional(german, english.replace("_", " "), phrase)
    return Item(*words, 62 if case == "acc" else 56, 35 if case == "acc" else 50, "" if case == "acc" else "move")
