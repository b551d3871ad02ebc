"""Tense, modality and time: which a clause gets, and what follows for English."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tools.corpus import adverbials as adv
from tools.corpus.clauses import Clause, Item
from tools.corpus.draws import Draws
from tools.corpus.frames import Frame
from tools.corpus.rows import words
from tools.corpus.words import Source

Family = Literal["present", "habit", "past", "perfect", "pluperfect", "future", "modal", "modal past", "infinitive"]
_MODALS = ((4, "können"), (5, "müssen"), (5, "wollen"), (1, "dürfen"), (2, "sollen"), (5, "möchten"))


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of an event.

    Args:
        family: Tense or modality; `habit` is a present that English keeps simple.
        time: Whether a time may be drawn.
        place: The chance of a place.
        negative: The chance of a negation.
        extras: The chance of manner and means.
        adjective: The chance of an adjective at an object.
    """

    family: Family
    time: float = 0.5
    place: float = 0.4
    negative: float = 0.12
    extras: float = 0.2
    adjective: float = 0.25


_RARE = frozenset(
    words(
        "buy sell travel fly visit rent invite build paint paintdoor repair plant hike meet lose find travelback lend"
    )
)
_ONCE = frozenset(words("buy sell rent build lend plant paintdoor lose find see forget eatup writedown lay put run"))
_SEASONAL = frozenset(words("swim hike travel work plant visit learn playball photo playtennis"))
_NO_MODAL = frozenset(words("cry laugh lose forget wakeup hear see find follow"))
_GERN = frozenset(
    words(
        "eat drink cook bake read write hear draw paint playball playchess playtennis playpiano swim"
        " hike dance sing watchtv"
        " play learn help work photo"
    )
)


def draw_tense(draws: Draws, clause: Clause, frame: Frame, wish: Wish) -> None:
    family = wish.family
    timed = draws.chance(wish.time) and not any(item.german_rank == adv.TIME_RANK for item in clause.items)
    stative = frame.verb.stative and frame.name != "live"
    if family in ("present", "habit"):
        _present(draws, clause, frame, timed=timed, habit=family == "habit")
    elif family == "past":
        clause.tense = "past"
        if timed and not stative:
            clause.items.append(adv.time_past(draws, far=frame.name in _RARE))
    elif family == "perfect":
        clause.tense = "perfect"
        if draws.chance(0.4) and not frame.verb.stative and clause.negation is None:
            clause.items.append(adv.fixed(draws.pick(("schon = already/0", "gerade = just/0")), adv.FREQUENCY_RANK, -1))
            _early(clause)
    elif family == "pluperfect":
        clause.tense = "pluperfect"
    elif family in ("future", "modal"):
        if family == "modal" and frame.name not in _NO_MODAL:
            clause.modal = draws.weighted(_MODALS)
        else:
            clause.tense = "future"
        if timed:
            clause.items.append(adv.time_modal(draws))
    elif family == "modal past" and frame.name in _NO_MODAL:
        clause.tense = "past"
    elif family == "modal past":
        clause.modal, clause.tense = draws.weighted(_MODALS[:4]), "past"
        if timed:
            clause.items.append(adv.time_past(draws, far=frame.name in _RARE))


def _early(clause: Clause) -> None:
    for item in clause.items:
        if item.german_rank == 40:
            item.german_rank = 15


def _present(draws: Draws, clause: Clause, frame: Frame, *, timed: bool, habit: bool) -> None:
    clock = any(item.german_rank == adv.TIME_RANK for item in clause.items)
    clause.habitual = habit or clock
    if frame.verb.stative or clock:
        return
    choice = draws.below(10)
    gern = (
        frame.name in _GERN
        and clause.negation is None
        and draws.chance(0.25)
        and not any(i.texts == ["schnell"] for i in clause.items)
    )
    if gern:
        word = Source("gern")
        clause.likes, clause.habitual = word, True
        clause.items.append(Item([word], [], 52, 99))
        return
    if not timed:
        return
    if (habit or choice < 4) and (clause.negation is not None or frame.name in _ONCE):
        return
    if habit or choice < 4:
        clause.habitual = True
        clause.items.append(adv.time_habit(draws, season=frame.name in _SEASONAL))
    elif choice < 7:
        clause.items.append(adv.time_now(draws))
    else:
        clause.items.append(adv.time_future(draws, far=frame.name in _RARE))
        clause.english_future = True
