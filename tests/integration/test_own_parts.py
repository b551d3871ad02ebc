"""Parts in a user's own file, by the commands: trained, searched with, aligned, exported, and loaded again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import my_parts
import pytest
import yaml
from tiny_training import records, write_corpus

import nmt
from nmt.cli import align, check, evaluate, export, train, translate
from nmt.core.storage.run_folder import OPTIMISER, RunFolder, best_checkpoint
from nmt.model.attention.base import ScoreConfig
from nmt.model.decoder.base import DecoderConfig
from nmt.model.encoder.base import EncoderConfig
from nmt.model.weights import read_tensors
from nmt.training.objective.base import ObjectiveConfig, TermConfig

PARTS = Path(my_parts.__file__)
ENCODERS = ("convolution", "transformer")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, a recipe that takes every part, and the file of the parts, in one folder."""
    root = write_corpus(tmp_path_factory.mktemp("own"), train=120, held_out=6)
    shutil.copy(PARTS, root)
    (root / "my.yaml").write_text(yaml.safe_dump(recipe(root)), encoding="utf-8")
    return root


def recipe(root: Path) -> dict[str, Any]:
    search = {"max_length_ratio": 1.0, "max_length_offset": 2, "min_length": 2}
    return {
        "data": {
            "root": str(root),
            "cache": str(root / "cache"),
            "source_language": "xx",
            "target_language": "yy",
            "train": [{"source": "train.xx", "target": "train.yy"}],
            "validation": {"source": "validation.xx", "target": "validation.yy"},
            "subword": {"algorithm": "bpe", "size": 70},
            "batch": {"size": 200},
        },
        "model": {
            "embedding": {"size": 8, "tied": "target"},
            "encoder": {"type": "convolution", "size": 12, "layers": 2},
            "decoder": {"type": "summed", "size": 12, "layers": 2},
            "attention": {"score": {"type": "cosine", "gain": 5.0}},
            "dropout": {"layers": 0.1, "readout": 0.1},
        },
        "training": {
            "objective": {"type": "focal", "focus": 0.5},
            "terms": [{"type": "attention-entropy", "weight": 0.05}, {"type": "bag-of-words", "weight": 0.1}],
            "max_steps": 20,
            "validation_interval": 10,
            "interval_unit": "steps",
            "log_interval": 5,
            "optimiser": {"learning_rate": 0.02},
            "label_smoothing": 0.1,
            "device": "cpu",
            "validation": {"samples": 0, "search": {"strategy": "greedy", **search}},
        },
        "search": {"beam_size": 3, **search},
        "test": {"corpus": {"source": "test.xx", "target": "test.yy"}},
        "alignment": {"plots": 0},
    }


def told(capfd: pytest.CaptureFixture[str], command: Callable[[list[str]], int], *arguments: object) -> str:
    """Run a command in this process, where the parts are imported already, and give what it prints."""
    status = command([*map(str, arguments), "--import", str(PARTS)])
    output = capfd.readouterr()
    assert status == 0, output.err
    assert "Traceback" not in output.err
    return output.out


@pytest.mark.slow
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_own_parts_train_translate_align_and_are_exported(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], encoder: str, fast: bool
) -> None:
    run, model = tmp_path / "run", tmp_path / "model.nmt"
    source, target = root / "test.xx", root / "test.yy"
    precision = "bf16" if fast else "fp32"
    chosen = (f"model.encoder.type={encoder}", f"training.fast_paths={fast}".lower(), f"training.precision={precision}")
    told(capfd, train.main, root / "my.yaml", *chosen, "--output", run)
    stored = yaml.safe_load((run / "recipe.yaml").read_text())
    assert stored["model"]["bridge"] == "mean" and stored["model"]["encoder"]["type"] == encoder
    losses = [record["loss"] for record in records(RunFolder(run), "train")]
    assert len(losses) == 4 and losses[-1] < 0.9 * losses[0]
    learnt = read_tensors(run / "checkpoints" / "step-00000020" / OPTIMISER)
    assert [name for name in learnt if "bag-of-words" in name]
    file = json.loads((run / "versions.json").read_text())[my_parts.__name__]
    assert file == f"sha256 {hashlib.sha256(PARTS.read_bytes()).hexdigest()[:16]}"
    assert json.loads((run / "test.json").read_text())["scores"]
    assert len((run / "alignments.pharaoh").read_text().splitlines()) == 6

    told(capfd, export.main, run, model)
    outputs = []
    for place in (run, model):
        beam = told(capfd, translate.main, place, "--input", source)
        greedy = told(capfd, translate.main, place, "--input", source, "--strategy", "greedy")
        plain = told(capfd, translate.main, place, "--input", source, "--no-fast-paths")
        links = told(capfd, align.main, place, source, target)
        scores = told(capfd, evaluate.main, place, source, target)
        assert beam == plain and len(beam.splitlines()) == len(greedy.splitlines()) == len(links.splitlines()) == 6
        assert any(line for line in beam.splitlines())
        outputs.append((beam, greedy, links, scores))
    assert outputs[0] == outputs[1]
    for way in ("attention-x-gradient", "leave-one-out"):
        assert told(capfd, align.main, run, source, target, "--by", way)

    translator = nmt.Translator.load(run)
    found = translator.translate(source.read_text().splitlines())
    assert [one.text for one in found] == outputs[0][0].splitlines()
    assert best_checkpoint(RunFolder(run)).name in ("step-00000010", "step-00000020")


