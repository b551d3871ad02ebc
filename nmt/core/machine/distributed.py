"""The processes of one training (``torch.distributed``): who this one is, what all know, and who waits for whom.

Only ``joined`` makes a process group, and only where torchrun has started the process. Without one, every function
here returns at once, for a single process. Numbers, objects and waiting go through gloo; CUDA tensors through NCCL.
"""

from __future__ import annotations

import functools
import os
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

import torch
import torch.distributed
from torch import Tensor

from nmt.core.errors import ConfigError, LostProcessError, Problem, is_out_of_memory
from nmt.core.logging import logger
from nmt.core.machine.launch import Launch, launch
from nmt.core.machine.signals import settle

T = TypeVar("T")
P = ParamSpec("P")

# No wait has an end of its own: others may encode a corpus for hours. Of a process that dies, the connections close;
# of a machine that is lost, TCP gives them up in the end.
_FOREVER = timedelta(days=365)
# Seconds in which the processes that are left say so, for the message that names the one that is not: one that is busy
# says so after its batch. Torchrun kills all after 30.
_ROLL_CALL = 20.0
_STARTED = "nmt/started"

_in_own_part = False


def several() -> bool:
    """Whether this process has joined others, if only itself: torchrun may start a single one."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def rank() -> int:
    """Return the number of this process, from 0."""
    return torch.distributed.get_rank() if several() else 0


def world_size() -> int:
    """Return the number of processes."""
    return torch.distributed.get_world_size() if several() else 1


def in_own_part() -> bool:
    """Whether an exception now would be told to all processes: always if alone, else inside ``gathered``."""
    return _in_own_part or not several()


# ---------------------------------------------------------------- what all do together


@contextmanager
def _together() -> Iterator[None]:
    """Turn the error of an exchange into ``LostProcessError``: that of another process is the reason."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        settle()
        logger.debug("an exchange between processes failed: %s", error)
        raise LostProcessError from error


def gathered(compute: Callable[[], T]) -> list[T]:
    """Call a function in every process, and return the results of all, by rank.

    Raises:
        LostProcessError: it failed in another process only, or another process has ended.
    """
    global _in_own_part  # noqa: PLW0603 - read by signal handlers, which are of the process too
    if not several():
        return [compute()]
    value, error = None, None
    try:
        try:
            _in_own_part = True
            value = compute()
        finally:
            _in_own_part = False
    except Exception as found:
        error, _in_own_part = found, False
    outcomes: list[Any] = [None] * world_size()
    with _together():
        torch.distributed.all_gather_object(outcomes, (error is None, value))
    if error is not None:
        raise error
    if not all(good for good, _ in outcomes):
        raise LostProcessError(told=True)
    return [each for _, each in outcomes]


def from_first(compute: Callable[[], T]) -> T:
    """Call a function in the first process only, and return its result in all, which wait for it."""
    if not several():
        return compute()
    box = [compute() if rank() == 0 else None]
    with _together():
        torch.distributed.broadcast_object_list(box, src=0)
    return box[0]  # type: ignore[return-value]


def wait() -> None:
    """Wait until all processes have come here; a broadcast would only wait for the first."""
    summed([0.0])


def in_turns(work: Callable[[], T]) -> T:
    """Do some work in the first process, then in one of every other machine, then in the rest.

    For work that leaves its result on a disk, where the later processes find it.
    """
    launched = launch() if several() else None
    if launched is None:
        return work()
    turn = 0 if launched.rank == 0 else 1 if launched.local_rank == 0 else 2
    for _ in range(turn):
        wait()
    result = work()
    for _ in range(turn, 2):
        wait()
    return result


def summed(numbers: Sequence[float]) -> list[float]:
    """Sum numbers over all processes."""
    if not several():
        return [*numbers]
    sums = torch.tensor(numbers, dtype=torch.float64)
    with _together():
        torch.distributed.all_reduce(sums)
    return sums.tolist()


def sum_in_place(tensors: Sequence[Tensor]) -> None:
    """Replace tensors of one device by their sums over all processes, in one exchange for each kind of numbers."""
    _exchange(tensors, torch.distributed.all_reduce)


def take_from_first(tensors: Sequence[Tensor]) -> None:
    """Overwrite tensors of one device by those of the first process, likewise."""
    _exchange(tensors, lambda flat: torch.distributed.broadcast(flat, src=0))


@torch.no_grad()
def _exchange(tensors: Sequence[Tensor], operation: Callable[[Tensor], object]) -> None:
    if not several():
        return
    for dtype in dict.fromkeys(each.dtype for each in tensors):
        chosen = [each for each in tensors if each.dtype == dtype]
        flat = torch.cat([each.reshape(-1) for each in chosen])
        with _together():
            operation(flat)
        parts = torch.split(flat, [each.numel() for each in chosen])
        for each, part in zip(chosen, parts, strict=True):
            each.copy_(part.view_as(each))


def first_only(function: Callable[P, None]) -> Callable[P, None]:
    """Make a function do nothing except in the first process, the only one that writes."""

    @functools.wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> None:
        if rank() == 0:
            function(*arguments, **options)

    return call


# ---------------------------------------------------------------- joining and leaving


@dataclass(frozen=True, slots=True)
class Group:
    """The processes that torchrun has started for this training.

    Args:
        store: shared by all processes; that of torchrun keeps its content when they are started again.
        restarted: whether they were started again after ``note_start``.
    """

    store: Any
    restarted: bool

    def note_start(self) -> None:
        """Note that the run folder is that of this training."""
        self.store.set(_STARTED, "")


