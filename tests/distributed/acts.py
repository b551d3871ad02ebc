"""What the ranks of a test do; run by ``ranks.py`` in forked processes, which may change what they like."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import datasets  # noqa: F401 - imported once, for all processes
import matplotlib.backends.backend_agg  # noqa: F401
import my_parts  # noqa: F401 - parts that are not of this package are trained like ours
import torch
import torch._dynamo
import torch.distributed
from tiny_training import build, make_recipe
from torch import Tensor, nn

from nmt.assembly import build_trainer, prepare_corpora
from nmt.cli import train as command
from nmt.cli.run import run
from nmt.core import config
from nmt.core.errors import DataError
from nmt.core.logging import configure_logging
from nmt.core.machine import distributed
from nmt.core.machine.distributed import gathered, in_turns, joined, rank, world_size
from nmt.core.machine.launch import launch
from nmt.core.storage.run_folder import RunFolder
from nmt.data.batch import Batch, Tokens
from nmt.data.loader import Loader
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.model.weights import model_tensors, write_tensors
from nmt.training import trainer as trainers
from nmt.training.objective.base import ObjectiveConfig, TermConfig
from nmt.training.objective.training_module import TrainingModule
from nmt.training.optimisation.accumulation import Accumulation, grouped
from nmt.training.trainer import Trainer
from nmt.training.validation import Validator
from nmt.training.validation_result import scores_of

# ---------------------------------------------------------------- the command


def train(arguments: list[str], faults: list[list[Any]] = (), seen: str | None = None) -> int:  # type: ignore[assignment]
    """Run ``nmt-train``.

    Args:
        arguments: of the command.
        faults: rank, kind and update of each fault.
        seen: file to which the examples of every batch are added, with their epoch.
    """
    number = int(os.environ.get("RANK", "0"))
    if seen is not None:
        _note_examples(Path(f"{seen}.{number}"))
    for at_rank, kind, step in faults:
        if at_rank == number:
            FAULTS[kind](step)
    return command.main(arguments)


def _note_examples(file: Path) -> None:
    assemble = Loader.assemble

    def noted(self: Loader, examples: Any, epoch: int = 0) -> Batch:
        with file.open("a") as stream:
            stream.write(json.dumps([epoch, [int(each) for each in examples]]) + "\n")
        return assemble(self, examples, epoch)

    Loader.assemble = noted  # type: ignore[method-assign]


def _before_update(step: int, act: Any) -> None:
    update = Trainer._update

    def faulty(self: Trainer, batches: Any) -> None:
        if self.state.step + 1 == step:
            act(self)
        update(self, batches)

    Trainer._update = faulty  # type: ignore[method-assign]


def _raise(error: BaseException) -> Any:
    def act(*_: Any) -> None:
        raise error

    return act


def _in_validation(act: Any) -> None:
    translate = Validator._translate

    def faulty(self: Validator, *arguments: Any) -> Any:
        search = self._source

        def source(rows: Any) -> Any:
            act()
            return search(rows)

        self._source = source  # type: ignore[method-assign]
        try:
            return translate(self, *arguments)
        finally:
            self._source = search  # type: ignore[method-assign]

    Validator._translate = faulty  # type: ignore[method-assign]


def _full_disk(step: int) -> None:
    save = trainers.save_checkpoint

    def full(target: Path, **given: Any) -> None:
        if int(target.name.removeprefix("step-")) == step:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        save(target, **given)

    trainers.save_checkpoint = full


def _not_finite(step: int) -> None:
    loss = Trainer._loss

    def bad(self: Trainer, batch: Batch) -> Any:
        found = loss(self, batch)
        return type(found)(found.loss * (torch.nan if self.state.step + 1 == step else 1.0), *_rest(found))

    Trainer._loss = bad  # type: ignore[method-assign]


def _rest(found: Any) -> tuple[Any, ...]:
    return found.nll, found.tokens, found.terms


def _short_of_memory(most: int) -> None:
    loss = Trainer._loss

    def scarce(self: Trainer, batch: Batch) -> Any:
        if batch.source.rows > most:
            raise torch.OutOfMemoryError("no more")
        return loss(self, batch)

    Trainer._loss = scarce  # type: ignore[method-assign]


def _tell_late() -> None:
    """Let the others be the first to know that this rank has failed."""
    tell = distributed._tell_once

    def late(*arguments: Any) -> None:
        time.sleep(1)
        tell(*arguments)

    distributed._tell_once = late


def _end(number: int) -> Any:
    return lambda *_: os.kill(os.getpid(), number)


FAULTS: dict[str, Any] = {
    "killed": lambda step: _before_update(step, _end(signal.SIGKILL)),
    "stopped": lambda step: _before_update(step, _end(signal.SIGTERM)),
    "asked to save": lambda step: _before_update(step, _end(signal.SIGUSR1)),
    "bug": lambda step: _before_update(step, _raise(ZeroDivisionError("a bug"))),
    "bad data": lambda step: _before_update(step, _raise(DataError("corpus: line 7 is bad"))),
    "killed in validation": lambda _: _in_validation(_end(signal.SIGKILL)),
    "stopped in validation": lambda _: _in_validation(_end(signal.SIGTERM)),
    "bad data in validation": lambda _: (_in_validation(_raise(DataError("pair 3 is bad"))), _tell_late()),
    "full disk": _full_disk,
    "not finite": _not_finite,
    "short of memory": _short_of_memory,
}

# ---------------------------------------------------------------- parts of a training


def updates(corpus: str, overrides: list[str], path: str, times: int, faults: list[list[Any]]) -> dict[str, Any]:
    """Make updates, and write the weights of this rank."""
    for at_rank, kind, step in faults:
        if at_rank == int(os.environ["RANK"]):
            FAULTS[kind](step)
    configure_logging()
    with joined(launch()):
        recipe = make_recipe(Path(corpus), *overrides)
        folder = RunFolder(Path(f"{path}.{rank()}"))
        trainer = build_trainer(recipe, folder, prepare_corpora(recipe, folder))
        trainer.module.train()
        batches = grouped(trainer.loader.batches(trainer.state.position), trainer.config)
        for _ in range(times):
            found, position = next(batches)
            trainer._update(found)
            trainer.state.position = position
            trainer.state.step += 1
        tensors = {name: tensor.clone() for name, tensor in model_tensors(trainer.model).items()}
        write_tensors(tensors, Path(f"{path}.{rank()}.safetensors"))
        window = trainer.state.window
        return {
            "loss": window.loss,
            "nll": window.nll,
            "norm": window.gradient_norm,
            "tokens": trainer.state.tokens,
            "skipped": trainer.state.skipped,
            "examples": trainer.state.position.examples,
            "random": torch.rand(1).item(),
        }


def turns(path: str) -> int:
    """Take turns as three ranks on each of two machines, and note who begins and ends."""
    number = int(os.environ["RANK"])
    os.environ |= {"LOCAL_RANK": str(number % 3), "LOCAL_WORLD_SIZE": "3", "GROUP_WORLD_SIZE": "2"}

    def noted(what: str) -> None:
        with Path(path).open("a") as stream:
            stream.write(f"{number} {what}\n")

    def work() -> None:
        noted("begins")
        time.sleep(0.5)
        noted("ends")

    with joined(launch()):
        in_turns(work)
    return 0


def orphaned() -> int:
    """Die in the first of three ranks; the last one notices, and the one between waits for the last alone."""

    def exchange() -> None:
        with distributed._together():
            torch.distributed.recv(torch.zeros(1), src={1: 2, 2: 0}[rank()])

    def work() -> None:
        with joined(launch()):
            if rank() == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            exchange()

    return run(work)


def validate(corpus: str, overrides: list[str], path: str) -> dict[str, Any]:
    """Validate a model with sharpened weights."""
    with joined(launch()):
        recipe = make_recipe(Path(corpus), *overrides)
        trainer = build(recipe, Path(path)) if rank() == 0 else None
        gathered(lambda: None)
        if trainer is None:
            folder = RunFolder(Path(path))
            trainer = build_trainer(recipe, folder, prepare_corpora(recipe, folder))
        with torch.no_grad():
            for parameter in trainer.model.parameters():
                parameter.mul_(4)
        assert trainer.validator is not None
        found = trainer.validator(trainer.model)
        samples = [each.translation for each in found.samples]
        weights = [each.hypothesis.weights.tolist() for each in found.samples if each.hypothesis.weights is not None]
        return {**scores_of(found), "samples": samples, "weights": weights}


# ---------------------------------------------------------------- every objective and term

PAD, BOS, EOS, SIZE = 0, 1, 2, 9
ATTENTIONS: tuple[Any, ...] = ("soft", "hard", "marginal")


def _batch(seed: int, rows: int) -> Batch:
    draw = torch.Generator().manual_seed(seed)

    def side() -> list[list[int]]:
        lengths = torch.randint(1, 6, (rows,), generator=draw).tolist()
        return [[*torch.randint(3, SIZE, (length,), generator=draw).tolist(), EOS] for length in lengths]

    source, target = Tokens.pad(side(), PAD), Tokens.pad(side(), PAD)
    alignment = torch.zeros(rows, target.ids.shape[1], source.ids.shape[1])
    alignment[:, 0, 0] = 1.0
    return Batch(source, target, torch.arange(rows), alignment)


def _modules() -> list[tuple[str, TrainingModule]]:
    """Every objective with the first attention that it fits, and every term."""
    found: list[tuple[str, TrainingModule]] = []

    def add(name: str, attention: Any, objective: ObjectiveConfig, term: TermConfig | None) -> None:
        mapping = {
            "embedding": {"size": 4},
            "encoder": {"size": 3},
            "decoder": {"type": "luong", "size": 6},
            "attention": attention,
            "dropout": {"embedding": 0.2, "layers": 0.2},
        }
        made = config.from_mapping(Seq2SeqConfig, mapping, name="model")
        if objective.check(made) or (term is not None and term.check(made)):
            return
        torch.manual_seed(3)
        model = made.build(SIZE, SIZE).double().train()
        terms = {} if term is None else {name: (term, term.build(model).double())}
        built = objective.build(made, vocabulary_size=SIZE, smoothing=0.1).double()
        found.append((name, TrainingModule(model, built, terms).train()))

    objectives: list[tuple[str, dict[str, Any]]] = [(each, {}) for each in ObjectiveConfig.registry.names()]
    objectives += [("likelihood", {"consistency": 5.0}), ("variational", {"estimator": "enumerate"})]
    for name, given in objectives:
        made = config.from_mapping(ObjectiveConfig, {"type": name, **given}, name="objective")
        for attention in ATTENTIONS:
            add(f"{name} {given} {attention}", attention, made, None)
    likelihood = config.from_mapping(ObjectiveConfig, {"type": "likelihood"}, name="objective")
    for name in TermConfig.registry.names():
        add(name, "soft", likelihood, config.from_mapping(TermConfig, {"type": name}, name="term"))
    return found


def objectives() -> dict[str, Any]:
    """Compare gradients with those that autograd gives for the batches of all ranks, with the same draws."""
    with joined(launch()):
        return {name: _compared(module) for name, module in _modules()}


def _compared(module: TrainingModule) -> list[float]:
    batches = [_batch(10 * rank() + each, 3 + 2 * rank()) for each in range(2)]
    parameters = [*module.parameters()]
    before = [buffer.clone() for buffer in module.buffers()]
    torch.manual_seed(rank())
    sums = [torch.zeros_like(each) for each in parameters]
    for batch in batches:
        gradients = torch.autograd.grad(module(batch, BOS, 0).loss, parameters, allow_unused=True)
        sums = [total if each is None else total + each for total, each in zip(sums, gradients, strict=True)]
    moved = [buffer - old for buffer, old in zip(module.buffers(), before, strict=True)]
    for buffer, old in zip(module.buffers(), before, strict=True):
        buffer.copy_(old)
    tokens = sum(batch.target_tokens for batch in batches)
    torch.manual_seed(rank())
    terms = [*module.terms]
    losses = Accumulation(module, lambda batch: module(batch, BOS, 0), device=torch.device("cpu"), terms=terms)(batches)
    everyone: list[Any] = [None] * world_size()
    torch.distributed.all_gather_object(everyone, (sums, tokens, moved))
    total = sum(each[1] for each in everyone)
    wanted = [sum(parts) / total for parts in zip(*(each[0] for each in everyone), strict=True)]
    found = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
    wanted += [sum(parts) / world_size() for parts in zip(*(each[2] for each in everyone), strict=True)]
    found += [buffer - old for buffer, old in zip(module.buffers(), before, strict=True)]
    assert losses.tokens == total and set(losses.terms) == set(terms)
    return [_difference(wanted, found), max(float(each.abs().max()) for each in wanted)]


def _difference(wanted: list[Any], found: list[Tensor]) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(wanted, found, strict=True))


class _Odd(nn.Module):
    """Parameters that all ranks use, that one uses, and that none uses; a buffer that stays, and an integer."""

    def __init__(self) -> None:
        super().__init__()
        self.all, self.some, self.none = (nn.Parameter(torch.ones(2)) for _ in range(3))
        self.register_buffer("fixed", torch.tensor([0.1, 0.7]))
        self.register_buffer("count", torch.tensor(3))

    def forward(self, batch: Batch) -> Any:
        from nmt.training.objective.training_module import BatchLoss

        loss = batch.target_tokens * self.all.sum()
        if rank() == 1:
            loss = loss + self.some.sum()
        return BatchLoss(loss, loss.detach(), batch.target_tokens, {})


def odd() -> dict[str, Any]:
    """Unused parameters, and a rank without examples."""
    with joined(launch()):
        module = _Odd()
        batch = _batch(1, 2)
        accumulate = Accumulation(module, module, device=torch.device("cpu"))
        for _ in range(50):
            module.zero_grad(set_to_none=True)
            losses = accumulate([batch])
        found = {
            "all": module.all.grad.tolist(),  # type: ignore[union-attr]
            "some": None if module.some.grad is None else module.some.grad.tolist(),
            "none": module.none.grad is None,
            "fixed": torch.equal(module.fixed, torch.tensor([0.1, 0.7])),
            "count": int(module.count),
            "tokens": batch.target_tokens,
        }
        module.zero_grad(set_to_none=True)
        empty = Batch(Tokens.pad([], PAD), Tokens.pad([], PAD), torch.arange(0))
        losses = accumulate([empty if rank() else batch])
        return {**found, "lonely": module.all.grad.tolist(), "counted": losses.tokens}  # type: ignore[union-attr]
