"""A training of several processes from start to end: resumed, stopped, killed, out of disk space."""

from __future__ import annotations

import json
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ranks import Ended, Ranks
from tiny_training import assert_same_tensors, build, records

from nmt.core.storage.run_folder import (
    MODEL,
    OPTIMISER,
    STATE,
    RunFolder,
    best_checkpoint,
    checkpoint_path,
    checkpoint_steps,
    read_json,
)
from nmt.model.weights import load_model_tensors, read_tensors
from nmt.recipe import load_recipe
from nmt.training.checkpoints.training_tensors import LAST

STEPS = 6
SHORT = (
    f"training.max_steps={STEPS}",
    "training.validation_interval=3",
    "training.accumulation=1",
    "training.validation.batch_tokens=20",  # so that every rank has some of them
)
GO_ON = "continue with: torchrun --nproc-per-node 2 -m nmt.cli.train --output"


def train(ranks: Ranks, count: int, corpus: Path, run: Path, *overrides: str, **given: Any) -> Ended:
    """Run ``nmt-train``: a new run, or, if there is its recipe, a resumed one."""
    resumed = (run / "recipe.yaml").exists() and not given.get("restart")
    arguments = ["--resume"] if resumed else [str(corpus / "recipe.yaml"), *SHORT]
    return ranks.run(count, "train", arguments=[*arguments, *overrides, "--output", str(run)], **given)


def steps(run: Path) -> list[int]:
    return checkpoint_steps(run / "checkpoints")


def assert_same_end(run: Path, other: Path) -> None:
    """See that two runs have ended in the same state, bit by bit, random states of all ranks included."""
    for name in (MODEL, OPTIMISER):
        assert_same_tensors(*(checkpoint_path(each / "checkpoints", STEPS) / name for each in (run, other)))
    assert records(RunFolder(run)) == records(RunFolder(other))


def assert_one_message(ended: Ended, message: str, *, of: int) -> None:
    """See that one rank says what was wrong, and no other says anything of errors."""
    assert message in ended.outputs[of], ended.output
    assert ended.output.count("error: ") == 1 and "Traceback" not in ended.output, ended.output


