"""English morphology, and the numbers of both languages."""

import pytest

from tools.corpus.english import BE, DO, HAVE, EnglishVerb, article, plural, possessive
from tools.corpus.nouns import BY_GERMAN
from tools.corpus.numerals import english_number, german_number
from tools.corpus.verbs import VERBS


@pytest.mark.parametrize(
    ("following", "expected"),
    [
        ("apple", "an"),
        ("old", "an"),
        ("dog", "a"),
        ("university", "a"),
        ("umbrella", "an"),
        ("hour", "an"),
        ("European", "a"),
        ("useful", "a"),
        ("ugly", "an"),
        ("exam", "an"),
    ],
)
def test_indefinite_article(following, expected):
    assert article(following) == expected


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("dog", "dogs"),
        ("lady", "ladies"),
        ("boy", "boys"),
        ("church", "churches"),
        ("bus", "buses"),
        ("washing machine", "washing machines"),
    ],
)
def test_regular_plurals(noun, expected):
    assert plural(noun) == expected


@pytest.mark.parametrize(
    ("german", "expected"),
    [
        ("Frau", "women"),
        ("Kind", "children"),
        ("Messer", "knives"),
        ("Schaf", "sheep"),
        ("Regal", "shelves"),
        ("Tomate", "tomatoes"),
        ("Polizist", "policemen"),
        ("Universität", "universities"),
        ("Kirsche", "cherries"),
    ],
)
def test_plurals_of_the_lexicon(german, expected):
    assert BY_GERMAN[german].english_plural == expected


@pytest.mark.parametrize(
    ("verb", "forms"),
    [
        ("kaufen", "buys bought bought buying"),
        ("schreiben", "writes wrote written writing"),
        ("weinen", "cries cried cried crying"),
        ("liegen", "lies lay lain lying"),
        ("legen", "lays laid laid laying"),
        ("laufen", "runs ran run running"),
        ("schwimmen", "swims swam swum swimming"),
        ("fahren", "travels travelled travelled travelling"),
        ("putzen", "cleans cleaned cleaned cleaning"),
        ("waschen", "washes washed washed washing"),
        ("bleiben", "stays stayed stayed staying"),
        ("tanzen", "dances danced danced dancing"),
        ("sehen", "sees saw seen seeing"),
        ("gehen", "goes went gone going"),
        ("haben", "has had had having"),
        ("anprobieren", "tries tried tried trying"),
    ],
)
def test_verb_forms(verb, forms):
    english = VERBS[verb].english
    assert f"{english.present('3sg')} {english.past_form} {english.past_participle} {english.ing}" == forms


def test_auxiliaries():
    assert [BE.present(p) for p in ("1sg", "3sg", "1pl", "2pl", "3pl")] == ["am", "is", "are", "are", "are"]
    assert [BE.preterite(p) for p in ("1sg", "3sg", "3pl")] == ["was", "was", "were"]
    assert [DO.present("3sg"), DO.preterite("3sg"), HAVE.present("3sg")] == ["does", "did", "has"]
    assert [EnglishVerb("can", "could").present("3sg"), EnglishVerb("can", "could").preterite("3sg")] == [
        "can",
        "could",
    ]


def test_possessive():
    assert possessive("brother") == "brother's"


@pytest.mark.parametrize(
    ("number", "german", "english"),
    [
        (2, "zwei", "two"),
        (7, "sieben", "seven"),
        (12, "zwölf", "twelve"),
        (16, "sechzehn", "sixteen"),
        (17, "siebzehn", "seventeen"),
        (20, "zwanzig", "twenty"),
        (21, "einundzwanzig", "twenty-one"),
        (30, "dreißig", "thirty"),
        (42, "zweiundvierzig", "forty-two"),
        (76, "sechsundsiebzig", "seventy-six"),
        (100, "einhundert", "one hundred"),
        (101, "einhunderteins", "one hundred and one"),
        (219, "zweihundertneunzehn", "two hundred and nineteen"),
        (345, "dreihundertfünfundvierzig", "three hundred and forty-five"),
        (999, "neunhundertneunundneunzig", "nine hundred and ninety-nine"),
    ],
)
def test_numbers(number, german, english):
    assert (german_number(number), english_number(number)) == (german, english)


@pytest.mark.parametrize("number", [0, 1000, -3])
def test_numbers_out_of_range(number):
    with pytest.raises(ValueError, match="from 1 to 999"):
        german_number(number)
    with pytest.raises(ValueError, match="from 1 to 999"):
        english_number(number)


def test_every_number_has_its_own_words():
    numbers = range(1, 1000)
    assert len({german_number(n) for n in numbers}) == len({english_number(n) for n in numbers}) == 999
