"""Writes a folder that is ready for ``hf upload``: model file, config, card and, on request, a picture."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from nmt.core.errors import CheckpointError, ConfigError, DataError
from nmt.core.logging import logger
from nmt.core.storage.files import atomic_write, missing_hint, reporting_os_errors, write_json
from nmt.core.storage.run_folder import MODEL
from nmt.translation.hub.model_card import Example, is_untouched, model_card
from nmt.translation.model_files.bundle import open_model
from nmt.translation.model_files.exporting import export
from nmt.translation.model_files.hub_folder import CONFIG, MODEL_TYPE, is_hub_folder
from nmt.translation.model_files.packed import read_manifest
from nmt.translation.output.gallery import figures_of
from nmt.translation.translator import Translator

CARD, PICTURE = "README.md", "attention.png"


def share(run: Path, folder: Path, checkpoint: str | None = None, *, example: str | None = None) -> dict[str, Any]:
    """Write a folder for the hub, in place of an earlier one if there is one; a card that was edited is kept.

    Args:
        run: a run folder, a model file or ``hf:owner/name``.
        folder: new, empty, or written by this function.
        checkpoint: of the run; by default the best one.
        example: a sentence that the card shows with its translation and a picture of the attention.

    Returns:
        The manifest of the model file.

    Raises:
        CheckpointError: there is no model, or it is damaged.
        ConfigError: the folder has something else, or the example is blank.
        DataError: the example cannot be translated.
        NmtError: something cannot be written.
    """
    if example is not None and not example.strip():
        raise ConfigError("--example: must be a sentence, but is blank", "command line")
    _see_free(folder)
    source = open_model(run, checkpoint).path  # what is wrong with it is told before anything is written
    with reporting_os_errors("write the folder for the hub"):
        folder.mkdir(exist_ok=True)
        write_json(folder / CONFIG, {"model_type": MODEL_TYPE})  # marks the folder as ours, whatever happens now
        manifest = _written_model(source, folder / MODEL, checkpoint)
        write_json(folder / CONFIG, _config(manifest))
        if _is_edited(folder / CARD):
            message = "%s: was edited, and is kept as it is, with its picture; delete it to have it written anew"
            logger.warning(message, folder / CARD)
            return manifest
        shown = None if example is None else _shown(folder, example)
        if shown is None or shown.picture is None:
            (folder / PICTURE).unlink(missing_ok=True)
        card = _card(source, manifest, shown)
        with atomic_write(folder / CARD) as partial:
            partial.write_text(card, encoding="utf-8")
    return manifest


def _card(source: Path, manifest: dict[str, Any], shown: Example | None) -> str:
    try:
        return model_card(manifest, shown)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = f"{source}: does not tell of its training what nmt-export writes, so that no card can be made"
        raise CheckpointError(message) from error


def _see_free(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and (is_hub_folder(folder) or not any(folder.iterdir()))):
        message = f"{folder}: exists and is not a folder that nmt-export --hub wrote; choose another name"
        raise ConfigError(message, "command line")
    if not folder.parent.is_dir():
        raise ConfigError(f"{folder}: cannot be written{missing_hint(folder)}", "command line")


def _written_model(source: Path, output: Path, checkpoint: str | None) -> dict[str, Any]:
    if source.is_dir():
        return export(source, output, checkpoint)
    if not (output.exists() and output.samefile(source)):
        with atomic_write(output) as partial:
            shutil.copyfile(source, partial)
    return read_manifest(output)


def _config(manifest: dict[str, Any]) -> dict[str, Any]:
    recipe = manifest["recipe"]
    data = recipe.get("data") or {}
    return {
        "model_type": MODEL_TYPE,
        "architectures": ["Seq2Seq"],
        "nmt": manifest.get("nmt"),
        "source_language": data.get("source_language") or None,
        "target_language": data.get("target_language") or None,
        "model": recipe.get("model") or {},
    }


def _shown(folder: Path, sentence: str) -> Example:
    """Translate a sentence, and draw what its words attend to."""
    (translation,) = Translator.load(folder / MODEL, device="cpu").translate([sentence])
    if translation.problem:
        raise DataError(f"--example: {sentence!r} {translation.problem}")
    figures = figures_of(translation.best)
    if not figures:
        return Example(translation.source.text, translation.text, None)
    from nmt.alignment.drawing.plots import save_figure

    save_figure(next(iter(figures.values())), folder / PICTURE)
    return Example(translation.source.text, translation.text, PICTURE)


def _is_edited(path: Path) -> bool:
    return path.exists() and not is_untouched(path.read_text(encoding="utf-8", errors="replace"))
