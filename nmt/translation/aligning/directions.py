"""Symmetrised links of two models, one per direction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nmt.alignment.links import Links
from nmt.alignment.soft_alignment import LinkRule
from nmt.alignment.symmetrisation import Symmetrisation, inverse, symmetrise
from nmt.core.errors import ConfigError
from nmt.core.logging import Reached, few, logger
from nmt.translation.aligning.aligner import Aligner
from nmt.translation.lines import ScoredTarget, Unit
from nmt.translation.model_files.bundle import Bundle


def check_directions(forward: Bundle, reverse: Bundle, unit: Unit = "whitespace") -> None:
    """Refuse two models that evidently do not translate in opposite directions.

    Links are between words, so the models may segment words differently, unless pieces are aligned.

    Raises:
        ConfigError: their languages do not match, both read and write with the same vocabularies, or pieces are
            aligned and their vocabularies are not swapped.
    """
    names = f"{forward.path} and {reverse.path}"
    languages = [(each.source_language, each.target_language) for each in (forward, reverse)]
    known = all(all(pair) for pair in languages)
    if known and languages[0] != languages[1][::-1]:
        (source, target), (other_source, other_target) = languages
        raise ConfigError(
            f"{names}: the second model must translate from {target} to {source}, but translates from {other_source} "
            f"to {other_target}"
        )
    sides = [
        (each.vocabularies.source.fingerprint, each.vocabularies.target.fingerprint) for each in (forward, reverse)
    ]
    crossed = sides[0] == sides[1][::-1]
    if unit == "pieces" and not crossed:
        raise ConfigError(
            f"{names}: must cut both languages into the same pieces where pieces are aligned, but their vocabularies "
            "differ; align words, or give the second model the vocabularies of the first (data.subword.source_model)"
        )
    if not crossed and sides[0] == sides[1]:
        raise ConfigError(
            f"{names}: the second model must translate in the other direction, but has the same source vocabulary and "
            "the same target vocabulary as the first"
        )
    if not known and not crossed:
        logger.warning(
            "%s have different vocabularies and do not name their languages (data.source_language, "
            "data.target_language), so it cannot be checked that the second translates in the other direction",
            names,
        )


def language_back(forward: Bundle, reverse: Bundle) -> str | None:
    """Return the language that ``reverse`` must be asked for: the source language, if it is a model of several.

    Raises:
        ConfigError: it needs a tag before its sources, and no language is known for it.
    """
    if forward.source_language in reverse.tags.languages:
        return forward.source_language
    if reverse.tags.always:
        raise ConfigError(
            f"{reverse.path}: the second model needs a tag before what it reads ({few(reverse.tags.known)}), and the "
            f"first ({forward.path}) does not name a source language that is among them (data.source_language)"
        )
    return None


def align_directions(
    forward: Aligner,
    reverse: Aligner,
    pairs: Sequence[tuple[str, str]],
    *,
    method: Symmetrisation,
    rule: LinkRule | None = None,
    reached: Sequence[Reached | None] = (None, None),
) -> Iterator[tuple[ScoredTarget, Links]]:
    """Align sentence pairs in both directions: ``forward`` generates the targets, ``reverse`` the sources.

    One function per direction is called with the number of pairs done.

    Yields:
        The forward model's scored target, and the symmetrised links.

    Raises:
        NmtError: a model is damaged.
    """
    swapped = ((target, forward.divided(source)[1]) for source, target in pairs)
    first, second = forward.align_pairs(pairs, reached=reached[0]), reverse.align_pairs(swapped, reached=reached[1])
    for there, back in zip(first, second, strict=True):
        yield there, symmetrise(there.links(rule), inverse(back.links(rule)), method)
