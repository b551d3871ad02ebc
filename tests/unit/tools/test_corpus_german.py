"""German morphology against the tables of a grammar book."""

import pytest

from tools.corpus.adjectives import adjectives_for
from tools.corpus.german import (
    CASES,
    DEFINITE,
    GENDERS,
    HABEN,
    MODALS,
    PERSONS,
    SEIN,
    WERDEN,
    adjective,
    contraction,
    decline,
    dies_word,
    ein_word,
)
from tools.corpus.nouns import BY_GERMAN, NOUNS
from tools.corpus.verbs import VERBS


def table(form):
    """One row a gender (m, f, n, pl), one word a case (nom, acc, dat, gen)."""
    return [" ".join(form(gender, case) for case in CASES) for gender in GENDERS]


def test_articles():
    assert table(lambda g, c: DEFINITE[g, c]) == [
        "der den dem des",
        "die die der der",
        "das das dem des",
        "die die den der",
    ]
    assert table(lambda g, c: ein_word("kein", g, c)) == [
        "kein keinen keinem keines",
        "keine keine keiner keiner",
        "kein kein keinem keines",
        "keine keine keinen keiner",
    ]
    assert table(lambda g, c: dies_word("dies", g, c)) == [
        "dieser diesen diesem dieses",
        "diese diese dieser dieser",
        "dieses dieses diesem dieses",
        "diese diese diesen dieser",
    ]


def test_euer_loses_its_e_before_an_ending():
    assert [ein_word("euer", g, "acc") for g in GENDERS] == ["euren", "eure", "euer", "eure"]
    assert [ein_word("unser", g, "nom") for g in GENDERS] == ["unser", "unsere", "unser", "unsere"]


@pytest.mark.parametrize(
    ("declension", "rows"),
    [
        (
            "weak",
            ["gute guten guten guten", "gute gute guten guten", "gute gute guten guten", "guten guten guten guten"],
        ),
        (
            "mixed",
            ["guter guten guten guten", "gute gute guten guten", "gutes gutes guten guten", "guten guten guten guten"],
        ),
        (
            "strong",
            ["guter guten gutem guten", "gute gute guter guter", "gutes gutes gutem guten", "gute gute guten guter"],
        ),
    ],
)
def test_adjective_endings(declension, rows):
    assert table(lambda g, c: adjective("gut", declension, g, c)) == rows


@pytest.mark.parametrize(
    ("lemma", "form"),
    [("teuer", "teure"), ("dunkel", "dunkle"), ("hoch", "hohe"), ("neu", "neue"), ("berühmt", "berühmte")],
)
def test_adjective_stems(lemma, form):
    assert adjective(lemma, "weak", "f", "nom") == form


@pytest.mark.parametrize(
    ("noun", "forms"),
    [
        ("Hund", "Hund Hund Hund Hundes"),
        ("Vater", "Vater Vater Vater Vaters"),
        ("Haus", "Haus Haus Haus Hauses"),
        ("Student", "Student Studenten Studenten Studenten"),
        ("Junge", "Junge Jungen Jungen Jungen"),
        ("Nachbar", "Nachbar Nachbarn Nachbarn Nachbarn"),
        ("Bauer", "Bauer Bauern Bauern Bauern"),
        ("Lampe", "Lampe Lampe Lampe Lampe"),
    ],
)
def test_noun_cases(noun, forms):
    entry = BY_GERMAN[noun]
    cases = [decline(entry.german, entry.german_plural, entry.gender, case, weak=entry.weak) for case in CASES]
    assert " ".join(cases) == forms


@pytest.mark.parametrize(
    ("noun", "dative"),
    [
        ("Hund", "Hunden"),
        ("Apfel", "Äpfeln"),
        ("Lampe", "Lampen"),
        ("Auto", "Autos"),
        ("Mädchen", "Mädchen"),
        ("Kind", "Kindern"),
    ],
)
def test_dative_plural(noun, dative):
    entry = BY_GERMAN[noun]
    assert decline(entry.german, entry.german_plural, "pl", "dat") == dative


def test_contractions():
    assert contraction("in", "dem") == "im"
    assert contraction("zu", "der") == "zur"
    assert contraction("auf", "dem") is None
    assert contraction("in", "einem") is None


