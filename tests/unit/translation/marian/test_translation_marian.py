"""Export to Marian: the weights by Marian's own formulas, the vocabulary, and what Marian cannot run."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy
import pytest
import sentencepiece
import torch
import yaml
from marian_run import FITS, make_marian_run
from sentencepiece import sentencepiece_model_pb2
from tiny_run import PLACEHOLDER, make_run, sentences

from nmt.core import config
from nmt.core.errors import ConfigError
from nmt.core.storage.run_folder import RunFolder
from nmt.data.batch import Tokens
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.model.weights import model_tensors
from nmt.search.search_config import SearchConfig
from nmt.translation.marian.exporting import export_to_marian
from nmt.translation.marian.fit import misfits
from nmt.translation.marian.vocabulary import marian_order, marian_vocabulary
from nmt.translation.marian.weights import marian_weights
from nmt.translation.model_files.bundle import Bundle

Array = Any


class Marian:
    """Marian's s2s model of one layer, by its own formulas: rows are vectors, and matrices stand on the right."""

    def __init__(self, path: Path) -> None:
        arrays = numpy.load(path)
        self.settings = yaml.safe_load(arrays["special:model.yml"].tobytes().rstrip(b"\0"))
        self.p = {name: arrays[name].astype(numpy.float64) for name in arrays.files if ":" not in name}

    def embedding(self, side: str) -> Array:
        return self.p["Wemb" if self.settings["tied-embeddings-all"] else f"{side}_Wemb"]

    def gru(self, prefix: str, x: Array, state: Array, *, final: bool = False) -> Array:
        p = {name: self.p[f"{prefix}_{name}"] for name in ("W", "Wx", "U", "Ux", "b", "bx")}
        size = state.shape[1]
        reset, update = numpy.split(1 / (1 + numpy.exp(-(x @ p["W"] + state @ p["U"] + p["b"]))), [size], axis=1)
        inner = state @ p["Ux"] + (p["bx"] if final else 0)
        candidate = numpy.tanh(x @ p["Wx"] + reset * inner + (0 if final else p["bx"]))
        return (1 - update) * candidate + update * state

    def log_probs(self, source: list[int], target: list[int]) -> Array:
        """Of all pieces at each position (T, V), of a target that ends in eos, given a source that does."""
        size, p = self.settings["dim-rnn"], self.p
        directions = []
        for prefix, order in (("encoder_bi", source), ("encoder_bi_r", source[::-1])):
            state, states = numpy.zeros((1, size)), []
            for piece in order:
                state = self.gru(prefix, self.embedding("encoder")[[piece]], state)
                states.append(state)
            directions.append(numpy.concatenate(states))
        context = numpy.concatenate([directions[0], directions[1][::-1]], axis=1)
        state = numpy.tanh(context.mean(0, keepdims=True) @ p["decoder_ff_state_W"] + p["decoder_ff_state_b"])
        previous, rows = numpy.zeros((1, self.settings["dim-emb"])), []
        for piece in target:
            state = self.gru("decoder_cell1", previous, state)
            energies = context @ p["decoder_Wc_att"] + p["decoder_b_att"] + state @ p["decoder_W_comb_att"]
            weights = numpy.exp(numpy.tanh(energies) @ p["decoder_U_att"])
            attended = (weights / weights.sum() * context).sum(0, keepdims=True)
            state = self.gru("decoder_cell2", attended, state, final=True)
            layer = "decoder_ff_logit_l1"
            parts = enumerate((previous, state, attended))
            features = numpy.tanh(sum(each @ p[f"{layer}_W{n}"] + p[f"{layer}_b{n}"] for n, each in parts))
            tied = self.settings["tied-embeddings"] or self.settings["tied-embeddings-all"]
            matrix = self.embedding("decoder").T if tied else p["decoder_ff_logit_l2_W"]
            logits = features @ matrix + p["decoder_ff_logit_l2_b"]
            rows.append(logits - numpy.log(numpy.exp(logits).sum()))
            previous = self.embedding("decoder")[[piece]]
        return numpy.concatenate(rows)


