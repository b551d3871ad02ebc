"""Marked-up text as texts to translate, and their translations as marked-up text.

The tags are taken out, and each is put back where the alignment says ("detag and project": Hanneman and Dinu, 2020,
"How Should Markup Tags Be Translated?"; Joanis et al., 2013, "Transferring Markup Tags in Statistical Machine
Translation: A Two-Stream Approach"; Müller, 2017, "Treatment of Markup in Statistical Machine Translation", whose
"alignment reinsertion" it is). There, an element encloses all words from the first to the last that are aligned with
its own, so that one wrong link makes it cover a sentence. Here it encloses those that as many weights as possible agree
with (``placement.arrange``), and the tree of the elements is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nmt.core.characters import is_blank
from nmt.translation.lines import ScoredTarget
from nmt.translation.markup.html_events import read_html
from nmt.translation.markup.placement import place, tree_of
from nmt.translation.markup.segment import Event, Kind, Segment
from nmt.translation.markup.tokens import Aligned
from nmt.translation.markup.writing import Spelling, Writer
from nmt.translation.markup.xml_events import read_xml


@dataclass(frozen=True, slots=True)
class Document:
    """Marked-up text.

    Args:
        kind: ``xml``, the content of an element; or ``html``.
        parts: texts to translate, and what stands between them.
    """

    kind: Kind
    parts: tuple[Segment | str, ...]

    @property
    def texts(self) -> list[str]:
        """The texts to translate, without tags, each on one line; none of them is blank."""
        return [part.text for part in self.parts if isinstance(part, Segment)]

    def restored(self, translations: Sequence[ScoredTarget | None]) -> str:
        """Put tags into the translations of ``texts``, found with attention; a text that has none stays as it was."""
        waiting = iter(translations)
        written = []
        for part in self.parts:
            if isinstance(part, Segment):
                target = next(waiting)
                written.append(part.raw if target is None else restored(part, target, self.kind))
            else:
                written.append(part)
        return "".join(written)

    def divided(self) -> list[Document]:
        """Divide it into documents of one text each (or of none, if it has none)."""
        documents: list[list[Segment | str]] = [[]]
        for part in self.parts:
            if isinstance(part, Segment) and any(isinstance(each, Segment) for each in documents[-1]):
                documents.append([])
            documents[-1].append(part)
        return [Document(self.kind, tuple(parts)) for parts in documents if parts]


def read_markup(text: str, kind: Kind) -> Document:
    """Take the tags out of a text: ``xml`` is one text to translate, and ``html`` one for each paragraph, cell or line.

    Raises:
        DataError: XML is not well-formed; says what is wrong, and where.
    """
    return Document(kind, tuple(_parts(read_xml(text) if kind == "xml" else read_html(text), kind)))


def restored(segment: Segment, target: ScoredTarget, kind: Kind) -> str:
    """Put the tags of a text into its translation."""
    aligned = Aligned(segment.text, [mark.place for mark in segment.marks], target)
    root = tree_of(segment.marks, aligned)
    place(root, segment.marks, segment.text, aligned)
    return Writer(segment.text, segment.marks, target.text, aligned, Spelling(segment.spellings, kind)).written(root)


def _parts(events: Iterable[Event], kind: Kind) -> list[Segment | str]:
    parts: list[Segment | str] = []
    waiting: list[Event] = []
    for event in [*events, Event("apart", "")]:
        if event.kind != "apart":
            waiting.append(event)
        else:
            before, inner, after = _trimmed(waiting)
            segment = Segment.of(inner, kind)
            parts += [before, segment.raw if is_blank(segment.text) else segment, f"{after}{event.raw}"]
            waiting = []
    return [part for part in parts if part]


def _trimmed(events: list[Event]) -> tuple[str, list[Event], str]:
    """Separate the white space at both ends."""
    texts = [event.text if event.kind == "text" else "." for event in events]
    before = next((place for place, text in enumerate(texts) if text.strip()), len(events))
    after = next((place for place in range(len(texts), before, -1) if texts[place - 1].strip()), before)
    inner = events[before:after]
    left, right = ("".join(event.raw for event in each) for each in (events[:before], events[after:]))
    if inner and inner[0].raw == (text := inner[0].text):
        cut = len(text) - len(text.lstrip())
        left, inner[0] = left + text[:cut], Event("text", text[cut:], text=text[cut:])
    if inner and inner[-1].raw == (text := inner[-1].text):
        cut = len(text.rstrip())
        right, inner[-1] = text[cut:] + right, Event("text", text[:cut], text=text[:cut])
    return left, inner, right
