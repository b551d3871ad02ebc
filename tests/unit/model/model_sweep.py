"""Every registered attention, score and decoder, and every two of their options together, tiny and sharp.

A model as it is initialised says nothing: all its weights are nearly even, so that a test passes whatever is reordered
or left out. ``sharpened`` multiplies what it has by four and draws biases.
"""

from __future__ import annotations

import dataclasses
import functools
import heapq
import itertools
import random
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import pytest
import torch
from torch import Tensor

import nmt.model  # noqa: F401  (fills the registries)
from nmt.core.config.ranges import problems_of
from nmt.core.registry import Registry
from nmt.data.batch import Tokens
from nmt.model.attention.base import AttentionConfig
from nmt.model.bridge import conflict
from nmt.model.decoder.base import DecoderConfig
from nmt.model.dropout import DropoutConfig
from nmt.model.encoder.base import Encoder, EncoderConfig
from nmt.model.encoder.rnn import RnnEncoderConfig
from nmt.model.memory import BridgeKind
from nmt.model.seq2seq import EmbeddingConfig, Seq2Seq, Seq2SeqConfig

PAD, BOS, EOS = 0, 1, 2
VOCABULARY = 7
EMBEDDING_SIZE = 4
ENCODER_SIZE = 3
MEMORY_SIZE = 2 * ENCODER_SIZE
BRIDGES: tuple[BridgeKind, ...] = get_args(BridgeKind)


def variants(cls: type, *, nested: bool = True) -> Iterator[Any]:
    """Yield a config for every choice of its Literals, bools and families; numbers keep their defaults.

    What may be absent is absent first, and then every variant of it once, beside whatever it fits.

    Args:
        cls: a config class, or the base class of a family.
        nested: whether to vary configs inside the config too (families always are).
    """
    registry = vars(cls).get("registry")
    if isinstance(registry, Registry):
        for name in registry.names():
            yield from variants(registry.find(name), nested=nested)
        return
    hints = typing.get_type_hints(cls)
    names, choices = [], []
    for field in fields(cls):
        found = list(_choices(hints[field.name], nested))
        if found:
            names.append(field.name)
            choices.append(found)
    for chosen in itertools.product(*choices):
        config = cls(**dict(zip(names, chosen, strict=True)))
        added = [
            replace(config, **{field.name: variant})
            for field in fields(cls)
            for family in _families_within(hints[field.name])
            for variant in variants(family, nested=nested)
        ]
        yield from (one for one in (config, *added) if not list(problems_of(one)))


def _families_within(declared: Any) -> list[type]:
    """Give the families of an optional field."""
    members = get_args(declared) if get_origin(declared) in {Union, types.UnionType} else ()
    return [member for member in members if isinstance(vars(member).get("registry"), Registry)]


def _choices(declared: Any, nested: bool) -> Iterator[Any]:
    if get_origin(declared) is Literal:
        yield from get_args(declared)
    elif declared is bool:
        yield from (True, False)
    elif (
        isinstance(declared, type)
        and is_dataclass(declared)
        and (nested or isinstance(vars(declared).get("registry"), Registry))
    ):
        yield from variants(declared, nested=nested)


@dataclass(frozen=True)
class Combination:
    """One model to test."""

    name: str
    config: Seq2SeqConfig

    @property
    def attention(self) -> str:
        return AttentionConfig.registry.name_of(type(self.config.attention))