@pytest.mark.parametrize("tied", ["none", "target", "all"])
def test_by_its_formulas_marian_gives_every_piece_the_same_probability(tied: str, tmp_path: Path) -> None:
    run = make_marian_run(tmp_path / "run", tied=tied)
    files = export_to_marian(run, tmp_path / "model.npz")
    bundle, marian = Bundle.load(run, device="cpu", fast_paths=False), Marian(tmp_path / "model.npz")
    model = bundle.model.double()
    source, target = bundle.vocabularies.source, bundle.vocabularies.target
    # The file holds float32; sharpened weights would blow up what rounding loses, so the formulas get them unrounded.
    orders = {"source_ids": marian_order(source), "target_ids": marian_order(target)}
    unrounded = marian_weights(model_tensors(model), bos_id=target.bos_id, **orders)
    assert unrounded.keys() == marian.p.keys()
    assert all((unrounded[name].astype(numpy.float32) == marian.p[name]).all() for name in unrounded)
    marian.p = unrounded
    assert marian.settings["dim-vocabs"] == [len(marian_order(each)) for each in (source, target)]
    decoder = yaml.safe_load((tmp_path / "model.npz.decoder.yml").read_text())
    assert [tmp_path / name for name in decoder["models"]] == files[:1]
    assert [tmp_path / name for name in decoder["vocabs"]] == (files[2:] if tied != "all" else files[2:] * 2)
    letters = [str.upper if tied != "all" else str, str]
    for line in sentences(5, seed=2, longest=3):
        ids = [*source.encode(line), source.eos_id], [*target.encode(letters[0](line)[::-1]), target.eos_id]
        rows = [Tokens(torch.tensor([each]), torch.tensor([len(each)])) for each in ids]
        output = model(rows[0], rows[1], target.bos_id)
        ours = model.log_probs(output)[0][:, marian_order(target)]
        theirs = [
            [marian_order(side).index(each) for each in row] for side, row in zip((source, target), ids, strict=True)
        ]
        numpy.testing.assert_allclose(marian.log_probs(*theirs), ours.numpy(), atol=1e-9)
        assert ours.std() > 1


def test_the_vocabulary_segments_alike_and_has_marians_special_pieces(tiny_run: Path, tmp_path: Path) -> None:
    ours = Bundle.load(tiny_run, device="cpu").vocabularies.source
    path = tmp_path / "x.spm"
    path.write_bytes(marian_vocabulary(ours))
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    assert (theirs.eos_id(), theirs.unk_id(), theirs.bos_id(), theirs.pad_id()) == (0, 1, -1, -1)
    assert theirs.get_piece_size() == ours.size - 2
    settings = sentencepiece_model_pb2.ModelProto.FromString(path.read_bytes()).trainer_spec  # type: ignore[attr-defined]
    assert (settings.eos_id, settings.unk_id, settings.bos_id, settings.pad_id) == (0, 1, -1, -1)
    assert settings.vocab_size == theirs.get_piece_size()
    order = marian_order(ours)
    for line in [*sentences(30, seed=3), "Zß unknown <num> letters \u2581 ", ""]:
        assert [order[piece] for piece in theirs.encode(line)] == ours.encode(line)
        assert theirs.decode(theirs.encode(line)) == ours.decode(ours.encode(line), unknown=" \u2047 ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": {"size": 16, "cell": "lstm"}}, "model.encoder.cell must be gru for Marian, but is lstm"),
        ({"encoder": {"size": 16, "layers": 2}}, "model.encoder.layers must be 1 for Marian, but is 2"),
        (
            {"encoder": {"size": 16, "layer_norm": True}},
            "model.encoder.layer_norm must be false for Marian, but is true",
        ),
        ({"encoder": {"type": "transformer"}}, "model.encoder.type must be rnn for Marian, but is transformer"),
        ({"encoder": {"size": 16, "transition": 1}}, "model.encoder.transition must be 0 for Marian, but is 1"),
        (
            {"decoder": {"type": "conditional", "size": 16, "transition": 2}},
            "model.decoder.transition must be 0 for Marian, but is 2",
        ),
        ({"bridge": "zero"}, "model.bridge must be mean for Marian, but is zero"),
        (
            {"decoder": {"type": "conditional", "size": 8}},
            "model.decoder.size must be 16, the encoder's size, for Marian, but is 8",
        ),
        (
            {"decoder": {"type": "bahdanau", "size": 16}},
            "model.decoder.type must be conditional for Marian, but is bahdanau",
        ),
        ({"decoder": {"type": "conditional", "size": 16, "cell": "lstm"}}, "model.decoder.cell must be gru"),
        ({"decoder": {"type": "conditional", "size": 16, "layers": 2}}, "model.decoder.layers must be 1"),
        (
            {"decoder": {"type": "conditional", "size": 16, "context_gate": "both"}},
            "model.decoder.context_gate must be none",
        ),
        (
            {"decoder": {"type": "conditional", "size": 16, "readout": {"activation": "maxout"}}},
            "model.decoder.readout.activation must be tanh for Marian, but is maxout",
        ),
        (
            {"decoder": {"type": "conditional", "size": 16, "readout": {"activation": "tanh", "size": 8}}},
            "model.decoder.readout.size must be 24, the embedding size, or null for Marian, but is 8",
        ),
        ({"attention": "sparsemax"}, "model.attention.type must be soft for Marian, but is sparsemax"),
        ({"attention": {"score": "general"}}, "model.attention.score must be additive for Marian, but is general"),
        ({"attention": {"score": {"type": "additive", "size": 33}}}, "model.attention.score.size must be at most 32"),
        ({"attention": {"coverage": "neural"}}, "model.attention.coverage must be null for Marian, but is set"),
        ({"lexical": True}, "model.lexical must be false for Marian, but is true"),
        ({"gru_biases": "two"}, "model.gru_biases must be one (train or fine-tune with it) for Marian, but is two"),
    ],
)
def test_what_marian_has_not_is_named(changes: dict[str, Any], message: str) -> None:
    model = config.from_mapping(Seq2SeqConfig, FITS | changes, name="model")
    found = [str(each) for each in misfits(model, SearchConfig())]
    assert any(message in each for each in found), found
    assert not list(misfits(config.from_mapping(Seq2SeqConfig, FITS, name="model"), SearchConfig()))


