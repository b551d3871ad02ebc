"""What `import nmt` offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import nmt


def test_every_name_is_there() -> None:
    for name in nmt.__all__:
        assert getattr(nmt, name).__name__ == name
    assert set(nmt.__all__) <= set(dir(nmt))
    with pytest.raises(AttributeError, match="Translater"):
        _ = nmt.Translater  # type: ignore[attr-defined]


def test_import_stays_light() -> None:
    code = "import nmt, sys; print([n for n in ('torch', 'datasets', 'matplotlib', 'sacrebleu') if n in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


@pytest.mark.slow
def test_translating_imports_neither_data_sets_nor_plots() -> None:
    code = (
        "import nmt, nmt.cli.translate, nmt.cli.align, sys; nmt.Translator, nmt.Aligner;"
        "print([n for n in ('datasets', 'pyarrow', 'matplotlib', 'sacrebleu', 'pandas') if n in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


@pytest.mark.slow
def test_a_line_is_translated_without_what_takes_long_to_import(tiny_run: Path) -> None:
    """Torch's compiler comes with one draw on the meta device, and takes longer than all else that is imported."""
    heavy = ["torch._dynamo", "torch._inductor", "sympy", "datasets", "pyarrow", "matplotlib", "sacrebleu", "pandas"]
    if torch.__version__.startswith("2.6."):
        heavy.remove("sympy")  # which it imports for a tensor of zeros on the meta device
    code = (
        "import sys, nmt.cli.translate\n"
        f"status = nmt.cli.translate.main([{str(tiny_run)!r}])\n"
        f"print([n for n in {heavy!r} if n in sys.modules], status)"
    )
    found = subprocess.run([sys.executable, "-c", code], input="ab cd\n", capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[1:] == ["[] 0"]


def test_a_few_lines_translate_and_align(tiny_run: Path) -> None:
    translator = nmt.Translator.load(tiny_run, search=nmt.SearchConfig(beam_size=4, n_best=2, min_length=2))
    (translation,) = translator.translate(["ab cd ef"])
    assert translation.text
    assert 0 < translation.confidence <= 1
    assert translation.score == translation.hypotheses[0].score
    assert isinstance(translation.alignment, nmt.Links)
    assert translation._repr_html_().startswith("<svg")

    (target,) = nmt.Aligner.load(tiny_run).align(["ab cd ef"], ["gh ij"])
    assert target.words == ["gh", "ij"]
    assert target.weights is not None
    assert target.weights.shape == (2, 4)
    assert target._repr_html_().startswith("<svg")

    with pytest.raises(nmt.NmtError, match="no such run folder"):
        nmt.Translator.load("does/not/exist")
    assert nmt.bleu(["a b c d e"], ["a b c d e"]).value == pytest.approx(100.0)
