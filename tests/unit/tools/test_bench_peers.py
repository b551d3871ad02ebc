"""What `tools/bench_peers.py` does itself: ratios, blocks of equal length, turns, patches, and errors."""

import json
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy
import pytest
from marian_run import make_marian_run
from tiny_run import sentences

from nmt.core import config
from nmt.core.storage.files import read_text_lines, write_lines
from nmt.recipe import Recipe
from nmt.translation.marian.exporting import export_to_marian
from nmt.translation.marian.fit import misfits
from tools import bench_peers
from tools.bench_peers import DRIVERS, Toolkit, alternate, joined, learn, rates, ratio, scores, summary
from tools.peers import environments
from tools.peers.environments import Peer, PeerError, patch, python_of
from tools.peers.settings import PATIENCE, Experiment, length_blocks
from tools.running import status_of

# A driver as short as can be: every update has 100 tokens; it fails when told to make 13.
DRIVER = f"""
import sys
sys.path.insert(0, {str(DRIVERS)!r})
from turns import Stopped, Turns
turns = Turns()
try:
    wanted = turns.wait()
    print("this must not stand among the answers")
    while True:
        if wanted == 13:
            sys.exit("out of luck")
        turns.updated(100)
except Stopped:
    print("saved", file=sys.stderr)
"""


def toolkit(folder: Path, name: str = "one", driver: str = DRIVER) -> Toolkit:
    return Toolkit(name, [sys.executable, "-c", driver], folder / f"{name}.log")


def test_a_turn_is_told_with_its_tokens_and_its_time(tmp_path: Path) -> None:
    with toolkit(tmp_path) as one:
        turns = [one.turn(number) for number in (3, 1)]
        one.stop()
    assert [(turn["updates"], turn["target_tokens"]) for turn in turns] == [(3, 300), (1, 100)]
    assert all(0 <= turn["cpu_seconds"] < 60 and turn["seconds"] > 0 for turn in turns)
    said = (tmp_path / "one.log").read_text().splitlines()
    assert said == ["this must not stand among the answers", "saved"]


def test_a_toolkit_that_fails_is_left_out_and_its_last_words_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with toolkit(tmp_path) as one, toolkit(tmp_path, "other", DRIVER.replace("== 13", "== 2")) as other:
        found = alternate([one, other], [2], 2, {"bench": "peers"})
        one.stop()
    assert list(found) == ["one 2"]
    printed = capsys.readouterr()
    assert [json.loads(line)["round"] for line in printed.out.splitlines()] == [1, 2], "the first only warms up"
    assert "other ended with status 1" in printed.err
    assert "out of luck" in printed.err


def test_a_toolkit_has_as_many_threads_as_it_is_given(tmp_path: Path) -> None:
    driver = "import os\nfor _ in (1, 2):\n    input()\n    print(os.environ['OMP_NUM_THREADS'], flush=True)"
    for threads in (1, 2):
        with Toolkit("one", [sys.executable, "-c", driver], tmp_path / "log", threads=threads) as one:
            assert one.turn(1) == threads
    experiment = Experiment(tmp_path, tmp_path, ("train", "test"), ("de", "en"), tmp_path / "x.model", 4096, threads=2)
    assert experiment.nmt("fp32")["training"]["threads"] == 2


def test_all_learn_at_once_and_untimed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Each waits in its turn until the other has begun its own.
    meet = f"""
import pathlib, time
folder = pathlib.Path({str(tmp_path)!r})
def meet():
    (folder / str(time.monotonic_ns())).touch()
    deadline = time.monotonic() + 300
    while len([one for one in folder.iterdir() if one.name.isdigit()]) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    if time.monotonic() >= deadline:
        raise SystemExit("alone")
"""
    driver = meet + DRIVER.replace("turns.updated(100)", "meet(); turns.updated(100)")
    with toolkit(tmp_path, driver=driver) as one, toolkit(tmp_path, "other", driver) as other:
        learn([one, other], 2)
        one.stop()
        other.stop()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["what"], line["toolkit"], line["updates"]) for line in lines] == [
        ("learn", "one", 2),
        ("learn", "other", 2),
    ]


def test_one_that_fails_while_it_learns_is_told_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = DRIVER.replace("== 13", "== 2")
    with toolkit(tmp_path, "other", failing) as other, toolkit(tmp_path) as one:
        learn([other, one], 2)
        learn([], 2)
        one.stop()
    printed = capsys.readouterr()
    assert [json.loads(line)["toolkit"] for line in printed.out.splitlines()] == ["one"]
    assert "other ended with status 1" in printed.err and "out of luck" in printed.err


