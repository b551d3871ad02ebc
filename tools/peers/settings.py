"""The same experiment as configured for each toolkit: data, vocabulary, model shape and batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from nmt.core.seeding import derive_seed

EMBEDDING, ENCODER, DECODER = 256, 256, 512
DROPOUT = 0.2
LEARNING_RATE = 1e-3
CLIP = 1.0
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
SEED = 1
# As Marian's narrowing beam, one of much patience does not end while the best hypothesis is still live.
PATIENCE = 10.0


@dataclass(frozen=True)
class Experiment:
    """The settings that all toolkits share.

    Args:
        folder: gets ``train``, ``blocks`` (the same in blocks of equal length) and ``test``, each with ``.source`` and
            ``.target`` in pieces, ``vocabulary``, and all output.
        data: folder of the raw text.
        files: names of the raw files without their suffix: training and test.
        languages: suffixes of source and target.
        subword: the SentencePiece model.
        batch: target tokens, or source tokens if those are more, including padding.
        shortest: fewest pieces of a translation.
        longest: most pieces of a translation.
        sentences: sentences per batch in translation.
        threads: of every toolkit.
    """

    folder: Path
    data: Path
    files: tuple[str, str]
    languages: tuple[str, str]
    subword: Path
    batch: int
    shortest: int = 0
    longest: int = 100
    sentences: int = 64
    threads: int = 1

    def nmt(self, precision: str) -> dict[str, Any]:
        """The recipe of this toolkit."""
        source, target = self.languages
        train = {"source": f"{self.files[0]}.{source}", "target": f"{self.files[0]}.{target}"}
        return {
            "name": "bench-peers",
            "seed": SEED,
            "data": {
                "root": str(self.data),
                "cache": str(self.folder / "cache"),
                "train": [train],
                "subword": {"source_model": str(self.subword)},
                "batch": {"size": self.batch, "max_source_tokens": self.batch},
            },
            "model": {
                "embedding": {"size": EMBEDDING, "tied": "none"},
                "encoder": {"type": "rnn", "cell": "gru", "size": ENCODER, "layers": 1},
                # The input of the output layer has the decoder's size in all toolkits.
                "decoder": {
                    "type": "bahdanau",
                    "cell": "gru",
                    "size": DECODER,
                    "layers": 1,
                    "readout": {"activation": "tanh", "size": DECODER},
                },
                "attention": {"type": "soft", "score": "additive"},
                "dropout": {"embedding": DROPOUT, "readout": DROPOUT},
            },
            "training": {
                "max_steps": 10**6,
                "log_interval": 10**6,
                "optimiser": {"type": "adam", "learning_rate": LEARNING_RATE},
                "clip_norm": CLIP,
                "device": "cpu",
                "threads": self.threads,
                "precision": precision,
            },
        }

    def for_marian(self) -> dict[str, Any]:
        """The recipe of a model that Marian has too, which has one size for all its layers, and search as Marian's."""
        recipe = self.nmt("fp32")
        recipe["model"] |= {
            "encoder": {"type": "rnn", "cell": "gru", "size": DECODER, "layers": 1},
            "bridge": "mean",
            "decoder": {"type": "conditional", "cell": "gru", "size": DECODER, "readout": {"activation": "tanh"}},
            "gru_biases": "one",
        }
        recipe["search"] = {"strategy": "beam", "length_penalty": 0.0, "patience": PATIENCE}
        return recipe

    def joeynmt(self, *, blocks: bool) -> dict[str, Any]:
        """The configuration of JoeyNMT, as it is shipped or with the training file in blocks of equal length."""
        name = "blocks" if blocks else "train"
        sides = {
            short: {"lang": side, "level": "word", "lowercase": False, "voc_file": str(self.folder / "joey.vocabulary")}
            for short, side in (("src", "source"), ("trg", "target"))
        }
        layers = {"rnn_type": "gru", "num_layers": 1, "dropout": DROPOUT}
        embeddings = {"embedding_dim": EMBEDDING, "dropout": DROPOUT}
        encoder = {
            "type": "recurrent",
            **layers,
            "hidden_size": ENCODER,
            "bidirectional": True,
            "embeddings": embeddings,
        }
        decoder = {"type": "recurrent", **layers, "hidden_size": DECODER, "embeddings": embeddings}
        decoder |= {"attention": "bahdanau", "input_feeding": True, "init_hidden": "bridge", "hidden_dropout": DROPOUT}
        return {
            "name": "bench-peers",
            "model_dir": str(self.folder / f"joeynmt-{name}"),
            "outputs": str(self.folder),
            "use_cuda": False,
            "random_seed": SEED,
            "data": {
                **{
                    part: str(self.folder / file) for part, file in (("train", name), ("dev", "test"), ("test", "test"))
                },
                "dataset_type": "plain",
                **sides,
                "special_symbols": {"unk_id": 0, "pad_id": 1, "bos_id": 2, "eos_id": 3},
            },
            "training": {
                "optimizer": "adam",
                "learning_rate": LEARNING_RATE,
                "clip_grad_norm": CLIP,
                "normalization": "tokens",
                "batch_type": "token",
                "batch_size": self.batch,
                "shuffle": not blocks,
                "scheduling": "plateau",
                "epochs": 10**4,
                "validation_freq": 10**6,
                "logging_freq": 10**6,
                "overwrite": True,
            },
            "testing": {
                "batch_type": "sentence",
                "batch_size": self.sentences,
                "beam_size": 5,
                "beam_alpha": 1.0,
                "min_output_length": self.shortest,
                "max_output_length": self.longest,
            },
            "model": {
                "initializer": "xavier_uniform",
                # As in its own recipe of a recurrent model; without it they start six times smaller.
                "embed_initializer": "normal",
                "embed_init_weight": 0.1,
                "tied_embeddings": False,
                "tied_softmax": False,
                "encoder": encoder,
                "decoder": decoder,
            },
        }

    def opennmt_train(self) -> dict[str, Any]:
        """The options of OpenNMT-py for training; buckets are an eighth of the default, so that it starts sooner."""
        return {
            "data": {
                "corpus": {"path_src": str(self.folder / "train.source"), "path_tgt": str(self.folder / "train.target")}
            },
            "save_data": str(self.folder / "opennmt"),
            "src_vocab": str(self.folder / "opennmt.vocabulary"),
            "tgt_vocab": str(self.folder / "opennmt.vocabulary"),
            "share_vocab": True,
            "src_vocab_size": 10**6,
            "tgt_vocab_size": 10**6,
            "save_model": str(self.folder / "opennmt-model" / "model"),
            "encoder_type": "brnn",
            "decoder_type": "rnn",
            "rnn_type": "GRU",
            "enc_layers": 1,
            "dec_layers": 1,
            "hidden_size": DECODER,
            "word_vec_size": EMBEDDING,
            "global_attention": "mlp",
            "input_feed": 1,
            "dropout": [DROPOUT],
            "optim": "adam",
            "learning_rate": LEARNING_RATE,
            "max_grad_norm": CLIP,
            "batch_type": "tokens",
            "batch_size": self.batch,
            "batch_size_multiple": 1,
            "bucket_size": 32768,
            "normalization": "tokens",
            "num_workers": 0,
            "train_steps": 10**6,
            "save_checkpoint_steps": 10**6,
            "report_every": 10**6,
            "seed": SEED,
        }

    def opennmt_translate(self) -> dict[str, Any]:
        """The options of OpenNMT-py for translation."""
        newest = max((self.folder / "opennmt-model").glob("*.pt"), key=lambda path: path.stat().st_mtime)
        return {
            "model": [str(newest)],
            "src": str(self.folder / "test.source"),
            "output": str(self.folder / "opennmt"),
            "batch_type": "sents",
            "batch_size": self.sentences,
            "length_penalty": "avg",
            "min_length": self.shortest,
            "max_length": self.longest,
            "gpu": -1,
        }


def length_blocks(
    source_lengths: NDArray[Any], target_lengths: NDArray[Any], size: int, *, seed: int
) -> NDArray[numpy.int64]:
    """An order in which consecutive batches have sentences of equal length, for a loader that does not sort.

    Blocks are cut as JoeyNMT cuts batches: a batch ends when its rows times its longest side (including the end of
    sentence) reach the size. So its batches are these blocks, in random order; the remainder comes last.

    Args:
        source_lengths: (N,) in pieces, including eos.
        target_lengths: (N,) in pieces, including eos.
        size: of a batch in tokens.
        seed: of the order.

    Returns:
        (N,) indices.
    """
    longest = numpy.maximum(source_lengths, target_lengths).astype(numpy.int64)
    order = numpy.lexsort((source_lengths, target_lengths, longest))
    blocks: list[NDArray[numpy.int64]] = []
    begin = 0
    for end in range(1, len(order) + 1):
        if longest[order[begin:end]].max() * (end - begin) >= size:
            blocks.append(order[begin:end])
            begin = end
    shuffled: Sequence[int] = numpy.random.default_rng(derive_seed(seed, "blocks")).permutation(len(blocks)).tolist()
    return numpy.concatenate([*(blocks[i] for i in shuffled), order[begin:]])
