"""JoeyNMT's small Transformer and recurrent model for a few thousand pairs, for `tools/compare_little_data.py`.

Where they start from are `transformer_small` and `rnn_small` of JoeyNMT 2.3.0, which are made for a toy corpus, and the
IWSLT recipes; what differs was chosen on validation text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

TRANSFORMER, RECURRENT = "joeynmt-transformer", "joeynmt-rnn"
SEED = 1
BEAM = 5
PIECES = 2_000


def configuration(
    system: str,
    *,
    train: Path,
    validation: Path,
    languages: tuple[str, str],
    subword: Path,
    vocabulary: Path,
    run: Path,
) -> dict[str, Any]:
    """The configuration of JoeyNMT.

    Args:
        system: ``TRANSFORMER`` or ``RECURRENT``.
        train: files of pairs, without the language at the end.
        validation: likewise.
        languages: of source and target.
        subword: the SentencePiece model, of both sides.
        vocabulary: its pieces, one a line, as JoeyNMT numbers them.
        run: folder of the training.
    """
    sides = {
        side: {
            "lang": language,
            "level": "bpe",
            "max_length": 100,
            "voc_file": str(vocabulary),
            "tokenizer_type": "sentencepiece",
            "tokenizer_cfg": {"model_file": str(subword)},
        }
        for side, language in zip(("src", "trg"), languages, strict=True)
    }
    training, model = _OWN[system]
    return {
        "name": system,
        "model_dir": str(run),
        "use_cuda": False,
        "random_seed": SEED,
        "data": {"train": str(train), "dev": str(validation), "dataset_type": "plain", **sides},
        "training": {**_TRAINING, **training},
        "testing": {
            "batch_type": "sentence",
            "batch_size": 64,
            "beam_size": BEAM,
            "beam_alpha": 1.0,
            "max_output_length": -1,  # one and a half times the source
            "eval_metrics": ["bleu"],
            "load_model": str(run / "best.ckpt"),
        },
        "model": {
            "initializer": "xavier_uniform",
            "bias_initializer": "zeros",
            "tied_embeddings": True,
            **model,
        },
    }


_TRAINING: Mapping[str, Any] = {
    "optimizer": "adamw",
    "normalization": "tokens",
    "label_smoothing": 0.1,
    "batch_type": "token",
    "batch_size": 512,
    "clip_grad_norm": 1.0,
    "early_stopping_metric": "bleu",
    "epochs": 10_000,  # the time ends it
    "logging_freq": 100,
    "keep_best_ckpts": 1,
}


def _transformer(size: int, layers: int, dropout: float) -> dict[str, Any]:
    def part() -> dict[str, Any]:
        return {
            "type": "transformer",
            "num_layers": layers,
            "num_heads": 4,
            "embeddings": {"embedding_dim": size, "scale": True, "dropout": 0.0},
            "hidden_size": size,
            "ff_size": 2 * size,
            "dropout": dropout,
            "layer_norm": "pre",
        }

    shared = {"tied_softmax": True, "embed_initializer": "xavier_uniform"}
    return {**shared, "encoder": part(), "decoder": part()}


def _recurrent(embedding: int, size: int, dropout: float) -> dict[str, Any]:
    def part(units: int, **more: Any) -> dict[str, Any]:
        return {
            "type": "recurrent",
            "rnn_type": "gru",
            "num_layers": 1,
            "embeddings": {"embedding_dim": embedding, "scale": False, "dropout": dropout},
            "hidden_size": units,
            "dropout": dropout,
            **more,
        }

    # Embeddings as in `rnn_small`; by the default they start six times smaller.
    shared = {"embed_initializer": "normal", "embed_init_weight": 0.1}
    attention = {"attention": "bahdanau", "input_feeding": True, "init_hidden": "bridge", "hidden_dropout": dropout}
    return {**shared, "encoder": part(size, bidirectional=True), "decoder": part(2 * size, **attention)}


_OWN: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    TRANSFORMER: (
        {
            "scheduling": "warmupinversesquareroot",
            "learning_rate": 0.002,
            "learning_rate_warmup": 400,
            "validation_freq": 600,
        },
        _transformer(64, 3, 0.1),
    ),
    RECURRENT: (
        {
            "scheduling": "plateau",
            "learning_rate": 0.002,
            "patience": 5,
            "decrease_factor": 0.5,
            "validation_freq": 200,
        },
        _recurrent(128, 128, 0.2),
    ),
}