def test_ratios_are_of_medians() -> None:
    turns = [{"target_tokens": 600.0, "cpu_seconds": seconds, "seconds": 9.0} for seconds in (2.0, 3.0, 60.0)]
    assert rates(turns, "target_tokens", "cpu_seconds") == [300.0, 200.0, 10.0]
    assert rates(turns, "target_tokens", "seconds") == [600 / 9] * 3
    assert ratio([300.0, 200.0, 10.0], [80.0, 100.0, 1.0]) == 2.5  # 200 / 80
    assert ratio([], [1.0]) is None
    assert ratio([1.0], []) is None


def test_the_summary_names_the_peer_of_each_ratio() -> None:
    training = {"nmt-fp32": [30.0], "nmt-bf16": [60.0], "joeynmt-blocks": [20.0], "joeynmt": [6.0], "opennmt": [15.0]}
    own = {"nmt-fp32 1": [90.0], "nmt-fp32 5": [40.0], "nmt-bf16 5": [70.0]}
    translation = {**own, "joeynmt 1": [30.0], "joeynmt 5": [10.0], "opennmt 5": [20.0]}
    found = summary(training, translation)
    assert (found["train_ratio_fp32"], found["train_ratio_fp32_against"]) == (1.5, "joeynmt-blocks")
    assert (found["train_ratio_bf16"], found["train_ratio_bf16_against"]) == (3.0, "joeynmt-blocks")
    assert (found["beam5_ratio"], found["beam5_ratio_against"]) == (2.0, "opennmt")
    assert (found["beam5_ratio_bf16"], found["beam5_ratio_bf16_against"]) == (3.5, "opennmt")
    assert found["greedy_ratio_bf16"] is None, "not measured"
    assert (found["greedy_ratio"], found["greedy_ratio_against"]) == (3.0, "joeynmt"), "OpenNMT-py did not run"
    assert found["ratios"]["train_bf16"] == {"joeynmt-blocks": 3.0, "joeynmt": 10.0, "opennmt": 4.0}
    assert found["ratios"]["beam5_fp32"] == {"opennmt": 2.0, "joeynmt": 4.0}
    assert found["medians"]["joeynmt 5"] == 10.0


def test_marian_is_compared_with_the_model_that_it_has() -> None:
    translation = {"nmt-fp32 5": [99.0], "nmt-for-marian-fp32 5": [30.0], "pymarian 5": [20.0]}
    found = summary({}, translation)
    assert found["ratios"]["beam5_fp32_for_marian"] == {"pymarian": 1.5}
    assert found["ratios"]["beam5_bf16_for_marian"] == found["ratios"]["greedy_fp32_for_marian"] == {"pymarian": None}


def test_lines_that_marian_translates_otherwise_are_counted(tmp_path: Path) -> None:
    subword = make_marian_run(tmp_path / "run", tied="all") / "vocabulary" / "joint.model"
    experiment = Experiment(tmp_path, tmp_path, ("a", "b"), ("de", "en"), subword, 9)
    for name, lines in {
        "test.reference": "der Hund 1\nder Hund 2\n",
        "pymarian.5": "der Hund 1\nder Hund 3\n",
        "nmt-fp32.5": "der Hund 4\nder Hund 4\n",
        "nmt-for-marian-fp32.5": "der Hund 1\nder Hund 2\n",
    }.items():
        (tmp_path / name).write_text(lines)
    found = scores(experiment)
    assert set(found) == {"nmt-fp32 5", "nmt-for-marian-fp32 5", "pymarian 5"}
    assert found["nmt-for-marian-fp32 5"]["lines_unlike_marian"] == 1
    assert "lines_unlike_marian" not in found["nmt-fp32 5"], "another model"


def test_without_any_peer_there_is_no_ratio() -> None:
    found = summary({"nmt-fp32": [30.0]}, {})
    for name in ("train_ratio_fp32", "train_ratio_bf16", "beam5_ratio", "greedy_ratio"):
        assert found[name] is None
        assert found[f"{name}_against"] is None


def joeynmt_batches(order: list[int], longest: list[int], size: int) -> list[list[int]]:
    """JoeyNMT's rule for batches of tokens, without sorting."""
    batches, batch = [], []
    for index in order:
        batch.append(index)
        if max(longest[each] for each in batch) * len(batch) >= size:
            batches.append(batch)
            batch = []
    return [*batches, batch] if batch else batches


