"""Attention-based neural machine translation.

>>> import nmt
>>> translator = nmt.Translator.load("runs/deen")
>>> for translation in translator.translate(["Ein Hund schläft."]):
...     print(translation.text, translation.score, translation.alignment)
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nmt.alignment.links import Links
    from nmt.core.errors import NmtError
    from nmt.metrics.score import Score, bleu, chrf
    from nmt.search.search_config import SearchConfig
    from nmt.translation.aligning.aligner import Aligner
    from nmt.translation.copying import CopyConfig, Placeholder
    from nmt.translation.lines import ScoredTarget, Translation
    from nmt.translation.markup.document import read_markup
    from nmt.translation.model_files.bundle import Bundle
    from nmt.translation.requests.request import Request
    from nmt.translation.translator import Translator

# The public names and their modules, which are imported on first use so that `import nmt` stays light.
_HOMES = {
    "Aligner": "nmt.translation.aligning.aligner",
    "Bundle": "nmt.translation.model_files.bundle",
    "CopyConfig": "nmt.translation.copying",
    "Links": "nmt.alignment.links",
    "NmtError": "nmt.core.errors",
    "Placeholder": "nmt.translation.copying",
    "Request": "nmt.translation.requests.request",
    "Score": "nmt.metrics.score",
    "ScoredTarget": "nmt.translation.lines",
    "SearchConfig": "nmt.search.search_config",
    "Translation": "nmt.translation.lines",
    "Translator": "nmt.translation.translator",
    "bleu": "nmt.metrics.score",
    "chrf": "nmt.metrics.score",
    "read_markup": "nmt.translation.markup.document",
}

__all__ = [
    "Aligner",
    "Bundle",
    "CopyConfig",
    "Links",
    "NmtError",
    "Placeholder",
    "Request",
    "Score",
    "ScoredTarget",
    "SearchConfig",
    "Translation",
    "Translator",
    "bleu",
    "chrf",
    "read_markup",
]


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'nmt' has no attribute {name!r}")
    return getattr(_import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names with the others."""
    return sorted([*globals(), *__all__])
