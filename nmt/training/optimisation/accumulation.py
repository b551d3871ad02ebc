"""Gradient of one update, summed over its batches and all processes; a batch that does not fit into memory is split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nmt.core.errors import is_out_of_memory
from nmt.core.logging import logger
from nmt.core.machine.distributed import several, sum_in_place, summed, world_size
from nmt.data.batch import Batch
from nmt.data.loader import Position
from nmt.training.checkpoints.checkpoint import random_tensors, restore_random
from nmt.training.objective.training_module import BatchLoss
from nmt.training.training_config import TrainingConfig


@dataclass(frozen=True, slots=True)
class Losses:
    """Sums over the batches of an update, in nats.

    Args:
        loss: the loss that is minimised.
        nll: negative log-likelihood.
        tokens: number of target tokens.
        terms: each unweighted term, by name.
    """

    loss: float
    nll: float
    tokens: int
    terms: dict[str, float]

    @classmethod
    def of(cls, batches: Sequence[BatchLoss], tokens: int) -> Losses:
        """Sum the losses of batches, synchronising with the device only once."""
        names = list(batches[0].terms)
        rows = torch.stack(
            [value.detach().float() for each in batches for value in (each.loss, each.nll, *each.terms.values())]
        )
        loss, nll, *terms = (sum(column) for column in zip(*rows.view(len(batches), -1).tolist(), strict=True))
        return cls(loss, nll, tokens, dict(zip(names, terms, strict=True)))


def grouped(
    batches: Iterable[tuple[Batch, Position]], config: TrainingConfig
) -> Iterator[tuple[list[Batch], Position]]:
    """Yield the batches of each update, with the position after them."""
    group: list[Batch] = []
    for batch, position in batches:
        group.append(batch)
        # The last update has the remaining batches, so every pair is seen the requested number of times.
        if len(group) == config.accumulation or position.epoch == config.max_epochs:
            yield group, position
            group = []


class Accumulation:
    """Accumulates gradients, normalised by the tokens of the whole update, however it is split into batches.

    Where several processes train, each has batches of its own, and nothing is exchanged until their gradient is
    complete. Then it is summed over all processes, so that each makes the same update.

    When memory runs out, the update is restarted with the failing batch halved (repeatedly, down to single sentences);
    the other batches get the same dropout as before. The first time is logged.

    Args:
        model: the model; buffers that change from batch to batch are restored when an update is restarted.
        loss: computes the loss of a batch.
        device: device of the model.
        terms: names of the terms in the loss.
    """

    def __init__(
        self, model: nn.Module, loss: Callable[[Batch], BatchLoss], *, device: torch.device, terms: Sequence[str] = ()
    ) -> None:
        self._model = model
        self._loss = loss
        self._terms = terms
        self._device = device
        self._reported = False

    def __call__(self, batches: Sequence[Batch]) -> Losses:
        """Compute the gradient of the mean loss per token into the parameters.

        Returns:
            Sums over all processes.

        Raises:
            RuntimeError: memory runs out on a single sentence, or another failure.
            LostProcessError: another process has ended.
        """
        if not several():
            return self._of_this_process(batches)
        before = [buffer.clone() for buffer in self._carrying()]
        # After a change of their number, the last examples of an epoch may be fewer than the processes.
        filled = [batch for batch in batches if batch.source.rows]
        return self._of_all(self._of_this_process(filled) if filled else Losses(0.0, 0.0, 0, {}), before)

    def _of_all(self, own: Losses, before: Sequence[Tensor]) -> Losses:
        """Replace gradients and losses of this process by those of all; buffers change by the mean of all changes.

        Args:
            own: losses of this process.
            before: the buffers before the update.
        """
        parameters = [each for each in self._model.parameters() if each.requires_grad]
        used = [float(each.grad is not None) for each in parameters]
        terms = [own.terms.get(name, 0.0) for name in self._terms]
        loss, nll, total, *rest = summed([own.loss, own.nll, own.tokens, *terms, *used])
        terms, users = rest[: len(terms)], rest[len(terms) :]
        gradients = []
        for parameter, count in zip(parameters, users, strict=True):
            if count:  # one that no process used stays without a gradient, as in a single process
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad.mul_(own.tokens / total))
        changes = [(now - then) / world_size() for now, then in zip(self._carrying(), before, strict=True)]
        sum_in_place([*gradients, *changes])
        for buffer, then, change in zip(self._carrying(), before, changes, strict=True):
            buffer.copy_(then + change)
        return Losses(loss, nll, round(total), dict(zip(self._terms, terms, strict=True)))

    def _carrying(self) -> list[Tensor]:
        """The buffers that may change from batch to batch, such as a moving baseline."""
        return [buffer for buffer in self._model.buffers() if buffer.is_floating_point()]

    def _of_this_process(self, batches: Sequence[Batch]) -> Losses:
        tokens = sum(batch.target_tokens for batch in batches)
        parts = list(batches)
        random = {name: tensor.clone() for name, tensor in random_tensors(self._device).items()}
        carried = [buffer.clone() for buffer in self._model.buffers()]
        while True:
            losses = self._attempt(parts, tokens)
            if losses is not None:
                return losses
            # Not in the except block, where the error still refers to the batch's memory.
            for parameter in self._model.parameters():
                parameter.grad = None
            for buffer, before in zip(self._model.buffers(), carried, strict=True):
                buffer.copy_(before)
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            elif self._device.type == "mps":
                torch.mps.empty_cache()
            restore_random(random, self._device, "memory")

    def _attempt(self, parts: list[Batch], tokens: int) -> Losses | None:
        """Compute the parts; if memory runs out, halve that part in the list and return ``None``."""
        losses = []
        for index, part in enumerate(parts):
            try:
                found = self._loss(part.to(self._device))
                torch.autograd.backward(found.loss / tokens)
                losses.append(found)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or part.source.rows < 2:
                    raise
                self._report(part, error)
                parts[index : index + 1] = part.halves()
                return None
        return Losses.of(losses, tokens)

    def _report(self, part: Batch, error: BaseException) -> None:
        if self._reported:
            return
        self._reported = True
        rows, source_size = part.source.rows, part.source.width
        logger.warning(
            "out of memory on a batch of %d sentences of up to %d source and %d target pieces (%s): it is computed "
            "in parts, as later ones will be without a message; a smaller data.batch.size with a larger "
            "training.accumulation is faster",
            rows,
            source_size,
            part.target.ids.shape[1],
            str(error).strip().split("\n")[0] or type(error).__name__,
        )
