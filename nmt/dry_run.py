"""A dry run: what a training needs, and whether its largest batch fits, without training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nmt.assembly import Corpora, build_loader, build_training_module
from nmt.core.logging import waiting
from nmt.core.machine.device import autocast, resolve_device, resolve_precision
from nmt.data.batch import Batch
from nmt.data.loader import Loader
from nmt.data.streaming import StreamLoader
from nmt.recipe import Recipe
from nmt.text.vocabularies import Vocabularies
from nmt.training.objective.training_module import TrainingModule
from nmt.training.optimisation.length import total_updates
from nmt.training.training_config import TrainingConfig


def describe(recipe: Recipe, corpora: Corpora) -> str:
    """Run the largest batch once, forward and backward, and describe what a run needs.

    Returns:
        Several lines: sizes, parameters of each part, the largest batch and its memory, the loss before training.
    """
    device = resolve_device(recipe.training.device, path="training.device")
    module = build_training_module(recipe, corpora, device).train()
    with waiting("planning the batches"):
        loader = build_loader(recipe, corpora)
    planned, what = (loader, "epoch") if isinstance(loader, Loader) else (loader.first_window(), "window")
    batch = _largest_batch(planned).to(device)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    lines = [
        f"pairs: {len(planned.corpus)} in {planned.epoch_batches(0)} batches in the first {what}; "
        f"{_updates(recipe.training, loader)}",
        f"vocabulary: {_vocabulary(corpora.vocabularies)}",
        f"parameters: {parameters:,}",
    ]
    lines += _parts(module)
    with waiting("trying the largest batch"):
        with _saved_bytes() as saved, autocast(device, recipe.training.precision):
            loss = module(batch, corpora.vocabularies.target.bos_id, 0)
        torch.autograd.backward(loss.loss / loss.tokens)
    # Weights, gradients and the optimiser's two moments (one for SGD with momentum, none for plain SGD), in float32.
    fixed = 4 * parameters * (4 if recipe.training.optimiser.type != "sgd" else 3)
    rows, source_size = batch.source.rows, batch.source.width
    lines += [
        f"largest batch: {rows} sentences, source {source_size}, target {batch.target.ids.shape[1]} pieces; "
        f"{saved.total / 2**20:.0f} MiB of activations, {fixed / 2**20:.0f} MiB of weights, gradients and moments",
        f"device: {device}, precision: {resolve_precision(recipe.training.precision, device)}",
        f"loss before training: {loss.nll.item() / loss.tokens:.3f} nats per token "
        f"(guessing among all pieces gives {math.log(corpora.vocabularies.target.size):.3f})",
    ]
    if loss.terms:
        terms = ", ".join(f"{name} {value.item() / loss.tokens:.3f}" for name, value in loss.terms.items())
        lines.append(f"  with terms: {loss.loss.item() / loss.tokens:.3f} ({terms}, before their weights)")
    return "\n".join(lines)


def _updates(config: TrainingConfig, loader: Loader | StreamLoader) -> str:
    limit = total_updates(config, loader)
    time = None if config.max_minutes is None else f"as many updates as {config.max_minutes:g} minutes allow"
    if limit is None:
        return time or ""
    return f"{limit:,} updates" if time is None else f"{time}, at most {limit:,}"


def _parts(module: TrainingModule) -> Iterator[str]:
    """List the parameters of each part. Shared ones count for the first part that has them, so the list adds up."""
    seen = set[nn.Parameter]()
    for name, part in module.parts.named_children():
        parameters = set(part.parameters())
        own, shared = (sum(each.numel() for each in some) for some in (parameters - seen, parameters & seen))
        seen |= parameters
        if parameters:
            yield f"  {name}: {own:,}" + (f", and {shared:,} tied to a part above" if shared else "")


def _largest_batch(loader: Loader) -> Batch:
    source, target = loader.corpus.source_lengths, loader.corpus.target_lengths
    plan = loader.plan(0)
    # The energies of additive attention grow with rows x source x target, and run out of memory first.
    sizes = [len(rows) * int(source[rows].max()) * int(target[rows].max()) for rows in plan]
    return loader.assemble(plan[sizes.index(max(sizes))])


@dataclass(slots=True)
class _Saved:
    total: int = 0


@contextmanager
def _saved_bytes() -> Iterator[_Saved]:
    """Count the bytes that autograd saves for the backward pass, each storage once."""
    saved = _Saved()
    seen: set[int] = set()

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in seen and not isinstance(tensor, torch.nn.Parameter):
            seen.add(storage.data_ptr())
            saved.total += storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield saved


def _vocabulary(vocabularies: Vocabularies) -> str:
    """The sizes of both vocabularies, or of the only one."""
    if not vocabularies.has_source:
        return f"target {vocabularies.target.size}"
    sizes = f"source {vocabularies.source.size}, target {vocabularies.target.size}"
    return f"{sizes} (joint)" if vocabularies.joint else sizes