def test_blocks_make_batches_of_equal_length() -> None:
    draw = numpy.random.default_rng(5)
    sources, targets = draw.integers(2, 60, 700), draw.integers(2, 60, 700)
    order = length_blocks(sources, targets, 500, seed=1)
    assert sorted(order.tolist()) == list(range(700))
    longest = numpy.maximum(sources, targets).tolist()
    batches = joeynmt_batches(order.tolist(), longest, 500)
    padding = [1 - sum(longest[i] for i in batch) / (len(batch) * max(longest[i] for i in batch)) for batch in batches]
    assert max(padding[:-1]) < 0.3, "the shortest ones"
    assert statistics.mean(padding) < 0.05
    # As it comes, a quarter and more of each batch is padding.
    unsorted = joeynmt_batches(list(range(700)), longest, 500)
    assert len(unsorted) > 1.2 * len(batches)
    means = [statistics.mean(longest[i] for i in batch) for batch in batches]
    assert means != sorted(means), "the blocks are shuffled"


def test_pieces_are_joined_to_text() -> None:
    assert joined("▁Ein ▁klein er ▁Hund .") == "Ein kleiner Hund."
    assert joined("") == ""


def test_the_recipe_is_the_reference_model(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, tmp_path, ("train", "test"), ("de", "en"), tmp_path / "joint.model", 4096)
    recipe = config.from_mapping(Recipe, experiment.nmt("fp32"), name="x")
    model = recipe.model.build(8000, 8000)
    parts = {name: sum(each.numel() for each in part.parameters()) for name, part in model.named_children()}
    assert recipe.model.encoder.size == 256
    # Two embeddings and the output layer, none of them shared; it multiplies the decoder's 512 units, as theirs do.
    assert parts["source_embedding"] == parts["target_embedding"] == 8000 * 256
    assert parts["output"] == 8000 * 512 + 8000
    assert recipe.data.batch.size == recipe.data.batch.max_source_tokens == 4096


def test_marian_has_the_model_that_is_trained_for_it(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path, tmp_path, ("train", "test"), ("de", "en"), tmp_path / "joint.model", 4096)
    recipe = config.from_mapping(Recipe, experiment.for_marian(), name="x")
    assert not list(misfits(recipe.model, recipe.search))
    assert recipe.search.patience == PATIENCE and recipe.search.length_penalty == 0.0


@pytest.mark.slow
def test_marian_takes_its_turns(tmp_path: Path) -> None:
    if find_spec("pymarian") is None:
        pytest.skip("needs pymarian: pip install pymarian")
    settings = export_to_marian(make_marian_run(tmp_path / "run", tied="all"), tmp_path / "m.npz")[1]
    lines = sentences(20, seed=9)
    write_lines(tmp_path / "in", lines)
    given = [settings, tmp_path / "in", tmp_path / "out", "8", "1"]
    with Toolkit("pymarian", [sys.executable, DRIVERS / "run_pymarian.py", *given], tmp_path / "log") as marian:
        turns = [marian.turn(beam) for beam in (1, 2, 1)]
        marian.stop()
    assert [turn["sentences"] for turn in turns] == [20] * 3
    greedy, beam = (list(read_text_lines(tmp_path / f"out.{each}")) for each in (1, 2))
    assert len(greedy) == len(beam) == 20 and greedy != beam and len(set(greedy)) > 10


@pytest.mark.parametrize("blocks", [True, False])
def test_joeynmt_shuffles_only_what_is_not_in_blocks(tmp_path: Path, blocks: bool) -> None:
    experiment = Experiment(tmp_path, tmp_path, ("train", "test"), ("de", "en"), tmp_path / "joint.model", 4096)
    given = experiment.joeynmt(blocks=blocks)
    assert given["training"]["shuffle"] is not blocks
    assert given["data"]["train"].endswith("blocks" if blocks else "train")


# ---------------------------------------------------------------- environments


def test_a_patch_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "builders.py"
    path.write_text('kwargs = {\n    "verbose": False,\n    "eps": 0.0,\n}\n')
    for _ in range(2):
        patch(path, '    "verbose": False,\n', "")
        assert path.read_text() == 'kwargs = {\n    "eps": 0.0,\n}\n'
    path.write_text("x x")
    with pytest.raises(PeerError, match="2 times; is it another version"):
        patch(path, "x", "y")
    with pytest.raises(PeerError, match="no such file to patch"):
        patch(tmp_path / "missing.py", "x", "y")


def test_a_peer_that_cannot_be_installed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, int("pip" in command), "", "noise\nERROR: no such version\n")

    monkeypatch.setattr(environments.subprocess, "run", run)
    with pytest.raises(PeerError, match=r"cannot install Other 1: .* ended with status 1\n.*\n?ERROR: no such version"):
        python_of(Peer("other", "Other 1", installs=(("other==1",),)), tmp_path)
    assert commands[0][1:3] == ["-m", "venv"]


