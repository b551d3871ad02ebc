import gzip
import json
import os
import sys
import types
from pathlib import Path

import pytest

from nmt.core.errors import DataError
from nmt.data.corpus import HubCorpusConfig, read_pairs
from nmt.data.data_config import DataConfig
from nmt.data.pipeline import encode_corpus

ROWS = [{"translation": {"de": f"d{i}", "en": f"e{i}\nf"}} for i in range(5)]


def test_a_local_folder_and_its_changes(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "set").mkdir()
    data = tmp_path / "set" / "train.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    config = HubCorpusConfig(name="set", source="translation.de", target="translation.en")
    pairs = read_pairs(config, tmp_path, cache=tmp_path / "cache")
    assert list(pairs) == [(f"d{i}", f"e{i} f") for i in range(5)]
    assert pairs.counts.line_feeds == 5
    assert len(read_pairs(config, tmp_path, cache=tmp_path / "cache")) == 5
    part = HubCorpusConfig(name="set", split="train[:2]", source="translation.de", target="translation.en")
    assert len(read_pairs(part, tmp_path, cache=tmp_path / "cache")) == 2
    data.write_text(json.dumps(ROWS[0]) + "\n")
    assert len(read_pairs(config, tmp_path, cache=tmp_path / "cache")) == 1
    wrong = HubCorpusConfig(name="set", source="translation.de", target="translation.fr")
    with pytest.raises(DataError, match=r"set:train: row 1: there is no field .*translation\.de, translation\.en"):
        read_pairs(wrong, tmp_path, cache=tmp_path / "cache")
    missing = HubCorpusConfig(name="set", split="dev", source="a", target="b")
    with pytest.raises(DataError, match=r"set:dev: the dataset cannot be loaded: .*dev"):
        read_pairs(missing, tmp_path, cache=tmp_path / "cache")
    assert "Generating" not in capfd.readouterr().err, "no progress bars where there is no terminal"


@pytest.mark.parametrize("name", ["train.jsonl", "train.jsonl.gz"])
def test_a_local_file_is_known_by_its_content_and_not_by_its_time(tmp_path, monkeypatch, name):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "set").mkdir()
    data = tmp_path / "set" / name
    config = HubCorpusConfig(name="set", source="s", target="t")
    for word in ("one", "two"):
        row = json.dumps({"s": word, "t": word}).encode() + b"\n"
        data.write_bytes(gzip.compress(row, mtime=0) if name.endswith(".gz") else row)
        os.utime(data, (10**9, 10**9))  # as rsync -t, cp -p and tar keep it
        assert list(read_pairs(config, tmp_path, cache=tmp_path / "cache")) == [(word, word)]


def test_what_is_asked_of_the_library(tmp_path, monkeypatch):
    """A stand-in instead of the network: name, config, split and revision go through; its failure is one message."""
    calls = []

    def load_dataset(*args, **options):
        calls.append((args, options))
        raise ConnectionError("no route\nto the hub")

    library = types.SimpleNamespace(load_dataset=load_dataset, disable_progress_bars=lambda: None)
    monkeypatch.setitem(sys.modules, "datasets", library)
    config = HubCorpusConfig(
        name="wmt/wmt14", config="de-en", split="train[:1%]", source="a", target="b", revision="v1"
    )
    with pytest.raises(DataError, match=r"wmt/wmt14:de-en:train\[:1%\]: the dataset cannot be loaded: no route; check"):
        read_pairs(config, tmp_path, cache=tmp_path / "cache")
    cache = str(tmp_path / "cache" / "hub")
    assert calls == [(("wmt/wmt14", "de-en"), {"split": "train[:1%]", "revision": "v1", "cache_dir": cache})]


def test_files_of_a_column_are_kept_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    contents = [b"no picture, but nobody looks", b"another", b"another"]
    rows = [{"image": {"bytes": each, "path": f"{i}.png"}, "text": f"t{i}"} for i, each in enumerate(contents)]
    kinds = datasets.Features({"image": datasets.Image(decode=False), "text": datasets.Value("string")})
    (tmp_path / "set").mkdir()
    datasets.Dataset.from_list(rows, features=kinds).cast_column("image", datasets.Image()).to_parquet(
        tmp_path / "set" / "train.parquet"
    )
    config = HubCorpusConfig(name="set", source="image", target="text")
    pairs = list(read_pairs(config, tmp_path, cache=tmp_path / "cache"))
    assert [Path(source).read_bytes() for source, _ in pairs] == contents
    text = DataConfig(root=str(tmp_path), train=(config,))
    with pytest.raises(
        DataError, match=r"set:train: its sources are files, not text; say by data.source what they are"
    ):
        encode_corpus(read_pairs(config, tmp_path, cache=tmp_path / "cache"), None, text)
    assert [target for _, target in pairs] == ["t0", "t1", "t2"] and pairs[1][0] == pairs[2][0]
    assert all(Path(source).suffix == ".png" and Path(source).is_relative_to(tmp_path / "cache") for source, _ in pairs)
