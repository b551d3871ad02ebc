"""The card of a model on the hub: a header that the hub reads, and text for people."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nmt.data.source import FeatureSourceConfig, SourceConfig
from nmt.translation.requests.tags import Tags

NAME = "OWNER/NAME"
"""Stands for the name of the repository, which is not known yet."""

_LICENCE = (
    "# license: fill in the identifier of a licence that the training data allow, such as cc-by-4.0; remove the #\n"
    "# (https://huggingface.co/docs/hub/repositories-licenses)"
)
_ON_HUB = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?", re.ASCII)
_MARKUP = re.compile(r"([\\`*_\[\]<>&|~#$])")
_MARK = re.compile(r"\n<!-- written by nmt-export ([0-9a-f]{64}) -->\n\Z")


@dataclass(frozen=True, slots=True)
class Example:
    """A translated sentence.

    Args:
        source: the sentence.
        translation: of the model.
        picture: name of the file that shows its attention; ``None`` for a model without attention.
    """

    source: str
    translation: str
    picture: str | None


def model_card(manifest: Mapping[str, Any], example: Example | None = None) -> str:
    """Write the card of a model, from the manifest of its file.

    The card ends with a checksum, by which ``is_untouched`` knows one that nobody has edited.
    """
    text = "\n\n".join(part for part in _parts(manifest, example) if part) + "\n"
    return f"{text}\n<!-- written by nmt-export {_checksum(text)} -->\n"


def is_untouched(card: str) -> bool:
    """Whether a card is as ``model_card`` wrote it."""
    mark = _MARK.search(card)
    return mark is not None and _checksum(card[: mark.start()]) == mark[1]


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _parts(manifest: Mapping[str, Any], example: Example | None) -> Iterator[str]:
    sources, targets = _languages(manifest)
    yield f"---\n{_header(manifest)}\n{_LICENCE}\n---"
    yield f"# {_plain(_title(manifest))}"
    pair = f" from {_plain(_or(sources))} to {_plain(_or(targets))}" if sources and targets else ""
    kind = _features(manifest)
    if kind is None:
        does = f"translates{pair}, sentence by sentence, and shows by its attention what it reads for a word"
    else:
        does = f"puts {kind.noun}s into words, and shows by its attention where it looks for a word"
    yield f"A model that {does}."
    given, what = ("input.txt", "...") if kind is None else ("list.txt", f"path to one of the {kind.noun}s")
    option, argument = "", ""
    if len(targets) > 1:
        option, argument = f" --target-language {targets[0]}", f', target_language="{targets[0]}"'
    listed = "" if kind is None else f"Each line of `list.txt` is a path: one of the {kind.noun}s.\n\n"
    yield _architecture(manifest["recipe"].get("model") or {})
    yield (
        f"## How to use it\n\nInstall the Python package `nmt`{_version(manifest)} by `pip install .` in the folder of "
        "its source (**to be filled in**: where that is; a package index may have another one of this name). Put the "
        f"name of this repository for `{NAME}`:\n\n{listed}"
        f"```sh\nnmt-translate hf:{NAME}{option} < {given} > output.txt\n```\n\n"
        f'```python\nimport nmt\n\ntranslator = nmt.Translator.load("hf:{NAME}"{argument})\n'
        f'for translation in translator.translate(["{what}"]):\n    print(translation.text, translation.alignment)\n```'
    )
    if example is not None:
        yield _example(example)
    yield _data(manifest)
    yield _scores(manifest)
    yield _training(manifest)
    yield "## Licence\n\n**To be filled in**, here and in the header: the licence of the weights, and that of the data."


def _header(manifest: Mapping[str, Any]) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    recipe, scores = manifest["recipe"], manifest.get("scores", {}).get("test") or []
    corpus = (recipe.get("test") or {}).get("corpus") or {}
    corpora = (recipe.get("data") or {}).get("train") or []
    names = {str(each.get("name")) for each in corpora if each.get("type") == "hub"}
    kind = _features(manifest)
    task = "translation" if kind is None else kind.task
    begun = str((recipe.get("training") or {}).get("init_from") or "")
    data = ModelCardData(
        language=[*dict.fromkeys(code for side in _languages(manifest) for code in side)] or None,
        library_name="nmt",
        pipeline_tag=task or None,
        tags=[*([task] if task else []), "attention", "recurrent-neural-network"],
        datasets=sorted(filter(_ON_HUB.fullmatch, names)) or None,
        base_model=begun.removeprefix("hf:").partition("@")[0] if begun else None,
        metrics=[_metric(score) for score in scores] or None,
        model_name=_title(manifest),
        eval_results=[
            EvalResult(
                task_type=task or "other",
                dataset_type=_slug(corpus),
                dataset_name=_described(corpus),
                dataset_split=corpus.get("split", "test"),
                metric_type=_metric(score),
                metric_name=score["name"],
                metric_value=round(float(score["value"]), 2),
                metric_args={"signature": score["signature"]},
            )
            for score in scores
        ]
        or None,
    )
    if data.eval_results is None:
        del data.model_name  # the hub knows it only with results
    return str(data.to_yaml()).strip()


def _languages(manifest: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The languages of each side; of a model of several, all of them."""
    data = manifest["recipe"].get("data") or {}
    source, target = (str(data.get(f"{side}_language") or "") for side in ("source", "target"))
    tags = Tags.of(manifest["recipe"])
    if tags.languages:
        return [*dict.fromkeys(one for one, _ in tags.pairs(source))], [*tags.languages]
    return [source] if source else [], [target] if target else []