def choices(config: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield what a config and those within it chose of Literals, bools and families, by the names of their fields."""
    if hasattr(config, "registry"):
        yield name, config.registry.name_of(type(config))
    for field in fields(config):
        value, path = getattr(config, field.name), f"{name}.{field.name}"
        if is_dataclass(value):
            yield from choices(value, path)
        elif isinstance(value, bool):
            yield path, field.name if value else f"no_{field.name}"
        elif isinstance(value, str) or (field.name == "layers" or (field.name == "looks" and value > 1)):
            yield path, str(value)
        elif field.name == "transition" and value:
            yield path, "deep"


def describe(config: Any) -> str:
    """Name a config by what it chose."""
    return "-".join(choice for _, choice in choices(config))


# Numbers so small that they bind on sources of one to six pieces: a window of 10 would hide what a window does.
SMALL = {"window": 1, "max_length": 4, "heads": 2, "filters": 2, "width": 3}


def with_numbers(config: Any, **numbers: Any) -> Any:
    """Replace those of the fields that a config has."""
    return replace(config, **{name: value for name, value in numbers.items() if hasattr(config, name)})


def _small(config: Any) -> Any:
    parts = {name: getattr(config, name, None) for name in ("score", "coverage")}
    return with_numbers(config, **SMALL, **{name: _small(part) for name, part in parts.items() if is_dataclass(part)})


@functools.cache
def attentions() -> tuple[AttentionConfig, ...]:
    """Every attention with every score and whatever may be added to it, and by several looks where they are defined."""
    once = [_small(config) for config in variants(AttentionConfig)]
    often = [replace(one, looks=2) for one in once if hasattr(one, "looks")]
    return (*once, *(one for one in often if not list(problems_of(one))))


def fits(decoder: DecoderConfig, attention: AttentionConfig) -> bool:
    """Whether an attention is defined in a decoder."""
    return not [*decoder.conflicts(attention), *attention.conflicts(ordered=True, grid=True)]


def size_for(attention: AttentionConfig) -> int:
    """Sizes that all differ show what is mixed up; where two must be alike, they are."""
    return next(size for size in (5, MEMORY_SIZE) if attention.check(size, MEMORY_SIZE) is None)


def text_encoders() -> list[EncoderConfig]:
    """The encoders that annotate each piece of a text; those of pictures and sound have tests of their own."""
    return [one for one in variants(EncoderConfig) if one.dimensions == 1 and one.memory_shape((7,)) == (7,)]


def sized(encoder: EncoderConfig, layers: int) -> tuple[EncoderConfig, list[BridgeKind]]:
    """Give an encoder the size with which annotations have theirs, and the bridges that find what they read."""
    for size in (ENCODER_SIZE, MEMORY_SIZE):
        config = _small(with_numbers(encoder, size=size, layers=layers))
        if not list(problems_of(config)):
            built = config.build(EMBEDDING_SIZE, DropoutConfig())
            if built.memory_size == MEMORY_SIZE:
                return config, [kind for kind in BRIDGES if conflict(kind, built) is None]
    raise ValueError(f"{encoder} has no size for annotations of {MEMORY_SIZE}")


class AsGrid(RnnEncoderConfig):
    """An encoder of text whose memory is a grid of one column, so that glimpses are in the sweep."""

    gives_grid = True

    def build(self, input_size: int, dropout: DropoutConfig) -> Encoder:
        encoder = RnnEncoderConfig.build(self, input_size, dropout)
        encoder.register_forward_hook(lambda _, __, memory: replace(memory, grid=(memory.mask.shape[1], 1)))
        return encoder


Pair = tuple[DecoderConfig, AttentionConfig]
Parts = TypeVar("Parts", bound=tuple[Any, ...])
Choice = tuple[str, str]


def _covering(candidates: Iterable[Parts], begun: Iterable[Parts] = ()) -> Iterator[Parts]:
    """Yield few candidates that have every two choices that any has, but for those of ``begun``: the most first."""
    covered = set().union(*(_twos(*one) for one in begun))
    waiting = [(-len(twos), number, twos, one) for number, one in enumerate(candidates) if (twos := _twos(*one))]
    heapq.heapify(waiting)
    while waiting:
        _, number, twos, one = heapq.heappop(waiting)
        new = twos - covered
        if waiting and -len(new) > waiting[0][0]:
            heapq.heappush(waiting, (-len(new), number, new, one))
        elif new:
            covered |= new
            yield one


def _twos(decoder: DecoderConfig, *attention: AttentionConfig) -> frozenset[tuple[Choice, Choice]]:
    chosen = [*choices(decoder, "decoder"), *(each for one in attention for each in choices(one, "attention"))]
    return frozenset(itertools.combinations(chosen, 2))


def few_decoders(decoders: Iterable[DecoderConfig]) -> list[DecoderConfig]:
    """Choose few decoders in which every two of their choices meet."""
    return [one for (one,) in _covering((each,) for each in decoders)]


def idles(config: Any) -> bool:
    """Whether an option of a config has no effect beside the others."""
    usual = {field.name: field.default for field in fields(config)}
    return any(getattr(config, name) != usual[name] for name, _ in config.idle())


def deepened(config: Any) -> Any:
    """Give each step a further cell, where a config takes one."""
    deep = with_numbers(config, transition=1)
    return config if list(problems_of(deep)) else deep


def _pairs() -> Iterator[Pair]:
    """Yield decoders and attentions such that every two choices that fit each other meet in one of them.

    A choice is an alignment function, a score, an addition, an order of decoding, a cell, a gate, a depth, an option of
    the layers or of the readout. The models that people train come first: soft attention by every score in every order,
    for the rest as plain as can be.
    """
    usual = AttentionConfig.registry.find(AttentionConfig.registry.default)()
    layered = (replace(decoder, layers=layers) for layers in (1, 2) for decoder in variants(DecoderConfig))
    every = [one for one in layered if not idles(one)]
    # Whether an attention fits depends on the order of decoding alone, so few decoders suffice beside all of them.
    decoders = few_decoders(each for one in every for each in dict.fromkeys((one, deepened(one))))
    plain: dict[Any, DecoderConfig] = {}
    for one in every:
        if not one.residual:
            plain.setdefault((type(one), *(getattr(one, each.name) is True for each in fields(one))), one)
    by_score = [one for one in attentions() if one == replace(usual, score=getattr(one, "score", usual.score))]
    begun = [pair for pair in itertools.product(plain.values(), by_score) if fits(*pair)]
    yield from begun
    yield from _covering([pair for pair in itertools.product(decoders, attentions()) if fits(*pair)], begun)


@functools.cache
def combinations() -> tuple[Combination, ...]:
    """Every two choices together in some model; bridge and encoder by its name."""
    encoders = [*text_encoders(), AsGrid()]
    found = []
    for order, attention in _pairs():
        decoder = replace(order, size=size_for(attention))
        name = f"{describe(decoder)}-{describe(attention)}"
        drawn = random.Random(name)
        fitting = [one for one in encoders if not [*attention.conflicts(ordered=one.ordered, grid=one.gives_grid)]]
        kind = drawn.choice(list(dict.fromkeys(map(type, fitting))))  # of which some have many variants
        encoder, bridges = sized(drawn.choice([one for one in fitting if type(one) is kind]), drawn.choice((1, 2)))
        encoder = drawn.choice((encoder, deepened(encoder)))
        config = Seq2SeqConfig(
            embedding=EmbeddingConfig(size=EMBEDDING_SIZE),
            encoder=encoder,
            bridge=drawn.choice(bridges),
            decoder=decoder,
            attention=attention,
        )
        lexical = replace(config, lexical=True)
        if drawn.random() < 0.5 and not list(lexical.problems()):
            name, config = f"{name}-lexical", lexical
        found.append(Combination(name, config))
    return tuple(found)


every_combination = pytest.mark.parametrize("combination", combinations(), ids=lambda one: one.name)


def sharpened(model: Seq2Seq, factor: float = 4.0) -> Seq2Seq:
    """Multiply every matrix, and draw every vector anew around what it is.

    The two that only carry values of several heads stay: with them contexts would be sixteen times those of one head,
    and every tanh above them saturated.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".attention." in name and name.endswith((".W_v.weight", ".W_o.weight")):
                continue
            if parameter.dim() > 1:
                parameter.mul_(factor)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.5)
    return model