@pytest.fixture(scope="module")
def whole(ranks: Ranks, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A training of two ranks that nothing disturbs."""
    run = tmp_path_factory.mktemp("whole") / "run"
    return run, train(ranks, 2, corpus, run)


def test_only_the_first_rank_writes_and_speaks(whole: tuple[Path, Ended]) -> None:
    run, ended = whole
    assert ended.statuses == [0, 0], ended.output
    assert ended.outputs[1] == ""
    assert ended.outputs[0].count("best: bleu") == 1
    assert "each of 2 processes has its own batches" in ended.outputs[0]
    assert "the other processes (1) wait" in ended.outputs[0]
    assert [line["step"] for line in records(RunFolder(run), "train")] == [3, 6]
    assert [line["step"] for line in records(RunFolder(run), "validation")] == [3, 6]
    assert read_json(run / "versions.json")["processes"] == 2
    random = {name for name in read_tensors(checkpoint_path(run / "checkpoints", 6) / OPTIMISER) if "random" in name}
    assert random == {"random/cpu", "random/1/cpu"}


def test_torchrun_may_start_a_single_process(ranks: Ranks, corpus: Path, tmp_path: Path) -> None:
    losses = []
    for count in (0, 1):
        ended = train(ranks, count, corpus, tmp_path / str(count))
        assert ended.statuses == [0] and "own batches" not in ended.output, ended.output
        losses.append([line["nll"] for line in records(RunFolder(tmp_path / str(count)), "train")])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_run_goes_on_with_other_numbers_of_processes(ranks: Ranks, corpus: Path, tmp_path: Path) -> None:
    """Two processes, then three, then one: every example of both epochs is trained on once."""
    run, seen = tmp_path / "run", str(tmp_path / "seen")
    ends = ["training.max_steps=null", "training.max_epochs=2", "training.early_stopping=50"]
    first = train(ranks, 2, corpus, run, "training.max_steps=2", "training.accumulation=3", seen=seen)
    second = train(ranks, 3, corpus, run, "training.max_steps=3", "training.accumulation=2", seen=seen)
    third = train(ranks, 0, corpus, run, *ends, "training.accumulation=6", seen=seen)
    assert [*first.statuses, *second.statuses, *third.statuses] == [0] * 6, second.output + third.output
    assert "resumed at update 2 of 3" in second.outputs[0] and "resumed at update 3 of" in third.outputs[0]
    for ended in (second, third):
        assert "training.accumulation was" not in ended.output, "an update has as many batches as before"
        assert "processes was" in ended.output
    examples: Counter[tuple[int, int]] = Counter()
    for file in tmp_path.glob("seen.*"):
        for line in file.read_text().splitlines():
            epoch, rows = json.loads(line)
            examples.update((epoch, row) for row in rows)
    assert examples == Counter({(epoch, row): 1 for epoch in range(2) for row in range(200)})
    state = read_json(checkpoint_path(run / "checkpoints", steps(run)[-1]) / "state.json")
    found = [line["step"] for line in records(RunFolder(run), "validation")]
    assert found[:2] == [2, 3] and state["finished"] and {each["step"] for each in state["kept"]} <= {*found}
    changed = train(ranks, 2, corpus, run, "training.max_epochs=3", "training.accumulation=6")
    assert "training.accumulation was 6 in all processes, is 12 in all processes" in changed.outputs[0]


@pytest.mark.parametrize("fault", ["stopped", "stopped in validation"])
def test_a_signal_to_one_rank_stops_all_with_a_checkpoint(
    ranks: Ranks, corpus: Path, tmp_path: Path, whole: tuple[Path, Ended], fault: str
) -> None:
    ended = train(ranks, 2, corpus, tmp_path / "run", faults=[[1, fault, 3]])
    assert ended.statuses == [128 + signal.SIGTERM] * 2, ended.output
    assert ended.output.count("SIGTERM: stopping after this update with a checkpoint") == 1
    assert f"stopped at update 3; {GO_ON} {tmp_path}/run --resume" in ended.outputs[0]
    assert ended.outputs[1] == ""
    assert steps(tmp_path / "run")[-1] == 3
    state = read_json(checkpoint_path(tmp_path / "run" / "checkpoints", 3) / "state.json")
    assert state["validation_due"], "nobody waits for a validation"
    again = train(ranks, 2, corpus, tmp_path / "run")
    assert again.statuses == [0, 0], again.output
    assert_same_end(tmp_path / "run", whole[0])


def test_others_wait_for_the_first_of_their_machine(ranks: Ranks, tmp_path: Path) -> None:
    """Two machines of three ranks: the first of all works, then the first of the other machine, then the rest."""
    ended = ranks.run(6, "turns", path=str(tmp_path / "turns"))
    assert ended.statuses == [0] * 6, ended.output
    order = (tmp_path / "turns").read_text().split()
    assert order[:4] == ["0", "begins", "0", "ends"] and order[4:8] == ["3", "begins", "3", "ends"], order


def test_any_rank_may_be_asked_for_a_checkpoint(ranks: Ranks, corpus: Path, tmp_path: Path) -> None:
    ended = train(
        ranks, 2, corpus, tmp_path / "run", "training.checkpoint_interval=null", faults=[[1, "asked to save", 5]]
    )
    assert ended.statuses == [0, 0] and steps(tmp_path / "run")[-2:] == [5, 6], ended.output
    assert ended.outputs[0].count("SIGUSR1: saving a checkpoint after this update") == 1


@pytest.mark.parametrize(("of", "fault", "kept"), [(2, "killed", 3), (0, "killed", 3), (1, "killed in validation", 2)])
def test_a_rank_that_is_killed_ends_the_others(
    ranks: Ranks, corpus: Path, tmp_path: Path, of: int, fault: str, kept: int
) -> None:
    ended = train(ranks, 3, corpus, tmp_path / "run", faults=[[of, fault, 4]])
    assert ended.statuses == [-signal.SIGKILL if number == of else 1 for number in range(3)], ended.output
    teller = next(number for number in range(3) if "error: " in ended.outputs[number])
    assert_one_message(ended, f"error: process {of} of 3 has ended without a word", of=teller)
    assert steps(tmp_path / "run")[-1] == kept


def test_who_waits_for_one_that_has_noticed_is_not_taken_for_dead(ranks: Ranks) -> None:
    ended = ranks.run(3, "orphaned")
    assert ended.statuses == [-signal.SIGKILL, 1, 1], ended.output
    assert ended.output.count("error: ") == 1, ended.output
    assert "error: process 0 of 3 has ended without a word" in ended.output


@pytest.mark.parametrize(
    ("fault", "kept"), [("bad data", 2), ("bad data in validation", 3)], ids=["in an update", "in a validation"]
)
def test_an_error_in_one_rank_is_told_once(ranks: Ranks, corpus: Path, tmp_path: Path, fault: str, kept: int) -> None:
    ended = train(ranks, 3, corpus, tmp_path / "run", faults=[[2, fault, 3]])
    assert ended.statuses == [1, 1, 1], ended.output
    said = "pair 3 is bad" if "validation" in fault else "corpus: line 7 is bad"
    assert_one_message(ended, f"error: process 2 of 3: {said}", of=2)
    assert steps(tmp_path / "run")[-1] == kept


def test_a_bug_in_one_rank_has_one_traceback(ranks: Ranks, corpus: Path, tmp_path: Path) -> None:
    ended = train(ranks, 2, corpus, tmp_path / "run", faults=[[1, "bug", 3]])
    assert "ZeroDivisionError: a bug" in ended.outputs[1] and "rror" not in ended.outputs[0]
    assert ended.output.count("Traceback") == 1 and ended.statuses[0] == 1 and ended.statuses[1] != 0


def test_a_full_disk_ends_all_and_is_told_once(ranks: Ranks, corpus: Path, tmp_path: Path) -> None:
    ended = train(ranks, 2, corpus, tmp_path / "run", faults=[[0, "full disk", 4]])
    assert ended.statuses == [1, 1]
    assert_one_message(ended, "training stopped at update 4: No space left on device", of=0)
    assert f"The checkpoint of update 3 is kept; when this is fixed, {GO_ON} {tmp_path}/run" in ended.outputs[0]


def test_early_stopping_stops_all(ranks: Ranks, corpus: Path, tmp_path: Path) -> None:
    still = ("training.optimiser.learning_rate=1e-12", "training.early_stopping=1", "training.validation_interval=1")
    ended = train(ranks, 2, corpus, tmp_path / "run", *still, "training.average=2", "training.keep_best=2")
    assert ended.statuses == [0, 0], ended.output
    assert steps(tmp_path / "run")[-1] == 2
    assert [line["kind"] for line in records(RunFolder(tmp_path / "run"))][-1] == "average"


def test_fewer_examples_than_ranks_are_refused(
    ranks: Ranks, corpus: Path, tmp_path: Path, whole: tuple[Path, Ended]
) -> None:
    for side in ("xx", "yy"):
        lines = (corpus / f"train.{side}").read_text().splitlines(keepends=True)
        (tmp_path / f"two.{side}").write_text("".join(lines[:2]))
    few = f"data.train=[{{source: {tmp_path}/two.xx, target: {tmp_path}/two.yy}}]"
    known = f"data.subword={{source_model: {whole[0]}/vocabulary/joint.model}}"
    ended = train(ranks, 3, corpus, tmp_path / "run", few, known)
    assert ended.statuses == [1, 1, 1]
    teller = next(number for number in range(3) if "error: " in ended.outputs[number])
    assert_one_message(ended, "2 examples cannot be divided among 3 processes; use fewer of them", of=teller)


def test_a_wrong_recipe_is_told_once(ranks: Ranks, corpus: Path, tmp_path: Path) -> None:
    ended = train(ranks, 3, corpus, tmp_path / "run", "training.accumulaton=3")
    assert ended.statuses[0] == 2 and 0 not in ended.statuses
    assert_one_message(ended, "did you mean", of=0)
    assert not (tmp_path / "run").exists()


def test_a_restart_goes_on_with_the_run_that_was_begun_and_with_no_other(
    ranks: Ranks, corpus: Path, tmp_path: Path, whole: tuple[Path, Ended]
) -> None:
    """As with ``torchrun --max-restarts``, which calls the same command again."""
    run = tmp_path / "run"
    killed = train(ranks, 2, corpus, run, faults=[[1, "killed", 6]])
    assert killed.statuses == [1, -signal.SIGKILL] and steps(run)[-1] == 4
    again = train(ranks, 2, corpus, run, restart=1)
    assert again.statuses == [0, 0] and "resumed at update 4 of 6" in again.outputs[0], again.output
    assert_same_end(run, whole[0])
    for restart in range(2):  # a folder that another run has filled
        refused = ranks.run(
            2, "train", restart=restart, arguments=[str(corpus / "recipe.yaml"), *SHORT, "--output", str(run)]
        )
        assert_one_message(refused, "is not empty; continue the run in it with --resume", of=0)


def test_the_clock_of_the_first_rank_ends_a_training_by_time(ranks: Ranks, corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ended = train(ranks, 2, corpus, run, "training.max_steps=null", "training.max_minutes=0.02")
    assert ended.statuses == [0, 0], ended.output
    assert ended.outputs[0].count("of 0.02 minutes") == 2 and ended.outputs[1] == ""
    state = read_json(checkpoint_path(run / "checkpoints", steps(run)[-1]) / STATE)
    assert state["finished"] == "all 0.02 minutes are used" and state["seconds"] >= 1.2


def test_each_rank_validates_by_the_same_moving_average(ranks: Ranks, corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ended = train(ranks, 2, corpus, run, "training.ema=0.7", "training.optimiser.learning_rate=0.1")
    assert ended.statuses == [0, 0], ended.output
    trainer = build(load_recipe(run / "recipe.yaml"), tmp_path / "again")
    assert trainer.validator is not None
    stored = checkpoint_path(run / "checkpoints", STEPS)
    load_model_tensors(trainer.model, read_tensors(stored / MODEL), "average")
    perplexity = trainer.validator(trainer.model).perplexity
    assert records(RunFolder(run), "validation")[-1]["perplexity"] == pytest.approx(perplexity, rel=1e-5)
    last = {name: tensor for name, tensor in read_tensors(stored / OPTIMISER).items() if name.startswith(LAST)}
    load_model_tensors(trainer.model, {name.removeprefix(LAST): tensor for name, tensor in last.items()}, "last")
    assert trainer.validator(trainer.model).perplexity != pytest.approx(perplexity, rel=1e-3)


def test_ranks_tune_the_search_together(ranks: Ranks, corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ended = train(ranks, 2, corpus, run, "training.max_steps=2", "training.tune_search=true")
    assert ended.statuses == [0, 0] and ended.outputs[1] == "", ended.output
    assert ended.outputs[0].count("search: beam_size") == 1
    tried = read_json(run / "search.json")["tried"]
    trainer = build(load_recipe(run / "recipe.yaml"), tmp_path / "again")
    assert trainer.validator is not None
    load_model_tensors(trainer.model, read_tensors(best_checkpoint(RunFolder(run)) / MODEL), "best")
    search = load_recipe(run / "recipe.yaml").search
    for trial in tried[:2]:
        other = replace(search, beam_size=trial["beam_size"], length_penalty=trial["length_penalty"])
        targets = [best.tokens for best, *_ in trainer.validator.translations(trainer.model, other)]
        assert trainer.validator.scores(targets)[1].value == pytest.approx(trial["chrf"])