def test_everything_that_does_not_fit_is_told_together(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    with pytest.raises(ConfigError) as raised:
        export_to_marian(run, tmp_path / "model.npz")
    assert "Marian has no such model: 3 problems" in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_what_marian_does_otherwise_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = make_run(tmp_path / "run", model=FITS, lowercase=True, search=SearchConfig(length_penalty=1.0))
    export_to_marian(run, tmp_path / "model.npz")
    said = "\n".join(record.getMessage() for record in caplog.records)
    for name in ("normalisation.lowercase", "length_penalty", PLACEHOLDER):
        assert name in said
    assert "nfkc" not in said and "ignores" not in said
    settings = yaml.safe_load((tmp_path / "model.npz.decoder.yml").read_text())
    assert settings["normalize"] == 0.8 and settings["beam-size"] == 5
    for pieces in range(1, 50):  # a translation at our limit is within Marian's, which counts eos on both sides
        assert settings["max-length-factor"] * (pieces + 1) >= 2 * pieces + 10


def test_folded_characters_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = make_run(tmp_path / "run", model=FITS)
    recipe = yaml.safe_load(RunFolder(run).recipe.read_text())
    recipe["data"]["normalisation"] |= {"unicode": "nfkc", "quotes": "straight", "accents": "strip"}
    RunFolder(run).recipe.write_text(yaml.safe_dump(recipe))
    export_to_marian(run, tmp_path / "model.npz")
    assert "give it text in NFKC" in caplog.text and "does not straighten quotes" in caplog.text
    assert "does not strip accents" in caplog.text


OTHERWISE: dict[str, Any] = {
    "beam_size": 3,
    "length_penalty": 0.5,
    "max_length_ratio": 1.5,
    "max_length_offset": 3,
    "n_best": 2,
    "patience": 2.0,
    "min_length": 1,
    "min_length_ratio": 0.5,
    "coverage_penalty": 0.2,
    "no_repeat_ngram": 3,
    "repetition_penalty": 1.2,
    "mbr": "chrf",
}
OF_SAMPLING = {"temperature", "top_k", "top_p", "seed", "strategy", "mbr_samples"}


def test_every_option_of_search_is_set_or_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The settings for Marian change, or a warning names the option: nothing is lost silently, a new option neither."""
    assert OTHERWISE.keys() | OF_SAMPLING == {each.name for each in fields(SearchConfig)}
    written = {}
    for name, values in {"none": {}, **{name: {name: value} for name, value in OTHERWISE.items()}}.items():
        caplog.clear()
        run = make_run(tmp_path / f"run-{name}", model=FITS, search=SearchConfig(**values))
        export_to_marian(run, tmp_path / f"{name}.npz")
        settings = yaml.safe_load((tmp_path / f"{name}.npz.decoder.yml").read_text())
        written[name] = {key: value for key, value in settings.items() if key not in ("models", "vocabs")}
        told = f"has nothing like search.{name}," in caplog.text
        assert (told != (written[name] != written["none"])) == (name != "none"), name


def test_only_a_model_of_marian_is_replaced(tmp_path: Path) -> None:
    run, model = make_marian_run(tmp_path / "run"), tmp_path / "model.npz"
    export_to_marian(run, model)
    before = model.read_bytes()
    export_to_marian(run, model)
    assert model.read_bytes() == before
    numpy.savez(model, x=numpy.zeros(1))
    with pytest.raises(ConfigError, match="exists and is not a model of Marian"):
        export_to_marian(run, model)
    with pytest.raises(ConfigError, match=r"must end in \.npz"):
        export_to_marian(run, tmp_path / "model.bin")
    with pytest.raises(ConfigError, match="nowhere"):
        export_to_marian(run, tmp_path / "nowhere" / "model.npz")


def test_sampling_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", model=FITS, search=SearchConfig(strategy="sampling"))
    with pytest.raises(ConfigError, match=r"search\.strategy must be beam or greedy for Marian, but is sampling"):
        export_to_marian(run, tmp_path / "model.npz")
    assert json.loads(RunFolder(run).best.read_text())["checkpoint"]