@functools.cache
def sharp_model(config: Seq2SeqConfig, vocabulary: int = VOCABULARY, factor: float = 4.0, seed: int = 3) -> Seq2Seq:
    """Build a sharpened float64 model in evaluation mode; shared between tests, which must not change it."""
    torch.manual_seed(seed)
    model = sharpened(config.build(vocabulary, vocabulary).double(), factor).eval()
    # Let eos be the best more often than not, so that hypotheses end, but not all at once.
    sources, targets = ragged(SOURCES), ragged(TARGETS)
    with torch.no_grad():
        features = model(
            Tokens(sources.ids.clamp(max=vocabulary - 1), sources.lengths),
            Tokens(targets.ids.clamp(max=vocabulary - 1), targets.lengths),
            BOS,
        ).features
        logits = model.output(features).flatten(0, 1)
        # A little more than the quantile: where saturated features repeat, eos would tie with the best word.
        model.output.bias[EOS] += (logits[:, EOS + 1 :].amax(1) - logits[:, EOS]).quantile(0.7) + 0.01
    return model


def ragged(rows: Sequence[Sequence[int]], seed: int = 0) -> Tokens:
    """Pad rows with what is not padding at all: whoever looks at it gives himself away."""
    tokens = Tokens.pad(rows, PAD)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(3, VOCABULARY, tokens.ids.shape, generator=generator)
    real = torch.arange(tokens.ids.shape[1]) < tokens.lengths.unsqueeze(1)
    return Tokens(torch.where(real, tokens.ids, noise), tokens.lengths)


SOURCES = ([3, 5, EOS], [4, 6, 3, 5, 4, EOS], [6, EOS], [5, 3, 3, 6, EOS])
TARGETS = ([5, 3, 6, 4, EOS], [3, EOS], [4, 4, 6, EOS], [6, 5, 3, 3, 4, 5, EOS])


def mapped(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Change every tensor of a tree of dataclasses and tuples."""
    if isinstance(tree, Tensor):
        return change(tree)
    if is_dataclass(tree) and not isinstance(tree, type):
        return replace(tree, **{field.name: mapped(getattr(tree, field.name), change) for field in fields(tree)})
    if isinstance(tree, tuple):
        return tuple(mapped(item, change) for item in tree)
    return tree


def copied(tree: Any) -> Any:
    """Copy a tree of dataclasses, tuples and tensors."""
    return mapped(tree, Tensor.clone)


def tensors(tree: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor of a tree by its path."""
    if isinstance(tree, Tensor):
        yield path, tree
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for field in fields(tree):
            yield from tensors(getattr(tree, field.name), f"{path}.{field.name}")
    elif isinstance(tree, tuple | list):
        for index, item in enumerate(tree):
            yield from tensors(item, f"{path}[{index}]")


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-9) -> None:
    """Assert equality within an absolute and relative tolerance."""
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)