@contextmanager
def joined(launched: Launch | None) -> Iterator[Group | None]:
    """Join the processes that torchrun has started; ``None`` and nothing else if it has not.

    If a process fails, the others end too, and only one says why: the one that failed first, or, of a process that
    ended without a word, another one.

    Args:
        launched: place of this process.

    Raises:
        LostProcessError: another process has ended; the message is empty if another process tells the reason.
    """
    if launched is None:
        yield None
        return
    # Imported before there is a process group, which the functions of this module would otherwise keep as a default
    # argument: an optimiser's first update imports it. The group's threads would live until Python ends, and one that
    # then still holds a tensor aborts the process.
    with suppress(ImportError):  # a torch without it keeps nothing
        from torch.distributed.nn import functional  # noqa: F401
    agents = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"  # then torchrun itself keeps the store
    with _together():
        store = torch.distributed.TCPStore(  # type: ignore[attr-defined]
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            is_master=launched.rank == 0 and not agents,
            timeout=timedelta(minutes=10),
            wait_for_workers=False,
        )
        ours = torch.distributed.PrefixStore(_agreed_name(launched, store), store)  # type: ignore[attr-defined]
        nccl = torch.cuda.is_available() and torch.distributed.is_nccl_available()
        if nccl and launched.local_rank < torch.cuda.device_count():
            torch.cuda.set_device(launched.local_rank)  # what "auto" and "cuda" mean from here on
        torch.distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if nccl else "gloo",
            store=ours,
            rank=launched.rank,
            world_size=launched.world_size,
            timeout=_FOREVER,
        )
        wait()  # a process that left before the others are connected would look like one that died
    try:
        yield Group(store, from_first(lambda: bool(store.check([_STARTED]))))
    except BaseException as error:
        settle()  # all end, and torchrun stops those that are left
        with suppress(RuntimeError):  # the store may be gone
            _tell_once(launched, ours, error)
        raise
    finally:
        _end()


def _agreed_name(launched: Launch, store: Any) -> str:
    """Return a new name of this start, the same in all processes, whatever earlier ones have left in the store.

    Torchrun's own number of restarts will not do: on each machine it counts only those that began there.
    """
    own = f"nmt/{uuid.uuid4().hex}"
    if launched.rank > 0:
        store.set(f"nmt/here/{launched.rank}", own)
        name: str = store.get(f"{own}/name").decode()
        store.set(f"{name}/agreed/{launched.rank}", "")
        return name
    missing = {*range(1, launched.world_size)}
    while missing:
        for each in [*missing]:
            if store.check([f"{own}/agreed/{each}"]):
                missing.remove(each)
            elif store.check([f"nmt/here/{each}"]):  # it may still be what an earlier process has left
                store.set(f"{store.get(f'nmt/here/{each}').decode()}/name", own)
        time.sleep(0.01)
    return own


def leave() -> None:
    """Leave the process group when all have come here; what follows is done alone."""
    wait()
    _end()


def _end() -> None:
    if several():
        torch.distributed.destroy_process_group()


def _tell_once(launched: Launch, store: Any, error: BaseException) -> None:
    """Let one process tell why all end.

    Raises:
        LostProcessError: without a message in those that are to be silent.
    """
    lost = error if isinstance(error, LostProcessError) else None
    if lost is not None and lost.told:
        return
    if lost is not None:
        _forget_exchanges(error)
        _end()  # closes the connections, so that those who still wait for this process go on
        store.set(f"left/{launched.rank}", "")
    if store.compare_set("told", "", str(launched.rank)) != str(launched.rank).encode():
        raise LostProcessError from error
    if lost is not None:
        gone = _missing(launched, store)
        named = ", ".join(map(str, gone))
        what = f"process {named} of {launched.world_size}" if len(gone) == 1 else "a process"
        if len(gone) > 1:
            what = f"at least one of the processes {named} (of {launched.world_size})"
        raise LostProcessError(f"{what} has ended without a word: it was killed, or its machine failed") from error


def _forget_exchanges(error: BaseException | None) -> None:
    """Clear the frames of a chain of errors: an exchange that one of them holds keeps its connections open."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _missing(launched: Launch, store: Any) -> list[int]:
    """Return the processes that do not say that they are there, as soon as it is one, or when time is up."""
    until = time.monotonic() + _ROLL_CALL
    while True:
        missing = [each for each in range(launched.world_size) if not store.check([f"left/{each}"])]
        if len(missing) < 2 or time.monotonic() > until:
            return missing
        time.sleep(0.05)


def own_device(device: torch.device, path: str) -> torch.device:
    """Return a device if it may be that of this process: each of a machine has a GPU of its own.

    Args:
        device: CUDA's without a number is the one that ``joined`` has chosen.
        path: of the setting in messages.

    Raises:
        ConfigError: there are fewer GPUs than processes, or one GPU is named for several processes.
    """
    launched = launch() if several() else None
    if launched is None or device.type != "cuda":
        return device
    count = torch.cuda.device_count()
    if launched.local_world_size > count:
        message = f"must be cpu, or torchrun started with --nproc-per-node {count}: one process for each GPU"
        raise ConfigError([Problem(path, message)])
    if device.index not in (None, launched.local_rank):
        raise ConfigError([Problem(path, f"must be auto or cuda where there are several processes, but is {device}")])
    return device