@pytest.mark.parametrize(
    ("verb", "present", "past", "participle"),
    [
        (
            "kaufen",
            "kaufe kaufst kauft kaufen kauft kaufen",
            "kaufte kauftest kaufte kauften kauftet kauften",
            "gekauft",
        ),
        (
            "arbeiten",
            "arbeite arbeitest arbeitet arbeiten arbeitet arbeiten",
            "arbeitete arbeitetest arbeitete arbeiteten arbeitetet arbeiteten",
            "gearbeitet",
        ),
        ("lesen", "lese liest liest lesen lest lesen", "las last las lasen last lasen", "gelesen"),
        ("fahren", "fahre fährst fährt fahren fahrt fahren", "fuhr fuhrst fuhr fuhren fuhrt fuhren", "gefahren"),
        ("geben", "gebe gibst gibt geben gebt geben", "gab gabst gab gaben gabt gaben", "gegeben"),
        ("finden", "finde findest findet finden findet finden", "fand fandest fand fanden fandet fanden", "gefunden"),
        (
            "öffnen",
            "öffne öffnest öffnet öffnen öffnet öffnen",
            "öffnete öffnetest öffnete öffneten öffnetet öffneten",
            "geöffnet",
        ),
        (
            "zeichnen",
            "zeichne zeichnest zeichnet zeichnen zeichnet zeichnen",
            "zeichnete zeichnetest zeichnete zeichneten zeichnetet zeichneten",
            "gezeichnet",
        ),
        (
            "wohnen",
            "wohne wohnst wohnt wohnen wohnt wohnen",
            "wohnte wohntest wohnte wohnten wohntet wohnten",
            "gewohnt",
        ),
        (
            "reparieren",
            "repariere reparierst repariert reparieren repariert reparieren",
            "reparierte repariertest reparierte reparierten repariertet reparierten",
            "repariert",
        ),
        (
            "bringen",
            "bringe bringst bringt bringen bringt bringen",
            "brachte brachtest brachte brachten brachtet brachten",
            "gebracht",
        ),
        ("wissen", "weiß weißt weiß wissen wisst wissen", "wusste wusstest wusste wussten wusstet wussten", "gewusst"),
        (
            "füttern",
            "füttere fütterst füttert füttern füttert füttern",
            "fütterte füttertest fütterte fütterten füttertet fütterten",
            "gefüttert",
        ),
        (
            "streicheln",
            "streichle streichelst streichelt streicheln streichelt streicheln",
            "streichelte streicheltest streichelte streichelten streicheltet streichelten",
            "gestreichelt",
        ),
        ("essen", "esse isst isst essen esst essen", "aß aßt aß aßen aßt aßen", "gegessen"),
        (
            "bellen",
            "belle bellst bellt bellen bellt bellen",
            "bellte belltest bellte bellten belltet bellten",
            "gebellt",
        ),
    ],
)
def test_verb_forms(verb, present, past, participle):
    german = VERBS[verb].german
    assert " ".join(german.present(person) for person in PERSONS) == present
    assert " ".join(german.preterite(person) for person in PERSONS) == past
    assert german.full_participle == participle


@pytest.mark.parametrize(
    ("verb", "participle"),
    [
        ("besuchen", "besucht"),
        ("verkaufen", "verkauft"),
        ("erklären", "erklärt"),
        ("gehören", "gehört"),
        ("aufstehen", "aufgestanden"),
        ("anprobieren", "anprobiert"),
        ("aufräumen", "aufgeräumt"),
        ("einladen", "eingeladen"),
    ],
)
def test_participles_with_prefixes(verb, participle):
    assert VERBS[verb].german.full_participle == participle


def test_separable_infinitives():
    assert VERBS["aufstehen"].german.full_infinitive == "aufstehen"
    assert VERBS["aufstehen"].german.zu_infinitive() == "aufzustehen"


def test_auxiliaries_and_modals():
    assert [SEIN.present(p) for p in PERSONS] == ["bin", "bist", "ist", "sind", "seid", "sind"]
    assert [HABEN.preterite(p) for p in PERSONS] == ["hatte", "hattest", "hatte", "hatten", "hattet", "hatten"]
    assert [WERDEN.present(p) for p in PERSONS] == ["werde", "wirst", "wird", "werden", "werdet", "werden"]
    assert [MODALS["können"].present(p) for p in PERSONS] == ["kann", "kannst", "kann", "können", "könnt", "können"]
    assert [MODALS["müssen"].preterite("3pl"), MODALS["möchten"].present("1sg")] == ["mussten", "möchte"]


def test_verbs_of_movement_take_sein():
    assert {
        name for name in ("gehen", "fahren", "aufstehen", "lesen", "wohnen") if VERBS[name].german.auxiliary == "sein"
    } == {
        "gehen",
        "fahren",
        "aufstehen",
    }


def test_the_lexicon_has_several_hundred_items():
    nouns = sum(len(rows) for rows in NOUNS.values())
    adjectives = {pair for kind in NOUNS for noun in NOUNS[kind] for pair in _fitting(noun, kind)}
    assert nouns + len(VERBS) + len(adjectives) >= 400
    assert nouns >= 250


def _fitting(noun, kind):
    try:
        return adjectives_for(noun.german, kind)
    except KeyError:
        return ()


def test_no_german_noun_has_two_translations():
    seen = {}
    for rows in NOUNS.values():
        for noun in rows:
            assert seen.setdefault(noun.german, noun.english) == noun.english
