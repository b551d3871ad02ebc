"""The documents say what the register of figures says; and the tool that compares, measures and enters."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nmt.core.errors import ConfigError, DataError
from tools import figures, measuring
from tools.register import measuring as runs
from tools.register.check import check, shown
from tools.register.entries import REGISTER, Figure, Processor, Register, Value, load
from tools.register.markdown import Document
from tools.running import status_of

ROOT = Path(__file__).resolve().parents[3]

README = """# Title

The model has **41.5**
BLEU after 12 minutes on Ours, its twin 40.0; version 2.13.0 of `0.123`, section 3.1, 3 x 256 units, dropout 0.3.

| name | BLEU | AER |
|---|---|---|
| one | 12.5 | 0.25 |
| two | 13 | 0.35 |

## More

Of what was tried, 1.25 and 1.5 times were the best.
"""

TABLE = """| name | BLEU | AER |
|---|---|---|
| one | 12.7 | 0.24 |
| two | 13 | 0.35 |
"""

TEXT = """# A comment that stays.
documents: ["*.md"]
processors:
  - {id: ours, name: Ours, vendor: Us}
  - {id: theirs, name: Theirs, vendor: Them, family: 7, flag: quick}
groups:
  - {id: code, paths: [code]}
figures:
  - id: first
    command: ["python code/measure.py {output} {corpus}"]
    commit: "before abcdef0"
    processor: ours
    seeds: [1]
    depends: [code]
    values:
      - {name: bleu, value: 41.52, spread: 0.5, read: "out.json:scores.0.value"}  # and so does this
      - {name: minutes, value: 12, spread: 25%, read: "stdout.txt:seconds/60", speed: true}
    places:
      - {file: README.md, quotes: ["has **{bleu:.1f}** BLEU after {minutes:.0f} minutes"]}
      - {file: README.md, under: Title, table: 1, digest: "DIGEST"}
  - id: second
    commit: "before abcdef0"
    processor: unknown
    depends: [code/other.py]
    values:
      - {name: bleu, value: 40, spread: 0.5}
    places:
      - {file: README.md, quotes: ["its twin {bleu:.1f}"]}
      - {file: README.md, under: More, numbers: 1.25 1.5}
not_measured:
  - reason: a setting
    places:
      - {file: README.md, under: Title, numbers: "0.3"}
