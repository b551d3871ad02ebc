"""Generated scenes: what is said of a picture is so, and boxes are where its shapes are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy
import pytest
from PIL import Image

from tools.scenery.captions import caption, questions, requests
from tools.scenery.drawing import draw_picture
from tools.scenery.layout import COLOURS, SHAPES, Scene, Thing, draw_scene
from tools.scenes import main

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "scenes.py"
SMALL = ["--train", "6", "--validation", "3", "--test", "30", "--size", "64"]
SCENES = [draw_scene(Random(number)) for number in range(600)]
SIDES = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}


def lines(folder, name):
    return (folder / name).read_text(encoding="utf-8").splitlines()


def middle(box):
    left, top, right, bottom = box
    return (left + right) / 2, (top + bottom) / 2


def test_it_runs_from_anywhere_and_the_same_seed_gives_the_same_bytes(tmp_path):
    command = [sys.executable, str(SCRIPT), "one", *SMALL]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
    assert "6 for train, 3 for validation, 30 for test" in done.stdout
    assert main([str(tmp_path / "other"), *SMALL[2:], "--train", "2"]) == 0
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(names) == 39 + 3 * 7
    for name in names:
        if "train" not in str(name):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert main([str(tmp_path / "third"), *SMALL, "--seed", "2"]) == 0
    assert lines(tmp_path / "third", "test.en") != lines(tmp_path / "one", "test.en")
    assert not set(lines(tmp_path / "one", "train.en")) & set(lines(tmp_path / "one", "test.en"))


def test_boxes_hold_the_colour_that_their_words_name(tmp_path):
    main([str(tmp_path), *SMALL])
    named = 0
    for path, words, regions in zip(
        *(lines(tmp_path, f"test.{each}") for each in ("images", "en", "regions")), strict=True
    ):
        pixels = numpy.asarray(Image.open(tmp_path / path).convert("RGB")).astype(int)
        assert pixels.shape == (64, 64, 3)
        for region in json.loads(regions):
            word = words.split()[region["word"]]
            if word not in COLOURS:
                assert word in (*SHAPES, "large", "small")
                continue
            distances = abs(pixels[:, :, None] - list(COLOURS.values())).sum(-1)
            alike = (distances.argmin(-1) == list(COLOURS).index(word)) & (distances.min(-1) < 90)
            left, top, right, bottom = region["box"]
            inside = alike[int(top) : int(bottom) + 1, int(left) : int(right) + 1].mean()
            named += 1
            assert inside > 0.15, (path, words, region)
    assert named > 40


@pytest.mark.parametrize("shape", SHAPES)
def test_a_box_is_as_large_as_its_shape(shape):
    scene = Scene((Thing("red", shape, 0.4, 0.6, 0.2, 0.1),), "in the middle")
    pixels = numpy.asarray(draw_picture(scene, 200, Random(3))).astype(int)  # on plain grey
    rows, columns = (abs(pixels - pixels[0, 0]).sum(-1) > 100).nonzero()
    drawn = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert max(abs(a - b * 200) for a, b in zip(drawn, scene.things[0].box, strict=True)) <= 2.5


def test_captions_say_where_things_stand():
    relations = Counter()
    for scene in SCENES:
        words = caption(scene)
        text = " ".join(word.text for word in words)
        first, *others = (middle(thing.box) for thing in scene.things)
        for word, following in pairwise(words):
            if word.text in ("a", "an"):
                assert (word.text == "an") == (following.text == "orange")
        if len(others) == 1:
            (relation,) = (each for each in SIDES if f" {each} " in text)
            relations[relation] += 1
            x, y = SIDES[relation]
            distance = (first[0] - others[0][0], first[1] - others[0][1])
            assert distance[0] * x + distance[1] * y > 2 * abs(distance[0] * y + distance[1] * x) - 0.06
        elif others:
            relations["between"] += 1
            assert " between " in text and " and " in text
            axis = max((0, 1), key=lambda axis: abs(others[0][axis] - others[1][axis]))
            assert others[0][axis] < first[axis] < others[1][axis]
        else:
            relations["alone"] += 1
            for word, axis, below in (("left", 0, True), ("right", 0, False), ("top", 1, True), ("bottom", 1, False)):
                side = first[axis] < 0.45 if below else first[axis] > 0.55
                assert not (word in text.split() and not side), text
    assert min(relations[each] for each in SIDES) > 50
    assert min(relations["between"], relations["alone"]) > 80


def test_things_neither_touch_nor_leave_the_picture():
    for scene in SCENES:
        for one in scene.things:
            assert min(one.box) > 0 and max(one.box) < 1
            for other in scene.things:
                distance = numpy.hypot(one.x - other.x, one.y - other.y)
                assert one is other or distance > one.radius + other.radius


def test_words_name_the_things_that_have_their_colour_and_shape():
    for scene in SCENES:
        named = [word for word in caption(scene) if word.thing is not None and word.text not in ("large", "small")]
        assert [word.text for word in named] == [part for thing in scene.things for part in (thing.colour, thing.shape)]
        assert all(word.text in (word.thing.colour, word.thing.shape) for word in named)


def test_questions_have_one_answer():
    kinds = Counter()
    for scene in SCENES:
        for question, answer in questions(scene):
            kinds[question.split()[0] + question.split()[1]] += 1
            words = question.split()
            if question.startswith("what colour"):
                assert {thing.colour for thing in scene.things if thing.shape == words[-1]} == {answer}
            elif question.startswith("what shape"):
                assert {thing.shape for thing in scene.things if thing.colour == words[-1]} == {answer}
            elif question.startswith("how many"):
                assert {"one": 1, "two": 2, "three": 3}[answer] == len(scene.things)
            else:
                one, other = (
                    next(thing for thing in scene.things if thing.name == tuple(name))
                    for name in (words[3:5], words[-2:])
                )
                x, y = SIDES[answer if answer in SIDES else f"{answer} of"]
                assert (one.x - other.x) * x + (one.y - other.y) * y > 0
    assert len(kinds) == 4 and min(kinds.values()) > 100


def test_replies_describe_a_scene_and_say_where_one_thing_stands():
    sides = Counter()
    for scene in SCENES:
        (first, described), *rest = requests(scene)
        assert (first, described) == ("describe the picture", " ".join(word.text for word in caption(scene)))
        for request, reply in rest:
            words = request.split()
            (thing,) = (thing for thing in scene.things if thing.name == tuple(words[2:4]))
            x, y = SIDES[reply if reply in SIDES else f"{reply} of"]
            assert (thing.x - 0.5) * x + (thing.y - 0.5) * y > 0.05
            assert reply in words
            sides[reply] += 1
    assert len(sides) == 4 and min(sides.values()) > 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--train", "-1"], "must be 0 or more"),
        (["--size", "8"], "must be 32 or more"),
        (["--questions", "many"], "invalid"),
    ],
)
def test_wrong_arguments(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit):
        main([str(tmp_path), *arguments])
    assert message in capsys.readouterr().err


def test_a_folder_that_cannot_be_is_one_message(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file"), *SMALL]) == 1
    assert capsys.readouterr().err.startswith("scenes.py: error: ")
