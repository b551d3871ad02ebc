"""The whole model: embeddings, encoder, bridge, decoder with attention, output layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, cast

import torch
from torch import Tensor, nn

from nmt.core.config.ranges import PositiveInt
from nmt.core.errors import wrong_result
from nmt.data.batch import Dense, Source, Tokens
from nmt.model.attention.base import AttentionConfig, Prepared
from nmt.model.attention.soft import SoftConfig
from nmt.model.bridge import Bridge, conflict
from nmt.model.decoder.bahdanau import BahdanauConfig
from nmt.model.decoder.base import DecoderConfig
from nmt.model.decoder.output import DecoderOutput, DecoderState
from nmt.model.dropout import Dropout, DropoutConfig
from nmt.model.encoder.base import EncoderConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.encoder.words import Words
from nmt.model.initialisation import InitialisationConfig, SkipInitialisation, initialise
from nmt.model.memory import BridgeKind, SourceMemory
from nmt.model.readout.output_layer import TokenLoss
from nmt.model.single_bias import hold_second_biases, second_biases


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingConfig:
    """Embeddings of both sides.

    Args:
        size: size E of an embedding.
        tied: ``none``; ``target``: the target embedding is the output layer's weight; ``all``: the source embedding
            too, which needs a joint vocabulary.
    """

    size: PositiveInt = 256
    tied: Literal["none", "target", "all"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seq2SeqConfig:
    """The ``model`` section of a recipe.

    Args:
        embedding: embeddings of both sides.
        encoder: the encoder.
        words: encoder of the text that follows the path of a file (``data.source.question``); its annotations join
            those of ``encoder`` in one memory.
        bridge: how the decoder's initial state depends on the source; ``auto`` is the encoder's default,
            ``first-backward`` for ``rnn``.
        decoder: the decoder, which sets the order of attention and recurrence.
        attention: the attention: alignment function and score.
        lexical: whether the readout reads the source words that attention looks at too (Nguyen and Chiang, 2018).
        gru_biases: ``two`` in the candidate of every GRU, as cuDNN has them, or ``one``, as Nematus and Marian.
        dropout: dropout rates.
        initialisation: how parameters are initialised.
    """

    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    encoder: EncoderConfig = field(default_factory=RnnEncoderConfig)
    words: EncoderConfig | None = None
    bridge: Literal[BridgeKind, "auto"] = "auto"
    decoder: DecoderConfig = field(default_factory=BahdanauConfig)
    attention: AttentionConfig = field(default_factory=SoftConfig)
    lexical: bool = False
    gru_biases: Literal["two", "one"] = "two"
    dropout: DropoutConfig = field(default_factory=DropoutConfig)
    initialisation: InitialisationConfig = field(default_factory=InitialisationConfig)

    def __post_init__(self) -> None:
        """Resolve ``auto``, so that a stored recipe names its bridge."""
        if self.bridge == "auto":
            object.__setattr__(self, "bridge", (self.words or self.encoder).default_bridge)

    @property
    def ordered(self) -> bool:
        """Whether the positions of the memory are ordered."""
        return self.encoder.ordered and self.words is None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Parts that are incompatible."""
        if self.initialisation.scheme == "paper" and self.decoder.paper_scheme is None:
            name = self.decoder.registry.called(type(self.decoder))
            yield "initialisation.scheme", f"must not be paper with the {name} decoder, which names none; choose xavier"
        if self.lexical and (self.attention.row_sum == "no weights" or self.attention.latent):
            name = self.attention.registry.called(type(self.attention))
            why = "whose readout reads each position by itself" if self.attention.latent else "which has no weights"
            yield "lexical", f"must be false with attention {name}, {why}; or choose soft"
        grid = self.encoder.gives_grid and self.words is None
        conflicts = [
            *self.decoder.conflicts(self.attention),
            *self.attention.conflicts(ordered=self.ordered, grid=grid),
        ]
        if conflicts:
            yield from ((f"attention.{place}", message) for place, message in conflicts)
            return
        with torch.device("meta"), SkipInitialisation():
            encoder = self.encoder.build(self.embedding.size, self.dropout)
            words = self.words and Words(self.words, self.embedding.size, encoder.memory_size, self.dropout)
            unread = conflict(cast("BridgeKind", self.bridge), words or encoder)
            if unread:
                yield "bridge", unread
            problem = self.attention.check(self.decoder.size, encoder.memory_size)
            if problem:
                yield "attention", problem
                return
            decoder = self.decoder.build(self.embedding.size, encoder.memory_size, self.attention, self.dropout)
        if self.embedding.tied != "none" and decoder.feature_size != self.embedding.size:
            yield (
                "embedding.tied",
                f"must be none where the readout's features have {decoder.feature_size} units and embeddings "
                f"{self.embedding.size}; leave the readout's size out to make them equal",
            )

    def idle(self) -> Iterator[tuple[str, str]]:
        """Options without effect."""
        between = self.encoder.drops_layers or self.decoder.drops_layers
        if not between:
            yield "dropout.layers", "has no effect: encoder and decoder have one layer each"
        if self.gru_biases == "one":
            with torch.device("meta"), SkipInitialisation():
                model = Seq2Seq(self, 1, 1)
            if not any(True for _ in second_biases(model)):
                yield "gru_biases", "has no effect: no cell of encoder and decoder is gru"
        rates = self.dropout
        if not any((rates.embedding, rates.annotation, rates.layers and between, rates.readout)):
            yield (
                "dropout.variational",
                "has no effect: there is no dropout of sequences (word has a mask per position)",
            )

    def build(self, source_vocabulary: int | None, target_vocabulary: int, feature_size: int = 0) -> Seq2Seq:
        """Build and initialise the model; initial weights depend on the global random state."""
        model = Seq2Seq(self, source_vocabulary, target_vocabulary, feature_size)
        initialise(model, self.initialisation, self.decoder.paper_scheme)
        if self.gru_biases == "one":
            hold_second_biases(model)
        return model