def test_an_environment_that_is_ready_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer("other", "Other 1", installs=(("other==1",),), patches=(("other.py", "a", "b"),))
    site = tmp_path / "other" / "lib" / "python3" / "site-packages"
    site.mkdir(parents=True)
    (site / "other.py").write_text("a")
    (tmp_path / "other" / "ready").write_text(repr(peer.installs))
    monkeypatch.setattr(environments.subprocess, "run", lambda *_, **__: pytest.fail("nothing is to be installed"))
    assert python_of(peer, tmp_path) == tmp_path / "other" / "bin" / "python"
    assert (site / "other.py").read_text() == "b"


def test_without_a_peer_the_others_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def python(peer: Peer, folder: Path) -> Path:
        if peer.name == "opennmt":
            raise PeerError("no wheel")
        return folder / peer.name

    monkeypatch.setattr(bench_peers, "python_of", python)
    found = bench_peers.environments([environments.JOEYNMT, environments.OPENNMT], Path("e"))
    assert found == {"joeynmt": Path("e/joeynmt")}
    said = capsys.readouterr().err
    assert "goes on without OpenNMT-py 3.5.1: no wheel" in said
    assert "verbose" in said, "what was done to a peer is told"


def test_missing_data_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--environments", str(tmp_path / "e"), "--data", str(tmp_path), "--folder", str(tmp_path)]
    assert status_of(lambda: bench_peers.main(given)) == 1
    assert "train.de: there is no such file" in capsys.readouterr().err
    (tmp_path / "file").touch()
    given = ["--environments", str(tmp_path / "file" / "e"), "--folder", str(tmp_path)]
    assert status_of(lambda: bench_peers.main(given)) == 1
    assert "cannot make the folder" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--updates", "--rounds", "--batch", "--batch-sentences", "--sentences", "--length"])
def test_counts_must_be_positive(tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench_peers.main(["--environments", str(tmp_path), option, "0"])
    assert f"{option}: must be at least 1, but is 0" in capsys.readouterr().err


def test_several_threads_are_not_compared_by_their_seconds_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bench_peers.main(["--environments", str(tmp_path), "--threads", "2", "--clock", "cpu"])
    assert "with --threads above 1 use --clock wall" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "needs --folder with the models of an earlier run"),
        (["--folder", "{empty}"], "needs --folder with the models of an earlier run"),
        (["--folder", "{folder}", "--learn", "3"], "leave out --learn or train"),
        (["--folder", "{folder}", "--no-translation"], "not allowed with argument"),
    ],
)
def test_models_of_an_earlier_run_must_be_there(
    tmp_path: Path, options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder" / "nmt-fp32").mkdir(parents=True)
    given = [option.format(empty=tmp_path, folder=tmp_path / "folder") for option in options]
    with pytest.raises(SystemExit):
        bench_peers.main(["--environments", str(tmp_path), "--no-training", *given])
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("threads", "ratio"), [("1", 4.0), ("2", 1.0)])
def test_models_of_an_earlier_run_translate_again(
    tmp_path: Path, threads: str, ratio: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nmt-fp32").mkdir()
    used = []

    def translated(experiment: Experiment, *_: object) -> dict[str, list[dict[str, float]]]:
        used.append(experiment.threads)
        own, peer = ({"sentences": 8, "cpu_seconds": seconds, "seconds": 2.0} for seconds in (1.0, 4.0))
        return {"nmt-fp32 5": [own], "joeynmt 5": [peer]}

    monkeypatch.setattr(bench_peers, "environments", lambda *_: {})
    monkeypatch.setattr(bench_peers, "train", lambda *_: pytest.fail("nothing is to be trained"))
    monkeypatch.setattr(bench_peers, "translate", translated)
    monkeypatch.setattr(
        bench_peers,
        "prepare",
        lambda folder, options: Experiment(
            folder, folder, ("a", "b"), ("de", "en"), folder, 9, threads=options.threads
        ),
    )
    monkeypatch.setattr(bench_peers, "scores", lambda *_: {})
    given = ["--environments", str(tmp_path / "e"), "--folder", str(tmp_path), "--no-training", "--threads", threads]
    assert bench_peers.main(given) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    # By the seconds of one thread, or by the wall where there are several.
    assert found["beam5_ratio"] == ratio
    assert found["train_ratio_fp32"] is None
    assert used == [int(threads)]
