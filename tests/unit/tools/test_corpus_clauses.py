"""Sentences and alignments worked out by hand."""

from tools.corpus import adverbials as adv
from tools.corpus.clauses import Clause, Item, final_clause, infinitive_clause, main_clause, question, second_conjunct
from tools.corpus.nouns import BY_GERMAN
from tools.corpus.phrases import (
    name_phrase,
    noun_phrase,
    prepositional,
    pronoun_phrase,
    with_genitive,
    with_name_owner,
)
from tools.corpus.scenes import SPECIAL, Scene
from tools.corpus.tenses import Wish
from tools.corpus.verbs import VERBS
from tools.corpus.words import COMMA, Source, Target, linearise


def thing(noun, case, determiner, **options):
    return noun_phrase(BY_GERMAN[noun], case, determiner, **options)


def obj(phrase, rank=40):
    return Item(phrase.german, phrase.english, rank, 20, "")


def anna():
    return name_phrase("Anna", "f")


def written(both, end="."):
    pair = linearise(*both, end)
    return pair.source, pair.target, pair.pharaoh


def buying(**options):
    return Clause(anna(), VERBS["kaufen"], **options)


def test_progressive_present_has_two_words_for_one():
    clause = buying(items=[obj(thing("Apfel", "acc", "a", adjectives=[("rot", "red")]), 58)])
    assert written(main_clause(clause)) == (
        "Anna kauft einen roten Apfel.",
        "Anna is buying a red apple.",
        "0-0 1-1 1-2 2-3 3-4 4-5",
    )


def test_negation_takes_do_and_do_is_linked_to_the_finite_verb():
    nicht = Source("nicht")
    clause = buying(
        habitual=True, negation=nicht, items=[obj(thing("Buch", "acc", "the"), 15), Item([nicht], [], 50, 99)]
    )
    # does and buy belong to kauft, not to nicht
    assert written(main_clause(clause)) == (
        "Anna kauft das Buch nicht.",
        "Anna does not buy the book.",
        "0-0 1-1 1-3 2-4 3-5 4-2",
    )


def test_kein_is_not_and_an_article():
    phrase = thing("Auto", "acc", "no")
    clause = Clause(anna(), VERBS["haben"], habitual=True, negation=phrase.negative, items=[obj(phrase, 58)])
    assert written(main_clause(clause)) == (
        "Anna hat kein Auto.",
        "Anna does not have a car.",
        "0-0 1-1 1-3 2-2 2-4 3-5",
    )
    many = thing("Auto", "acc", "no", plural=True)
    clause = Clause(anna(), VERBS["haben"], habitual=True, negation=many.negative, items=[obj(many, 58)])
    assert written(main_clause(clause))[:2] == ("Anna hat keine Autos.", "Anna does not have any cars.")


def test_cannot_is_linked_to_both_words():
    nicht = Source("nicht")
    clause = Clause(anna(), VERBS["schlafen"], modal="können", negation=nicht, items=[Item([nicht], [], 50, 99)])
    assert written(main_clause(clause)) == ("Anna kann nicht schlafen.", "Anna cannot sleep.", "0-0 1-1 2-1 3-2")


def test_perfect_puts_the_participle_last():
    clause = buying(tense="perfect", items=[obj(thing("Buch", "acc", "the"))])
    assert written(main_clause(clause)) == (
        "Anna hat das Buch gekauft.",
        "Anna has bought the book.",
        "0-0 1-1 2-3 3-4 4-2",
    )


def test_modal_puts_the_infinitive_last_and_must_is_has_to():
    clause = buying(modal="müssen", items=[obj(thing("Buch", "acc", "the"))])
    assert written(main_clause(clause)) == (
        "Anna muss das Buch kaufen.",
        "Anna has to buy the book.",
        "0-0 1-1 1-2 2-4 3-5 4-3",
    )


def test_negated_must_is_does_not_have_to():
    nicht = Source("nicht")
    clause = Clause(anna(), VERBS["arbeiten"], modal="müssen", negation=nicht, items=[Item([nicht], [], 50, 99)])
    assert written(main_clause(clause))[:2] == ("Anna muss nicht arbeiten.", "Anna does not have to work.")


def test_separable_verb_links_prefix_and_particle():
    clause = Clause(
        pronoun_phrase("wir", "nom"),
        VERBS["aufstehen"],
        habitual=True,
        items=[adv.fixed("jeden Tag = every/0 day/1", 20, 60)],
    )
    assert written(main_clause(clause)) == (
        "Wir stehen jeden Tag auf.",
        "We get up every day.",
        "0-0 1-1 2-3 3-4 4-2",
    )


def test_separable_verb_is_one_word_at_the_end_of_a_subordinate_clause():
    clause = Clause(anna(), VERBS["aufstehen"], habitual=True)
    assert written(final_clause(clause)) == ("Anna aufsteht.", "Anna gets up.", "0-0 1-1 1-2")


def test_one_english_word_for_verb_and_prefix():
    clause = Clause(anna(), VERBS["einladen"], "past", items=[Item(*both(pronoun_phrase("er", "acc")), 2, 0)])
    assert written(main_clause(clause)) == ("Anna lud ihn ein.", "Anna invited him.", "0-0 1-1 2-2 3-1")


def both(phrase):
    return phrase.german, phrase.english


def test_pronoun_object_stands_before_the_particle():
    him = pronoun_phrase("er", "acc")
    clause = Clause(anna(), VERBS["abholen"], "past", items=[Item(him.german, him.english, 2, 0)])
    assert written(main_clause(clause))[1] == "Anna picked him up."
    clause = Clause(anna(), VERBS["suchen"], "past", items=[Item(*both(pronoun_phrase("er", "acc")), 2, 0)])
    assert written(main_clause(clause))[1] == "Anna looked for him."


