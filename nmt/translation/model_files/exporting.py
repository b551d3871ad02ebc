"""Export of a run folder to one model file, with its provenance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nmt import __version__
from nmt.core.errors import CheckpointError, ConfigError
from nmt.core.logging import waiting
from nmt.core.storage.checksums import scores_are_of
from nmt.core.storage.files import missing_hint, reporting_os_errors
from nmt.core.storage.hub import is_hub_name
from nmt.core.storage.run_folder import STATE, RunFolder, read_json
from nmt.translation.model_files.hub_folder import local_model
from nmt.translation.model_files.packed import is_packed, write_packed
from nmt.translation.model_files.stored import StoredModel, open_run

# Specific to the training machine.
_LOCAL: dict[str, dict[str, Any]] = {
    "data": {"root": ".", "cache": None},
    "training": {"init_from": None, "pretrained_embeddings": None},
}


def export(run: Path, output: Path, checkpoint: str | None = None) -> dict[str, Any]:
    """Write one checkpoint of a run (by default the best) as a model file; equal checkpoints give equal bytes.

    The file may replace a model file, nothing else. Returns the manifest without its checksum.

    Raises:
        CheckpointError: the run has no model, or is damaged.
        ConfigError: the output would overwrite something else.
        NmtError: it cannot be written.
    """
    run = local_model(run)
    if run.is_file():
        raise CheckpointError(f"{run}: must be a run folder, but is a file; copy it as it is")
    stored = open_run(run, checkpoint)
    if output.is_dir() or (output.exists() and not is_packed(output)):
        raise ConfigError(f"{output}: exists and is not a model file; choose another name", "command line")
    if not output.parent.is_dir():
        raise ConfigError(f"{output}: cannot be written{missing_hint(output)}", "command line")
    manifest = _manifest(stored)
    with reporting_os_errors("write the model"), waiting(f"writing {output}"):
        write_packed(output, stored.read(), stored.vocabularies, manifest)
    return manifest


def _manifest(stored: StoredModel) -> dict[str, Any]:
    folder = RunFolder(stored.path)
    recipe = dict(stored.recipe)
    for name, changes in _LOCAL.items():
        if isinstance(values := recipe.get(name), dict):
            recipe[name] = values | {key: new for key, new in changes.items() if not is_hub_name(str(values.get(key)))}
    state = stored.weights.parent / STATE
    origin = read_json(state).get("origin") if state.exists() else None
    provenance = {"run": folder.path.resolve().name, "seed": recipe.get("seed")}
    if isinstance(origin, dict):
        provenance |= {name: value for name, value in origin.items() if name != "sections"}
    return {
        "nmt": __version__,
        "checkpoint": stored.checkpoint,
        "recipe": recipe,
        "versions": read_json(folder.versions) if folder.versions.exists() else {},
        "provenance": provenance,
        "corpus": read_json(folder.corpus) if folder.corpus.exists() else {},
        "scores": _scores(folder, stored.weights.parent),
    }


def _scores(folder: RunFolder, checkpoint: Path) -> dict[str, Any]:
    """Known scores of the checkpoint, with signatures."""
    scores: dict[str, Any] = {}
    kind = "average" if checkpoint.name == "averaged" else "validation"
    step = None if kind == "average" else int(checkpoint.name.removeprefix("step-"))
    lines = folder.metrics.read_bytes().split(b"\n") if folder.metrics.exists() else []
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and record.get("kind") == kind and step in (None, record.get("step")):
            names = ("perplexity", "bleu", "bleu_signature", "chrf", "chrf_signature")
            scores["validation"] = {name: record[name] for name in names if name in record}
    if scores_are_of(folder.test, checkpoint):
        scores["test"] = read_json(folder.test).get("scores")
    return scores