def _or(codes: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(codes[:-1]), codes[-1]]))


def _features(manifest: Mapping[str, Any]) -> type[FeatureSourceConfig] | None:
    """What kind of files its sources are, ``None`` if they are text."""
    section = (manifest["recipe"].get("data") or {}).get("source") or {}
    found = SourceConfig.registry.find(section.get("type", "text") if isinstance(section, dict) else str(section))
    return found if found is not None and issubclass(found, FeatureSourceConfig) else None


def _title(manifest: Mapping[str, Any]) -> str:
    return str(manifest["recipe"].get("name") or manifest.get("provenance", {}).get("run") or "model")


def _metric(score: Mapping[str, Any]) -> str:
    """The hub's name of a metric: ``chrf`` for ``chrF2``."""
    return str(score["name"]).lower().rstrip("0123456789+")


def _described(corpus: Mapping[str, Any]) -> str:
    """Name a corpus as its recipe does."""
    named = [str(corpus[key]) for key in ("name", "file", "source", "target") if corpus.get(key)]
    return " and ".join(named[:1] if corpus.get("name") or corpus.get("file") else named) or "test set"


def _slug(corpus: Mapping[str, Any]) -> str:
    """The name of a data set as the hub wants it."""
    name = _described(corpus)
    return name if _ON_HUB.fullmatch(name) else re.sub(r"\W+", "-", name).strip("-").lower()


def _architecture(model: Mapping[str, Any]) -> str:
    kinds = {name: _kind(model.get(name)) for name in ("encoder", "decoder", "attention")}
    size = (model.get("embedding") or {}).get("size")
    parts = [f"{name} `{kind}`" for name, kind in kinds.items() if kind]
    parts += [f"embeddings of {size} units"] if size else []
    return f"Its parts, as its recipe names them: {', '.join(parts)}." if parts else ""


def _kind(section: Any) -> str:
    if not isinstance(section, dict):
        return str(section or "")
    score = section.get("score")
    score = score.get("type") if isinstance(score, dict) else score
    words = [section.get("type"), section.get("cell"), score, section.get("size")]
    return " ".join(str(word) for word in words if word is not None)


def _example(example: Example) -> str:
    picture = "" if example.picture is None else f"\n\n![Attention]({example.picture})"
    return f"## An example\n\n> {_plain(example.source)}\n\n> {_plain(example.translation)}{picture}"


def _data(manifest: Mapping[str, Any]) -> str:
    rows = [
        f"| {part} | {_plain(report.get('name', ''))} | {report.get('lines', '')} | {report.get('kept', '')} |"
        for part, report in manifest.get("corpus", {}).items()
        if isinstance(report, dict) and "name" in report
    ]
    table = ["| | corpus | pairs | kept by the filters |", "|---|---|---|---|", *rows]
    return "## Data\n\n" + "\n".join(table) if rows else ""


def _scores(manifest: Mapping[str, Any]) -> str:
    scores = manifest.get("scores", {})
    tested, held_out = scores.get("test") or [], scores.get("validation") or {}
    rows = [
        f"| test | {_plain(each['name'])} | {each['value']:.2f} | {_in_cell(each['signature'])} |" for each in tested
    ]
    for key, name in (("bleu", "BLEU"), ("chrf", "chrF2"), ("perplexity", "perplexity")):
        if key in held_out:
            signature = _in_cell(held_out.get(f"{key}_signature"))
            rows.append(f"| validation | {name} | {held_out[key]:.2f} | {signature} |")
    corpus = (manifest["recipe"].get("test") or {}).get("corpus") or {}
    about = f"The test set is {_plain(_described(corpus))}. Every score has its signature.\n\n" if tested else ""
    table = ["| set | metric | value | signature |", "|---|---|---|---|", *rows]
    return f"## Scores\n\n{about}" + "\n".join(table) if rows else ""


def _plain(text: object) -> str:
    """Write a text, such as a placeholder ``<num>`` or the name of a corpus, so that Markdown shows it as it is."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def _version(manifest: Mapping[str, Any]) -> str:
    return f" (written by version {manifest['nmt']})" if manifest.get("nmt") else ""


def _in_cell(signature: str | None) -> str:
    """Write a signature, which has vertical bars, into a cell of a table."""
    return "`{}`".format(signature.replace("|", r"\|")) if signature else ""


def _training(manifest: Mapping[str, Any]) -> str:
    versions = manifest.get("versions", {})
    with_versions = [f"{name} {versions[name]}" for name in ("nmt", "torch", "sentencepiece") if name in versions]
    seed = manifest.get("provenance", {}).get("seed")
    return (
        f"## Training\n\nCheckpoint `{manifest['checkpoint']}`, seed {seed}{', by ' if with_versions else ''}"
        f"{', '.join(with_versions)}. `nmt-export --show hf:{NAME}` prints the recipe, versions, fingerprints of the "
        "text and counts, which the model file holds."
    )