def process(root: Path, command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a new process, in which nothing is imported; in the folder of the parts."""
    parts = [sys.executable, "-m", f"nmt.cli.{command}", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(parts, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=400)


@pytest.mark.slow
def test_a_process_knows_the_parts_that_it_is_told_to_import(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    begun = ("train", "my.yaml", "--output", "run", "--import", "my_parts.py", "test=null", "alignment=null")
    trained = process(root, *begun, "training.max_steps=2")
    assert trained.returncode == 0, trained.stderr
    alone = told(capfd, translate.main, root / "run", "--input", root / "train.xx", "--window", 10)
    several = process(
        root, "translate", "run", "--input", "train.xx", "--import", "my_parts", "--processes", 2, "--window", 10
    )
    assert several.returncode == 0, several.stderr
    assert several.stdout == alone
    parts = (root / "my_parts.py").read_text()
    line = "return self.gain * torch.bmm("
    (root / "my_parts.py").write_text(parts.replace(line, "return 1 / 0 * torch.bmm("))
    failed = process(root, "translate", "run", "--input", "train.xx", "--import", "my_parts", "--processes", 2)
    number = parts[: parts.index(line)].count("\n") + 1
    assert failed.returncode == 2 and "Traceback" not in failed.stderr, failed.stderr
    assert f"my_parts.py: line {number}: ZeroDivisionError: division by zero" in failed.stderr
    refused = process(root, "translate", "run", "--input", "test.xx")
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    message = refused.stderr.splitlines()[1]
    assert re.search(r"encoder.type must be the name of a known encoder \(one of .*\brnn\b", message)
    advice = "but is 'convolution'; did you mean 'convolutional'? If it is a part of your own, give --import FILE"
    assert message.endswith(advice)


def test_every_command_that_reads_a_recipe_or_a_model_imports(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    wrong = tmp_path / "own_wrong_part.py"
    wrong.write_text("\nraise ValueError('not yet')\n")
    for command, arguments in (
        (train.main, ["my.yaml"]),
        (check.main, ["my.yaml"]),
        (translate.main, ["run"]),
        (evaluate.main, ["run"]),
        (align.main, ["run", "a", "b"]),
        (export.main, ["run", "model"]),
    ):
        assert command([*arguments, "--import", str(wrong)]) == 2
        assert (
            capfd.readouterr().err == f"error: {wrong}: line 2: ValueError: not yet\n    raise ValueError('not yet')\n"
        )


BROKEN = """
from dataclasses import dataclass

from my_parts import (
    AttentionEntropy, AttentionEntropyConfig, ConvolutionConfig, ConvolutionEncoder, CosineConfig, CosineScore, Focal,
    FocalConfig, SummedConfig, SummedDecoder,
)

def part(name):
    return lambda config: config.registry.register(name)(dataclass(frozen=True, slots=True, kw_only=True)(config))

@part("broken-none")
class BrokenNone(CosineConfig):
    def build(self, query_size, memory_size):
        pass

@part("broken-kind")
class BrokenKind(CosineConfig):
    def build(self, query_size, memory_size):
        return AttentionEntropy()

@part("broken-few")
class BrokenFew(CosineConfig):
    def build(self, query_size):
        return CosineScore(query_size, query_size, self.gain)

@part("broken-shape")
class BrokenShape(CosineConfig):
    def build(self, query_size, memory_size):
        return BrokenScore(query_size, memory_size, self.gain)

class BrokenScore(CosineScore):
    def forward(self, query, keys):
        return CosineScore.forward(self, query, keys).transpose(1, 2)[:, :1]

@part("broken-encoder")
class BrokenEncoderConfig(ConvolutionConfig):
    def build(self, input_size, dropout):
        encoder = ConvolutionConfig.build(self, input_size, dropout)
        encoder.__class__ = BrokenEncoder
        return encoder

class BrokenEncoder(ConvolutionEncoder):
    def forward(self, embedded, lengths):
        return ConvolutionEncoder.forward(self, embedded, lengths).values

@part("broken-decoder")
class BrokenDecoderConfig(SummedConfig):
    def build(self, embedding_size, memory_size, attention, dropout):
        return BrokenDecoder(self, embedding_size, attention.build(self.size, memory_size))

class BrokenDecoder(SummedDecoder):
    def step(self, embedded, prepared, state):
        SummedDecoder.step(self, embedded, prepared, state)

@part("broken-objective")
class BrokenObjectiveConfig(FocalConfig):
    def build(self, model, *, vocabulary_size, smoothing):
        return BrokenObjective(self.focus, smoothing)

class BrokenObjective(Focal):
    def forward(self, model, batch, output):
        return Focal.forward(self, model, batch, output).loss

@part("broken-term")
class BrokenTermConfig(AttentionEntropyConfig):
    def build(self, model):
        return BrokenTerm()

class BrokenTerm(AttentionEntropy):
    def forward(self, batch, output):
        return output.weights.sum(2)

@part("broken-call")
class BrokenCallConfig(AttentionEntropyConfig):
    def build(self, model):
        return BrokenCall()

class BrokenCall(AttentionEntropy):
    def forward(self, output):
        return output.weights.sum()
"""


@pytest.mark.parametrize(
    ("override", "place", "message"),
    [
        (
            "model.attention.score=broken-none",
            "BrokenNone.build",
            "must return a part of class Score, but returns None",
        ),
        (
            "model.attention.score=broken-kind",
            "BrokenKind.build",
            "must return a part of class Score, but returns one of class AttentionEntropy",
        ),
        (
            "model.attention.score=broken-few",
            "BrokenFew.build",
            "must take what it is called with: BrokenFew.build() takes 2 positional arguments but 3 were given",
        ),
        ("model.attention.score=broken-shape", "BrokenScore.forward", "must return energies of shape (B, Q, S) = ("),
        (
            "model.encoder=broken-encoder",
            "BrokenEncoder.forward",
            "must return a SourceMemory, but returns one of class Tensor",
        ),
        ("model.decoder=broken-decoder", "BrokenDecoder.step", "must return a DecoderOutput with features (N, F) = ("),
        ("training.objective=broken-objective", "BrokenObjective.forward", "must return a TokenLoss whose loss is"),
        (
            "training.terms=[broken-term]",
            "BrokenTerm.forward",
            "must return a scalar tensor, but returns one of class Tensor and shape",
        ),
        (
            "training.terms=[broken-call]",
            "BrokenCall.forward",
            "must take what it is called with: BrokenCall.forward() takes 2 positional arguments but 3 were given",
        ),
    ],
)
def test_a_part_that_breaks_its_contract_is_named_with_its_line(
    root: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    override: str,
    place: str,
    message: str,
) -> None:
    for config in (ScoreConfig, EncoderConfig, DecoderConfig, ObjectiveConfig, TermConfig):
        monkeypatch.setattr(config.registry, "_classes", {**config.registry._classes})
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "own_broken", raising=False)
    file = tmp_path / "own_broken.py"
    file.write_text(BROKEN, encoding="utf-8")
    status = train.main([str(root / "my.yaml"), override, "--output", str(tmp_path / "run"), "--import", str(file)])
    del sys.modules["own_broken"]
    errors = capfd.readouterr().err
    assert status == 2, errors
    name, method = place.split(".")
    lines = BROKEN.splitlines()
    begin = next(number for number, line in enumerate(lines, 1) if line.startswith(f"class {name}("))
    line = next(number for number, text in enumerate(lines, 1) if number > begin and f"def {method}(" in text)
    assert f"error: {file}: line {line}: {place} {message}" in errors
