"""Relative clauses, behind a subject and behind an object."""

from __future__ import annotations

from tools.corpus import adverbials as adv
from tools.corpus import objects
from tools.corpus.clauses import Clause, Item, final_clause, main_clause
from tools.corpus.draws import Draws
from tools.corpus.events import draw_clause
from tools.corpus.frames import FRAMES, Frame
from tools.corpus.german import DEFINITE
from tools.corpus.nouns import NOUNS
from tools.corpus.phrases import Phrase, noun_phrase, pronoun_phrase
from tools.corpus.statements import Both, Mood, add, event, without_gern
from tools.corpus.tenses import Family, Wish
from tools.corpus.verbs import VERBS
from tools.corpus.words import COMMA, Source, Target


def relative(draws: Draws, mood: Mood) -> Both:
    """A subject with a relative clause, and what it does."""
    noun = draws.pick(NOUNS["person"])
    plural = draws.chance(0.25)
    subject = noun_phrase(noun, "nom", "the", plural=plural)
    inner_subject = _relative_pronoun(subject, "nom", "who")
    family: Family = mood.family
    if draws.chance(0.35):
        inner = draw_clause(draws, FRAMES[draws.pick(("live", "work"))], inner_subject, Wish(family, 0, 1.0, 0, 0, 0.3))
    else:
        inner, _ = event(draws, mood.untimed(), inner_subject, negative=0.05)
    german, english = final_clause(inner)
    subject.german = [*subject.german, COMMA, *german, COMMA]
    subject.english = [*subject.english, *english]
    clause, _ = event(draws, mood, subject, negative=0.05)
    front = [item for item in clause.items if item.front == "stay"]
    if front and draws.chance(0.15):
        return main_clause(clause, front[0])
    return main_clause(clause)


_MET = (
    ("treffen", "acc"), ("sehen", "acc"), ("besuchen", "acc"), ("einladen", "acc"), ("fragen", "acc"),
    ("abholen", "acc"), ("anrufen", "acc"), ("helfen", "dat"), ("danken", "dat"), ("antworten", "dat"),
    ("zuhören", "dat"), ("kennen", "acc"),
)  # fmt: skip


def relative_whom(draws: Draws, mood: Mood) -> Both:
    """A subject whom somebody has met or helped, and what it does."""
    noun = draws.pick(NOUNS["person"])
    subject = noun_phrase(noun, "nom", "the", plural=draws.chance(0.25))
    verb, case = draws.pick(_MET)
    # die Frau, die Anna traf: who met whom? Only a pronoun of the first person tells
    clear = case == "dat" or subject.gender == "m"
    buyer = objects.name(draws) if clear and draws.chance(0.5) else pronoun_phrase(draws.pick(("ich", "wir")), "nom")
    inner = Clause(buyer, VERBS[verb], "pluperfect" if mood.family == "past" else "perfect")
    if verb == "kennen":
        inner.tense = "past" if mood.family == "past" else "present"
    elif draws.chance(0.5):
        inner.tense = "past"
        inner.items.append(adv.time_past(draws))
    pronoun = _relative_pronoun(subject, case, "whom")
    german, english = final_clause(inner)
    subject.german = [*subject.german, COMMA, *pronoun.german, *german, COMMA]
    subject.english = [*subject.english, *pronoun.english, *english]
    clause, _ = event(draws, mood, subject, negative=0.05)
    return main_clause(clause)


def _relative_pronoun(head: Phrase, case: str, english: str) -> Phrase:
    word = Source(DEFINITE[head.gender, case] if (head.gender, case) != ("pl", "dat") else "denen")
    owner = {"er": "er", "sie": "sie", "they": "they"}.get(head.pronoun, "")
    return Phrase([word], [Target(english, word)], head.person, head.gender, owner, kind=head.kind)


def relative_object(draws: Draws, mood: Mood) -> Both:
    """An object with a relative clause: das Buch, das auf dem Tisch liegt."""
    name, kind, frames = draws.pick(_RELATIVE_OBJECTS)
    subject = objects.subject(draws, first=mood.first)
    noun = draws.pick(objects.nouns_of(kind))
    phrase = noun_phrase(noun, "acc", "the", plural=False, adjectives=objects.draw_adjectives(draws, noun, 0.3))
    clause = _bare(draws, FRAMES[name], subject, mood)
    inner_name = draws.pick(frames)
    if inner_name in ("lie", "stand"):
        family: Family = mood.family if mood.family != "present" else "present"
        inner = draw_clause(
            draws, FRAMES[inner_name], _relative_pronoun(phrase, "nom", "that"), Wish(family, 0, 0, 0, 0, 0)
        )
        german, english = final_clause(inner)
    else:
        buyer = pronoun_phrase(draws.pick(("ich", "wir")), "nom") if draws.chance(0.6) else objects.name(draws)
        inner = Clause(buyer, FRAMES[inner_name].verb, "pluperfect" if mood.family == "past" else "perfect")
        if draws.chance(0.6):
            inner.tense = "past"
            inner.items.append(adv.time_past(draws))
        pronoun = _relative_pronoun(phrase, "acc", "that")
        german, english = final_clause(inner)
        german, english = [*pronoun.german, *german], [*pronoun.english, *english]
    clause.items.append(Item(phrase.german, [*phrase.english, *english], 40, 90))
    # the relative clause follows the whole main clause: er zieht den Mantel an, den er gekauft hat
    return add(main_clause(clause), ([COMMA, *german, COMMA], []))


_RELATIVE_OBJECTS = (
    ("read", "text", ("lie", "buy", "find")),
    ("read", "writing", ("write",)),
    ("look", "laything", ("lose", "lose", "buy", "forget")),
    ("use", "parked", ("stand", "buy", "repair", "see")),
    ("puton", "clothing", ("buy", "wash", "find")),
    ("sell", "parked", ("stand", "repair", "buy")),
    ("give", "borrowed", ("lie", "buy", "find")),
    ("show", "picture", ("paint", "buy", "find")),
    ("eat", "cake", ("bake", "buy", "order")),
)


def _bare(draws: Draws, frame: Frame, subject: Phrase, mood: Mood) -> Clause:
    """Draw a clause of the frame without its accusative object."""
    family: Family = mood.family
    if family == "past" and subject.person[0] == "2":
        family = "present"
    stripped = Frame(frame.name, frame.verb, frame.subjects, (), frame.dative, (), "", "", "", frame.why, frozenset())
    clause = draw_clause(draws, stripped, subject, Wish(family, 0, 0, 0, 0, 0))
    without_gern(clause, family)
    return clause
