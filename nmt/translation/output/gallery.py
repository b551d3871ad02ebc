"""Pictures of the attention of translations and forced targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nmt.alignment.links import Links
from nmt.alignment.pieces_to_words import piece_links
from nmt.alignment.soft_alignment import Weights
from nmt.core.storage.files import reporting_os_errors
from nmt.translation.lines import END, ScoredTarget, SourceLine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nmt.alignment.drawing.overlay import Boxes
    from nmt.alignment.drawing.spectrogram import Spans

PictureFormat = Literal["png", "svg", "pdf"]
PictureUnit = Literal["words", "pieces"]


class Gallery:
    """A folder of pictures of the first sentences that can be drawn: a heatmap and edges of each.

    Over a picture that is the source it is a strip of all words, and one word in large; of a question beside it, a
    heatmap of its own. Over frames that are the source it is a heatmap, and their spectrogram with the words below.

    Args:
        folder: created if missing.
        count: number of sentences to draw; later ones are skipped.
        format: ``png``, ``svg`` or ``pdf``.
        unit: whether to draw attention between words or between pieces.
    """

    def __init__(
        self,
        folder: Path,
        *,
        count: int,
        format: PictureFormat = "png",  # noqa: A002
        unit: PictureUnit = "words",
    ) -> None:
        self.folder = folder
        self.files: list[Path] = []
        self._left = count
        self._format = format
        self._unit = unit
        with reporting_os_errors("make the folder of plots"):
            folder.mkdir(parents=True, exist_ok=True)

    def add(
        self,
        target: ScoredTarget,
        *,
        name: str | None = None,
        gold: Links | None = None,
        boxes: Boxes | Spans | None = None,
    ) -> None:
        """Draw a sentence pair, unless ``count`` is reached or it has no attention.

        Args:
            target: the pair.
            name: how the names of its files begin; by default ``line-`` and its number.
            gold: gold links, outlined.
            boxes: what words of the target name in a picture or a recording, as fractions of it, outlined.

        Raises:
            NmtError: the file cannot be written.
        """
        figures = figures_of(target, unit=self._unit, gold=gold, boxes=boxes) if self._left > 0 else {}
        if not figures:
            return
        from nmt.alignment.drawing.plots import save_figure

        self._left -= 1
        name = name or f"line-{target.source.number:06d}"
        for kind, figure in figures.items():
            path = self.folder / f"{name}-{kind}.{self._format}"
            with reporting_os_errors("save the plot"):
                save_figure(figure, path)
            self.files.append(path)


def figures_of(
    target: ScoredTarget,
    *,
    unit: PictureUnit = "words",
    gold: Links | None = None,
    boxes: Boxes | Spans | None = None,
) -> dict[str, Figure]:
    """Draw the attention of a sentence pair, as fits its source; returns figures by name, none without attention."""
    words, pieces = target.weights, target.piece_weights
    if words is None or pieces is None or not (target.source.words and target.words):
        return {}
    sides: tuple[Sequence[str], Sequence[str]] = target.source.words, target.words
    weights: Weights = words
    if unit == "pieces":
        sides, weights = _in_pieces(target, pieces), pieces
        gold = None if gold is None else piece_links(gold, target.source.pieces.words, target.pieces.words)
        boxes = None
    if target.source.is_picture:
        return _over_picture(target, sides[1], weights, boxes)
    if target.source.is_frames:
        return _over_frames(target, sides[1], weights, boxes)
    from nmt.alignment.drawing.plots import edges, heatmap

    return {"heatmap": heatmap(*sides, weights, gold=gold), "edges": edges(*sides, weights, gold=gold)}


def _over_picture(
    target: ScoredTarget, words: Sequence[str], weights: Weights, boxes: Boxes | None
) -> dict[str, Figure]:
    from nmt.alignment.drawing.overlay import large, strip
    from nmt.alignment.drawing.plots import heatmap

    source = target.source
    assert source.features is not None  # it is a picture
    over = source.features, words, weights, (source.shape[0], source.shape[1])
    figures = {"strip": strip(*over, boxes=boxes, title=heading(source)), "word": large(*over, boxes=boxes)}
    asked = source.words[source.file_columns :]
    if asked:
        figures["question"] = heatmap(asked, words, weights[:, source.file_columns :][:, : len(asked)])
    return figures


def _over_frames(
    target: ScoredTarget, words: Sequence[str], weights: Weights, spans: Spans | None
) -> dict[str, Figure]:
    from nmt.alignment.drawing.plots import heatmap
    from nmt.alignment.drawing.spectrogram import spectrogram

    source = target.source
    assert source.features is not None  # it is frames
    drawn = spectrogram(
        source.features,
        words,
        weights[:, : source.file_columns],
        extent=source.extent,
        unit=source.extent_unit,
        spans=spans,
        title=heading(source),
    )
    return {"spectrogram": drawn, "heatmap": heatmap(source.words, words, weights)}


def heading(source: SourceLine) -> str:
    """Give a line as one can draw it: no font has the tab between a file and its question."""
    return "  ".join(source.text.strip().split("\t"))


def _in_pieces(target: ScoredTarget, weights: Weights) -> tuple[Sequence[str], Sequence[str]]:
    """Return both sides in pieces, with eos where it has a row or column of attention."""
    source, own = target.source.pieces.pieces, target.pieces.pieces
    rows, columns = weights.shape
    return [*source, *[END] * (columns - len(source))], [*own, *[END] * (rows - len(own))]