def test_verb_second_after_a_time_and_an_object():
    time = adv.fixed("am Montag = on/0 Monday/1", 20, 60, "stay")
    clause = buying(tense="past", items=[time, obj(thing("Hund", "acc", "the"))])
    assert written(main_clause(clause, time)) == (
        "Am Montag kaufte Anna den Hund.",
        "On Monday Anna bought the dog.",
        "0-0 1-1 2-3 3-2 4-4 5-5",
    )
    dog = obj(thing("Hund", "acc", "the"))
    dog.front = "move"
    clause = buying(tense="past", items=[dog])
    assert written(main_clause(clause, dog)) == ("Den Hund kaufte Anna.", "Anna bought the dog.", "0-2 1-3 2-1 3-0")


def test_verb_final_after_weil():
    clause = buying(tense="perfect", items=[obj(thing("Buch", "acc", "the"))])
    assert written(final_clause(clause))[0] == "Anna das Buch gekauft hat."
    clause = buying(modal="wollen", items=[obj(thing("Buch", "acc", "the"))])
    assert written(final_clause(clause))[:2] == ("Anna das Buch kaufen will.", "Anna wants to buy the book.")


def test_questions_invert_and_take_do():
    clause = Clause(pronoun_phrase("Sie", "nom"), VERBS["kennen"], items=[obj(name_phrase("Otto", "m"))])
    assert written(question(clause), "?") == ("Kennen Sie Otto?", "Do you know Otto?", "0-0 0-2 1-1 2-3")
    clause = buying(tense="past", items=[obj(thing("Buch", "acc", "the"))])
    assert written(question(clause, (Source("warum"), "why")), "?") == (
        "Warum kaufte Anna das Buch?",
        "Why did Anna buy the book?",
        "0-0 1-1 1-3 2-2 3-4 4-5",
    )


def test_gern_becomes_the_english_verb():
    gern = Source("gern")
    clause = Clause(anna(), VERBS["singen"], likes=gern, items=[Item([gern], [], 52, 99)])
    assert written(main_clause(clause)) == ("Anna singt gern.", "Anna likes to sing.", "0-0 1-3 2-1 2-2")


def test_gefallen_swaps_subject_and_object():
    class First:
        """Draws that always take the first."""

        def pick(self, items):
            return items[0]

        def chance(self, probability):
            return probability > 1

        def below(self, bound):
            return 0

        def weighted(self, items):
            return items[0][1]

    clause = Clause(thing("Film", "nom", "the"), VERBS["gefallen"])
    SPECIAL["please"](Scene(First(), clause, frozenset(), Wish("present", negative=0)))
    source, target, links = written(main_clause(clause))
    assert source.startswith("Der Film gefällt ")
    assert target.endswith(" likes the film.")
    assert "0-3 1-4" in links


def test_contraction_carries_the_links_of_both_words():
    park = thing("Haus", "dat", "the")
    clause = Clause(anna(), VERBS["arbeiten"], "past", items=[Item(*prepositional("in", "in", park), 56, 50)])
    assert written(main_clause(clause)) == (
        "Anna arbeitete im Haus.",
        "Anna worked in the house.",
        "0-0 1-1 2-2 2-3 3-4",
    )


def test_compound_is_linked_to_all_its_english_words():
    clause = buying(tense="past", items=[obj(thing("Küchentisch", "acc", "this"))])
    assert written(main_clause(clause)) == (
        "Anna kaufte diesen Küchentisch.",
        "Anna bought this kitchen table.",
        "0-0 1-1 2-2 3-3 3-4",
    )


def test_genitives():
    brother = thing("Bruder", "gen", "my", owner="ich")
    clause = Clause(with_genitive(thing("Hund", "nom", "the"), brother), VERBS["bellen"], "past")
    assert written(main_clause(clause)) == (
        "Der Hund meines Bruders bellte.",
        "My brother's dog barked.",
        "1-2 2-0 3-1 4-3",
    )
    clause = Clause(with_name_owner("Anna", BY_GERMAN["Hund"], "nom", [("alt", "old")]), VERBS["bellen"], "past")
    assert written(main_clause(clause))[:2] == ("Annas alter Hund bellte.", "Anna's old dog barked.")


def test_infinitives_with_zu():
    clause = Clause(anna(), VERBS["lesen"], items=[obj(thing("Buch", "acc", "the"))])
    assert written(infinitive_clause(clause)) == ("Das Buch zu lesen.", "To read the book.", "0-2 1-3 2-0 3-1")
    clause = Clause(anna(), VERBS["aufstehen"])
    assert written(infinitive_clause(clause)) == ("Aufzustehen.", "To get up.", "0-0 0-1 0-2")


def test_a_second_verb_shares_the_auxiliary():
    assert written(second_conjunct(Clause(anna(), VERBS["singen"]))) == ("Singt.", "Singing.", "0-0")
    assert written(second_conjunct(Clause(anna(), VERBS["singen"], habitual=True)))[1] == "Sings."


def test_since_makes_a_present_perfect_and_ago_follows():
    clause = Clause(anna(), VERBS["wohnen"], since=True)
    clause.items.append(adv.fixed("seit zwei Jahren = for/0 two/1 years/2", 20, 60))
    assert written(main_clause(clause)) == (
        "Anna wohnt seit zwei Jahren.",
        "Anna has lived for two years.",
        "0-0 1-1 1-2 2-3 3-4 4-5",
    )


def test_punctuation_is_part_of_the_word_before():
    a, b = Source("a"), Source("b")
    pair = linearise([a, COMMA, b, COMMA], [Target("x", a), COMMA, Target("y", b)], ".")
    assert (pair.source, pair.target, pair.pharaoh) == ("A, b.", "X, y.", "0-0 1-1")