class Seq2Seq(nn.Module):
    """An attentional encoder-decoder.

    Args:
        config: its architecture.
        source_vocabulary: number of source pieces; ``None`` if sources are features.
        target_vocabulary: number of target pieces.
        feature_size: last dimension of the features.
    """

    def __init__(
        self,
        config: Seq2SeqConfig,
        source_vocabulary: int | None,
        target_vocabulary: int,
        feature_size: int = 0,
    ) -> None:
        super().__init__()
        size, dropout, tied = config.embedding.size, config.dropout, config.embedding.tied
        self.source_embedding = None if source_vocabulary is None else nn.Embedding(source_vocabulary, size)
        if tied == "all" and self.source_embedding is not None:
            if source_vocabulary != target_vocabulary:
                raise ValueError("embeddings of both sides can be tied only with a joint vocabulary")
            self.target_embedding = self.source_embedding
        else:
            self.target_embedding = nn.Embedding(target_vocabulary, size)
        self.memory_shape = config.encoder.memory_shape
        self.encoder = config.encoder.build(feature_size or size, dropout)
        self.words = None if config.words is None else Words(config.words, size, self.encoder.memory_size, dropout)
        self.decoder = config.decoder.build(size, self.encoder.memory_size, config.attention, dropout)
        self.bridge = Bridge(
            cast("BridgeKind", config.bridge),
            self.words or self.encoder,
            cell=config.decoder.cell,
            size=config.decoder.size,
            layers=config.decoder.layers,
        )
        self.output = self.decoder.output_layer(
            target_vocabulary,
            tied=None if tied == "none" else cast("nn.Parameter", self.target_embedding.weight),
            dropout=Dropout(dropout.readout, variational=dropout.variational),
            lexical_size=size if config.lexical else 0,
        )
        self.lexical = config.lexical
        self.word_dropout = dropout.word
        self.embedding_dropout = Dropout(dropout.embedding, variational=dropout.variational)
        self.annotation_dropout = Dropout(dropout.annotation, variational=dropout.variational)

    @property
    def piece_rows(self) -> frozenset[str]:
        """Names of the parameters with one row per piece of a vocabulary."""
        source = () if self.source_embedding is None else (self.source_embedding.weight,)
        rows = (*source, self.target_embedding.weight, *self.output.piece_rows)
        return frozenset(name for name, each in self.named_parameters() if any(each is row for row in rows))

    @property
    def fast(self) -> bool:
        """Whether its parts may take fast paths (``nmt.model.fast``), which compute the same as the formulas."""
        return self.decoder.fast

    @fast.setter
    def fast(self, fast: bool) -> None:
        for part in (self.encoder, self.decoder, self.output, *(() if self.words is None else (self.words.encoder,))):
            part.fast = fast

    @property
    def source_words(self) -> nn.Embedding:
        """Embeddings of source pieces.

        Raises:
            ValueError: sources are features.
        """
        if self.source_embedding is None:
            raise ValueError("sources of this model are features, which have no pieces")
        return self.source_embedding

    def embed_source(self, ids: Tensor) -> Tensor:
        """Embed source ids (B, S): (B, S, E)."""
        return self._embed(self.source_words, ids)

    def embed_target(self, ids: Tensor) -> Tensor:
        """Embed target ids (B, T): (B, T, E)."""
        return self._embed(self.target_embedding, ids)

    def encode(self, source: Source, embedded: Tensor | None = None) -> SourceMemory:
        """Encode sources.

        Args:
            source: B rows.
            embedded: (B, S, E) embeddings to use instead of the tokens' own (saliency needs their gradient).

        Raises:
            ConfigError: the encoder returns something else.
        """
        words = None
        if isinstance(source, Dense):
            vectors, words = source.floats.to(self.target_embedding.weight.dtype), source.words
        else:
            vectors = self.embed_source(source.ids) if embedded is None else embedded
        memory: SourceMemory = self.encoder(vectors, source.lengths)
        if not isinstance(memory, SourceMemory):
            raise wrong_result(self.encoder.forward, "a SourceMemory", memory)
        shape = (*memory.mask.shape, self.encoder.memory_size)
        if memory.values.shape != shape or len(shape) != 3 or shape[0] != source.rows:
            wanted = (
                f"annotations (B, S, D) with {source.rows} rows, a mask (B, S) and D = {shape[-1]}, its memory_size"
            )
            raise wrong_result(self.encoder.forward, wanted, memory.values)
        # Decoders compute in the precision of the memory, which autocast lowers.
        memory = memory.to(vectors.dtype)
        if words is not None and self.words is not None:
            memory = self.words(self.embed_source(words.ids), words.lengths, memory)
        read = vectors if self.lexical and isinstance(source, Tokens) else None
        return replace(memory, values=self.annotation_dropout(memory.values), embedded=read)

    def start(self, memory: SourceMemory) -> tuple[Prepared, DecoderState]:
        """Prepare a memory, and return it with the decoder's initial state."""
        prepared, state = self.decoder.start(memory, self.bridge(memory))
        return prepared if memory.embedded is None else replace(prepared, embedded=memory.embedded), state

    def step(self, tokens: Tensor, prepared: Prepared, state: DecoderState) -> DecoderOutput:
        """Consume the previous target tokens (N,); B rows of memory serve N = B * K hypotheses."""
        output = self.decoder.step(self.embed_target(tokens.unsqueeze(1)).squeeze(1), prepared, state)
        return self.output.complete(output, prepared)

    def forward(self, source: Source, target: Tokens, bos_id: int) -> DecoderOutput:
        """Run sources and whole targets, teacher-forced.

        Args:
            source: B rows.
            target: B rows without bos, with eos.
            bos_id: first input of the decoder.

        Returns:
            Features (B, T, F), each for predicting the target at its own position, and weights.
        """
        return self.run(self.encode(source), target, bos_id)

    def run(self, memory: SourceMemory, target: Tokens, bos_id: int) -> DecoderOutput:
        """Run whole targets over a memory, teacher-forced; arguments and result as of ``forward``."""
        prepared, state = self.start(memory)
        inputs = torch.cat([target.ids.new_full((target.rows, 1), bos_id), target.ids[:, :-1]], dim=1)
        output = self.output.complete(self.decoder.unroll(self.embed_target(inputs), prepared, state), prepared)
        return replace(output, features=self.output.dropout(output.features), source=memory)

    def loss(self, output: DecoderOutput, target: Tokens, *, smoothing: float = 0.0) -> TokenLoss:
        """Label-smoothed cross-entropy, summed over the real target tokens; ``smoothing`` is the epsilon."""
        return self.output.loss(output, target, smoothing=smoothing)

    def log_probs(self, output: DecoderOutput) -> Tensor:
        """Log-probabilities (..., V) of every piece after a step or whole targets, as used in search."""
        return self.output.log_probs(output)

    def _embed(self, embedding: nn.Embedding, ids: Tensor) -> Tensor:
        vectors: Tensor = embedding(ids)
        if self.training and self.word_dropout:
            keep = torch.rand(ids.shape, device=ids.device) >= self.word_dropout
            vectors = vectors * (keep.unsqueeze(-1) / (1.0 - self.word_dropout)).to(vectors.dtype)
        dropped: Tensor = self.embedding_dropout(vectors)
        return dropped