"""


class House:
    """A repository of a document, a register and some code."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / REGISTER).parent.mkdir(parents=True)
        self.readme, self.register = root / "README.md", root / REGISTER
        self.readme.write_text(README, encoding="utf-8")
        digest = Document("README.md", README).tables[0].digest
        self.register.write_text(TEXT.replace("DIGEST", digest), encoding="utf-8")
        (root / "code").mkdir()
        (root / "code" / "measure.py").write_text(
            "import json, sys\nfrom pathlib import Path\n"
            "found = {'scores': [{'value': float(open(sys.argv[2]).read())}]}\n"
            "Path(sys.argv[1], 'out.json').write_text(json.dumps(found))\n"
            "print('words'); print(json.dumps({'seconds': 60})); print(json.dumps({'seconds': 780}))\n"
            f"print({TABLE!r})\n"
        )

    def say(self, before: str, after: str) -> None:
        text = self.readme.read_text(encoding="utf-8")
        assert text.count(before) == 1
        self.readme.write_text(text.replace(before, after), encoding="utf-8")

    def enter(self, before: str, after: str) -> None:
        text = self.register.read_text(encoding="utf-8")
        assert text.count(before) == 1
        self.register.write_text(text.replace(before, after), encoding="utf-8")

    def problems(self) -> list[str]:
        return check(load(self.root), self.root)

    def commit(self, message: str = "change") -> str:
        if shutil.which("git") is None:
            pytest.skip("needs git")
        git = ["git", "-C", str(self.root), "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        if not (self.root / ".git").exists():
            subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", message, "--allow-empty"], check=True)
        return measuring.commit(self.root)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


@pytest.fixture
def tool(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The tool, in the house, on a processor of Ours, with a corpus in which stands what is measured."""
    monkeypatch.setattr(figures, "ROOT", house.root)
    monkeypatch.setattr(figures, "cpu", lambda: {"vendor_id": "Us"})
    (tmp_path / "corpus").write_text("41.8")
    return lambda *words: status_of(lambda: figures.main([str(word) for word in words]))


@pytest.fixture(scope="module")
def register() -> Register:
    """That of the project."""
    return load(ROOT)


def test_every_figure_of_the_documents_is_in_the_register_and_no_other(register: Register) -> None:
    assert not check(register, ROOT)


def test_what_figures_depend_on_is_there(register: Register) -> None:
    paths = {path for figure in register.figures for path in register.paths(figure)}
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_commits_of_the_register_are_in_the_history(register: Register) -> None:
    if measuring.git("rev-parse", "--is-shallow-repository", root=ROOT) != "false\n":
        pytest.skip("needs the history of the repository: a clone that is not shallow, and git")
    commits = {figure.since for figure in register.figures if not figure.derived}
    assert [each for each in sorted(commits) if measuring.changes(each, ["."], ROOT) is None] == []


def test_a_house_in_order(house: House) -> None:
    assert house.problems() == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("**41.5**", "**41.6**", "README.md, line 3: first: bleu is 41.6 here and 41.5 in the register"),
        ("12 minutes", "15 minutes", "minutes is 15 here and 12 in the register"),
        ("its twin 40.0", "the other", "second: 'its twin {bleu:.1f}' does not stand here"),
        ("0.25 |", "0.26 |", "README.md, line 6: first: the numbers of table 1 under 'Title' are not those"),
        ("| two | 13 |", "| two | 14 |", "the numbers of table 1 under 'Title' are not those"),
        ("1.25 and", "1.26 and", "second: 1.25 does not stand under 'More'"),
        ("1.25 and", "1.26 and", "line 13: 1.26 is in no entry; if it was measured"),
        ("the best.", "the best, by 3 %.", "line 13: 3 is in no entry"),
        ("the best.", "the best, in four minutes.", "line 13: four is in no entry"),
        ("the best.", "the best, at 300 to 400 tokens per second.", "line 13: 300 is in no entry"),
        ("## More", "| n | x |\n|---|---|\n| a | 3 |\n\n## More", "line 13: 3 is in no entry"),
        ("## More", "## Less", "second: there is no heading 'More'"),
        ("its twin 40.0", "its twin 40.0, its twin 40.0", "stands here 2 times; quote more"),
        ("dropout 0.3", "dropout", "not_measured 1: 0.3 does not stand under 'Title'"),
    ],
)
def test_what_differs_is_told(house: House, before: str, after: str, said: str) -> None:
    house.say(before, after)
    assert said in "\n".join(house.problems())


def test_a_number_that_is_declared_under_another_heading_is_not_known(house: House) -> None:
    house.say("its twin 40.0", "its twin 40.0, or 1.25")
    house.say("1.25 and 1.5", "1.5")
    said = "\n".join(house.problems())
    assert "README.md, line 4: 1.25 is in no entry" in said and "1.25 does not stand under 'More'" in said


def test_a_longer_number_is_another_one(house: House) -> None:
    house.say("its twin 40.0", "its twin 40.05")
    assert "bleu is 40.05 here and 40.0 in the register" in "\n".join(house.problems())
    house.say("its twin 40.05", "its twin 40.0")
    house.say("12 minutes", "112 minutes")
    assert "minutes is 112 here and 12 in the register" in "\n".join(house.problems())


def test_lines_may_be_broken_elsewhere_and_words_around_numbers_changed(house: House) -> None:
    house.say("has **41.5**\nBLEU after", "has **41.5** BLEU\nafter")
    house.say("Of what was tried, 1.25 and 1.5 times were the best.", "The best had 1.5 times, the next 1.25.")
    assert house.problems() == []


def test_a_document_that_is_none_and_a_table_that_is_not_there(house: House) -> None:
    house.enter("table: 1", "table: 2")
    house.enter("{file: README.md, under: More", "{file: OTHER.md, under: More")
    said = "\n".join(house.problems())
    assert "second: OTHER.md is none of the documents" in said
    assert "first: there is no table 2 under 'Title'" in said
    assert "12.5 is in no entry" in said


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("processor: ours", "processor: hours", "figures.0.processor must be one of ours, theirs, unknown"),
        ("depends: [code]", "depends: [core]", "has 'core', which is neither a group nor a path"),
        ("id: second", "id: first", "has 'first' twice"),
        ("twin {bleu:.1f}", "twin {blue:.1f}", "quotes 'blue', which is no value of second"),
        ("spread: 25%", "spread: much", "must be a number or a share such as 25%"),
        ('numbers: "0.3"', 'numbers: ""', "must have one of quotes, numbers and table"),
        ('numbers: "0.3"', 'quotes: ["{bleu:g}"]', "quotes a value, but nothing was measured"),
        ("value: 40,", "value: 40, median_of: [first.bleu],", "must have either a value or median_of"),
        ("    seeds: [1]\n", "    seed: 1\n", "did you mean `figures.0.seeds`?"),
        ('commit: "before abcdef0"\n    processor: ours', "commit: tomorrow\n    processor: ours", "must be a hash"),
    ],
)
def test_a_mistake_in_the_register_is_told_with_its_place(house: House, before: str, after: str, said: str) -> None:
    house.enter(before, after)
    with pytest.raises(ConfigError) as caught:
        load(house.root)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("BLEU 41.5, 3.5.1, `0.5`, sections 3.1 and 3.2, equation 4.2, CC-BY 4.0, in 2015, 1,000 lines", ["41.5"]),
        ("4.0 and 7 times, **3** x, 2 x 256, 22 + 31 minutes, 5 % of 10^5", ["4.0", "7", "3", "22", "31", "5"]),
        ("[0.5](http://a/0.6) <!-- 0.7 --> <kbd>0.8</kbd> ![](1.5.png)", ["0.5", "0.8"]),
        ("a\n\n```\n0.5\n```\n\n~~~\n0.6\n~~~\n0.7", ["0.7"]),
        ("entmax-1.5, 1.5-entmax, v1.5, 2.5a, 1.5.", ["1.5"]),
        ("three to five minutes, two seeds, ten times", ["three", "five", "ten"]),
        ("| a | b |\n|---|---|\n| 1 | in 2015 |\n", []),
        ("| a | b |\n|---|---|\n| 1 | **7** (2015), `3` |\n| x | - |\n", ["7", "2015"]),
    ],
)
def test_what_a_figure_is(text: str, found: list[str]) -> None:
    assert [each.text for each in Document("a", text).figures] == found


def test_the_numbers_of_a_table_make_its_digest_not_its_words() -> None:
    rows = (
        "| a | b |\n|---|---|\n| x | 1.5 |\n",
        "| a | c |\n|---|---|\n| **y**   | 1.5 |\n",
        "|a|b|\n|---|---|\n|x|1.6|\n",
    )
    digests = [Document("a", text).tables[0].digest for text in rows]
    assert digests[0] == digests[1] != digests[2]


def test_halves_are_rounded_as_people_do() -> None:
    assert (shown(41.345, ".2f"), shown(7.55, ".1f"), shown(0.0029, ".3f"), shown(1500, ",.0f")) == (
        "41.35", "7.6", "0.003", "1,500",
    )  # fmt: skip


def test_medians_follow_what_they_are_of(house: House) -> None:
    house.enter(
        "not_measured:",
        "  - id: both\n    values: [{name: bleu, median_of: [first.bleu, second.bleu]}]\n"
        "    places: [{file: README.md, quotes: ['Both {bleu:.2f} ({first.bleu:.1f})']}]\nnot_measured:",
    )
    house.readme.write_text(README + "\nBoth 40.76 (41.5).\n", encoding="utf-8")
    assert house.problems() == []
    register = load(house.root)
    assert register.members(register.find("both")) == list(register.figures[:2])
    assert register.paths(register.find("both")) == ["code", "code/other.py"]
    house.enter("median_of: [first.bleu, ", "median_of: [third.bleu, ")
    with pytest.raises(ConfigError, match=r"has a median of 'third\.bleu', which is no value of a figure"):
        load(house.root)


def test_agreement_is_within_the_spread() -> None:
    value = Value("x", 40.0, spread=0.5)
    assert value.agrees(40.5) and not value.agrees(40.51) and not value.agrees(39.4)
    share = Value("x", 40.0, spread="10%")
    assert share.agrees(44.0) and not share.agrees(44.1) and not share.agrees(35.9)


def test_a_processor_is_known_by_vendor_family_and_flag() -> None:
    processor = Processor("a", "A", "Them", 7, "quick")
    cpu = {"vendor_id": "Them", "cpu family": "7", "flags": "slow quick"}
    assert processor.fits(cpu)
    for other in ({"vendor_id": "Us"}, {"cpu family": "8"}, {"flags": "slow quicker"}):
        assert not processor.fits({**cpu, **other})


def test_a_run_compares_and_leaves_everything_as_it_is(
    house: House, tool: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    house.commit()
    before = house.register.read_text(), house.readme.read_text()
    words = ["run", "first", "--data", f"corpus={tmp_path / 'corpus'}", "--output", tmp_path / "runs"]
    assert tool(*words) == 0
    out = capfd.readouterr().out
    assert "words\n" in out
    assert "first.bleu: 41.8, was 41.52: agrees (spread 0.5)" in out and "first.minutes: 13, was 12: agrees" in out
    (tmp_path / "corpus").write_text("43")
    assert tool(*words) == 1
    assert "first.bleu: 43, was 41.52: DIFFERS" in capfd.readouterr().out
    assert before == (house.register.read_text(), house.readme.read_text())


def test_speed_on_another_processor_is_not_compared(
    house: House,
    tool: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    house.commit()
    house.enter("value: 12,", "value: 120,")
    monkeypatch.setattr(figures, "cpu", lambda: {"vendor_id": "Them", "cpu family": "7", "flags": "quick"})
    words = ["run", "first", "--data", f"corpus={tmp_path / 'corpus'}", "--output", tmp_path / "runs"]
    assert tool(*words) == 0
    assert "not compared: that was ours, this is theirs" in capfd.readouterr().out
    assert tool(*words, "--update") == 1
    assert "--new-processor replaces them" in capfd.readouterr().err


def test_an_update_writes_register_and_text_and_touches_nothing_else(
    house: House, tool: Callable[..., int], tmp_path: Path
) -> None:
    head = house.commit()
    (tmp_path / "corpus").write_text("44.26")
    words = ["run", "first", "--data", f"corpus={tmp_path / 'corpus'}", "--output", tmp_path / "runs"]
    text = house.register.read_text()
    assert tool(*words, "--update") == 0
    said = README.replace("**41.5**", "**44.3**").replace("12 minutes", "13 minutes")
    assert house.readme.read_text() == said.replace("12.5 | 0.25", "12.7 | 0.24"), "the table is that which was printed"
    digests = [Document("README.md", each).tables[0].digest for each in (README, house.readme.read_text())]
    wanted = text.replace('"before abcdef0"', f'"{head}"', 1).replace(*digests)
    wanted = wanted.replace("41.52", "44.26").replace("value: 12,", "value: 13,")
    assert house.register.read_text() == wanted
    assert house.problems() == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("| name | BLEU | AER |", "| names | BLEU | AER |", "table 1 under 'Title' of README.md"),
        (', read: "stdout.txt:seconds/60"', "", "the value minutes"),
        ('quotes: ["has', 'numbers: "0.5"}\n      - {file: README.md, quotes: ["has', "0.5 under '' of README.md"),
    ],
)
def test_what_no_command_tells_is_not_entered(
    house: House,
    tool: Callable[..., int],
    tmp_path: Path,
    before: str,
    after: str,
    said: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (house.say if before in README else house.enter)(before, after)
    house.commit()
    texts = house.register.read_text(), house.readme.read_text()
    words = ["run", "first", "--data", f"corpus={tmp_path / 'corpus'}", "--output", tmp_path / "runs"]
    assert tool(*words, "--update") == 1
    assert f"first: not entered, since its commands do not tell {said}. Put what" in capfd.readouterr().out
    assert texts == (house.register.read_text(), house.readme.read_text())


def test_a_table_that_the_command_has_written_itself_is_entered(
    house: House, tool: Callable[..., int], tmp_path: Path
) -> None:
    head = house.commit()
    house.say("| name | BLEU | AER |", "| names | BLEU | AER |")
    house.say("| one | 12.5 |", "| one | 12.6 |")
    words = ["run", "first", "--data", f"corpus={tmp_path / 'corpus'}", "--output", tmp_path / "runs"]
    assert tool(*words, "--update") == 0
    assert load(house.root).find("first").commit == head and house.problems() == []


def test_what_is_entered_from_a_run_has_its_commit(house: House, tool: Callable[..., int], tmp_path: Path) -> None:
    head = house.commit()
    words = ["run", "first", "--data", f"corpus={tmp_path / 'corpus'}", "--output", tmp_path / "runs"]
    assert tool(*words) == 0
    house.commit("later")
    assert tool("record", "first", "--from", tmp_path / "runs" / "first") == 0
    assert load(house.root).find("first").commit == head
    assert "| one | 12.7 | 0.24 |" in house.readme.read_text()


def test_an_update_of_uncommitted_code_is_refused(
    house: House, tool: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    house.commit()
    (house.root / "code" / "new.py").write_text("")
    text = house.register.read_text()
    words = ["run", "first", "--data", f"corpus={tmp_path / 'corpus'}", "--output", tmp_path / "runs"]
    assert tool(*words, "--update") == 1
    assert "has uncommitted changes; commit them before --update" in capfd.readouterr().err
    assert house.register.read_text() == text


def test_a_run_goes_on_only_where_nothing_has_changed(
    house: House, tool: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    house.commit()
    words = ["run", "first", "--data", f"corpus={tmp_path / 'corpus'}", "--output", tmp_path / "runs"]
    assert tool(*words) == 0
    mark = tmp_path / "runs" / "first" / "mark"
    mark.touch()
    (house.root / "elsewhere").touch()
    house.commit()
    assert tool(*words) == 0 and mark.exists(), "what it does not depend on may change"
    (house.root / "code" / "other.py").write_text("")
    assert tool(*words) == 1
    house.commit()
    capfd.readouterr()
    assert tool(*words) == 1
    assert "what first depends on is not the same now; --afresh" in capfd.readouterr().err
    assert tool(*words, "--afresh") == 0 and not mark.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "frist"], "there is no figure 'frist'; did you mean 'first'?"),
        (["run", "first"], "first: needs --data corpus=PATH"),
        (["run", "second"], "second: there is no command that measures it"),
        (["record", "first", "blue=3"], "first has no value 'blue'; it has bleu, minutes"),
        (["record", "first", "bleu=much"], "bleu=much: must be NAME=NUMBER"),
        (["record", "first", "bleu=3", "--commit", "1234567"], "git does not know '1234567'"),
        (["record", "first", "bleu=3", "--processor", "hours"], "--processor: must be one of ours, theirs"),
    ],
)
def test_a_mistake_is_one_message(
    house: House, tool: Callable[..., int], words: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    house.commit()
    text = house.register.read_text()
    assert tool(*words) == 1
    assert said in capfd.readouterr().err and house.register.read_text() == text


def test_what_was_measured_elsewhere_is_entered(
    house: House, tool: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    head = house.commit()
    house.say("| one | 12.5 |", "| one | 12.6 |")
    (tmp_path / "out.json").write_text(json.dumps({"scores": [{"value": 40.0}]}))
    (tmp_path / "stdout.txt").write_text('{"seconds": 660}\n{"other": 3}\n')
    assert tool("record", "first", "--from", tmp_path, "--processor", "theirs") == 0
    assert "measured on theirs now, not ours; see that README.md says so" in capfd.readouterr().out
    first = load(house.root).find("first")
    assert (first.commit, first.processor, first.values[0].value, first.values[1].value) == (head, "theirs", 40, 11)
    assert "has **40.0**\nBLEU after 11 minutes" in house.readme.read_text()
    assert house.problems() == [], "the digest is that of the table as it is"
    assert tool("record", "second", "bleu=39.5") == 0
    assert "as it stands, so see that it is what was measured: 1.25 1.5 under 'More'" in capfd.readouterr().out
    assert "its twin 39.5" in house.readme.read_text() and house.problems() == []


def test_figures_older_than_what_they_depend_on_are_listed(
    house: House, tool: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    head = house.commit()
    assert tool("record", "first") == tool("record", "second") == 0
    house.commit("documents only")
    assert tool("stale") == 0
    assert "no figure is older" in capfd.readouterr().out
    (house.root / "code" / "more.py").write_text("")
    house.commit("Change the code")
    capfd.readouterr()
    assert tool("stale") == 1
    out = capfd.readouterr().out
    assert out.startswith(f"first: 1 commits since {head}, the last one") and "Change the code" in out
    assert "second" not in out, "which depends on another file"
    assert tool("stale", "second") == 0


def test_a_commit_that_git_does_not_know_is_told(
    house: House, tool: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    house.commit()
    assert tool("stale", "first") == 1
    assert "first: git does not know abcdef0 here" in capfd.readouterr().out


def test_a_list_of_the_figures_of_a_document(
    house: House, tool: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert tool("list", "README.md") == 0
    assert "first: bleu 41.52, minutes 12 (before abcdef0, ours)\n    README.md\n" in capfd.readouterr().out
    assert tool("list", "OTHER.md") == 0
    assert capfd.readouterr().out == ""


def test_check_has_a_status(house: House, tool: Callable[..., int], capfd: pytest.CaptureFixture[str]) -> None:
    assert tool("check") == 0
    house.say("**41.5**", "**41.6**")
    assert tool("check") == 1
    assert "bleu is 41.6 here" in capfd.readouterr().out


def test_a_training_that_was_begun_goes_on(tmp_path: Path) -> None:
    line = ["nmt-train", "a.yaml", "seed=2", "--output", str(tmp_path)]
    assert runs.resumed(line) == line
    (tmp_path / "recipe.yaml").write_text("")
    assert runs.resumed(line) == ["nmt-train", "--output", str(tmp_path), "--resume"]


def test_a_command_that_fails_is_told(
    house: House, tool: Callable[..., int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "corpus").write_text("no number")
    words = ["run", "first", "--data", f"corpus={tmp_path / 'corpus'}", "--output", tmp_path / "runs"]
    assert tool(*words) == 1
    assert "first: its command ended with status 1" in capfd.readouterr().err


def test_a_value_that_is_not_there_is_named(tmp_path: Path) -> None:
    figure = Figure("first", values=(Value("bleu", 1.0, read="out.json:scores.1.value"),))
    with pytest.raises(DataError, match="is not there, though"):
        runs.read(figure, tmp_path)
    (tmp_path / "out.json").write_text('{"scores": [{"value": 40.0}]}')
    with pytest.raises(DataError, match=r"has no number scores\.1\.value"):
        runs.read(figure, tmp_path)


def test_the_commands_of_the_register_are_there(register: Register) -> None:
    lines = [line.split() for figure in register.figures for line in figure.command]
    named = {words[1] if words[0] == "python" else words[0] for words in lines}
    scripts = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [name for name in sorted(named) if not (ROOT / name).exists() and f"{name} = " not in scripts] == []
