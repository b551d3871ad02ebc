"""Export of a run or model file as a model of Marian: weights, vocabularies and settings of its decoder."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy
import yaml

from nmt.core.errors import ConfigError
from nmt.core.logging import few, logger, waiting
from nmt.core.storage.files import atomic_write, missing_hint, reporting_os_errors
from nmt.model.seq2seq import Seq2SeqConfig
from nmt.search.search_config import SearchConfig
from nmt.text.subword import SubwordModel
from nmt.text.vocabularies import Vocabularies
from nmt.translation.marian.fit import misfits
from nmt.translation.marian.vocabulary import marian_order, marian_vocabulary
from nmt.translation.marian.weights import marian_weights
from nmt.translation.model_files.bundle import open_model
from nmt.translation.model_files.stored import StoredModel

_SETTINGS = "special:model.yml"
# Where Marian's and our length penalty rise at the same rate, in pieces with eos.
_TYPICAL_LENGTH = 20
# The keys of search that Marian's settings have a counterpart of.
_CARRIED_OVER = {"strategy", "beam_size", "max_length_ratio", "max_length_offset", "length_penalty"}


def export_to_marian(path: Path, output: Path, checkpoint: str | None = None) -> list[Path]:
    """Write a model for Marian, as ``model.npz``, ``model.npz.decoder.yml`` and one or two ``.spm`` files beside it.

    What Marian does otherwise than this model's recipe says is told as warnings.

    Args:
        path: a run folder or a model file.
        output: the ``.npz`` file; may replace a model of Marian, nothing else.
        checkpoint: of a run folder, by default the best.

    Returns:
        The files.

    Raises:
        CheckpointError: there is no model, or it is damaged.
        ConfigError: the model is one that Marian does not have; every setting that does not fit is named.
        NmtError: it cannot be written.
    """
    _check_output(output)
    stored = open_model(path, checkpoint)
    stored.data_source.require_text(f"{path}: a model for Marian must translate text")
    model, search = stored.model_config, stored.section(SearchConfig, "search")
    problems = list(misfits(model, search))
    if problems:
        raise ConfigError(problems, f"{path}: Marian has no such model")
    tensors, vocabularies = stored.read(), stored.vocabularies
    orders = [marian_order(each) for each in (vocabularies.source, vocabularies.target)]
    weights = marian_weights(tensors, source_ids=orders[0], target_ids=orders[1], bos_id=vocabularies.target.bos_id)
    settings = _text(_model_settings(model, [len(order) for order in orders]))
    for difference in _differences(stored, vocabularies.source, search):
        logger.warning("Marian: %s", difference)
    return _write(output, weights, settings, vocabularies, search)


def _check_output(output: Path) -> None:
    if output.suffix != ".npz":
        raise ConfigError(f"{output}: must end in .npz, by which Marian knows the format", "command line")
    if output.exists() and not _is_marian(output):
        raise ConfigError(f"{output}: exists and is not a model of Marian; choose another name", "command line")
    if not output.parent.is_dir():
        raise ConfigError(f"{output}: cannot be written{missing_hint(output)}", "command line")


def _is_marian(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{_SETTINGS}.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _model_settings(model: Seq2SeqConfig, sizes: list[int]) -> dict[str, Any]:
    tied = model.embedding.tied
    return {
        "type": "s2s",
        "dim-emb": model.embedding.size,
        "dim-rnn": model.decoder.size,
        "dim-vocabs": sizes,
        "enc-type": "bidirectional",
        "enc-cell": "gru",
        "enc-cell-depth": 1,
        "enc-depth": 1,
        "dec-cell": "gru",
        "dec-cell-base-depth": 2,
        "dec-cell-high-depth": 1,
        "dec-depth": 1,
        "skip": False,
        "layer-normalization": False,
        "right-left": False,
        "tied-embeddings": tied == "target",
        "tied-embeddings-src": False,
        "tied-embeddings-all": tied == "all",
        "version": "v1.12.0",
    }


def _decoder_settings(output: Path, vocabularies: list[Path], search: SearchConfig) -> dict[str, Any]:
    ratio, offset = search.max_length_ratio, search.max_length_offset
    return {
        "models": [output.name],
        "vocabs": [path.name for path in vocabularies],
        "relative-paths": True,
        "beam-size": search.width,
        "normalize": round(_normalise(search), 4),
        "word-penalty": 0.0,
        # Marian counts source pieces with eos. No translation that our limit lets through is cut.
        "max-length-factor": max(ratio, (ratio + offset) / 2),
        "max-length": 10_000,
        "mini-batch": 16,
        "maxi-batch": 100,
        "maxi-batch-sort": "src",
    }


def _normalise(search: SearchConfig) -> float:
    """Exponent of Marian's length penalty ``n ** a``, which rises as ours at a typical length."""
    return search.length_penalty * _TYPICAL_LENGTH / (_TYPICAL_LENGTH + 5)


def _differences(stored: StoredModel, vocabulary: SubwordModel, search: SearchConfig) -> Iterator[str]:
    """Yield what Marian does otherwise; ``vocabulary`` is the source's."""
    source, _ = stored.normalisations
    if source.lowercase:
        yield "does not lower-case its input, as data.normalisation.lowercase says: give it lower case"
    if source.unicode == "nfkc":
        yield "does not fold characters, as data.normalisation.unicode: nfkc says: give it text in NFKC"
    if source.quotes != "keep":
        yield "does not straighten quotes, as data.normalisation.quotes says: give it straight ones"
    if source.accents != "keep":
        yield "does not strip accents, as data.normalisation.accents says: give it text without them"
    if vocabulary.symbols:
        yield (
            f"reads and writes {few(vocabulary.symbols)} as they are: it masks and copies no text (--placeholder, "
            "data.placeholders, data.subword.user_symbols)"
        )
    if search.strategy == "beam" and search.length_penalty:
        yield (
            f"divides by n ** {_normalise(search):g} for search.length_penalty {search.length_penalty:g}, which ranks "
            f"much alike but not equally; with search.length_penalty=0 both are the same"
        )
    without_effect = {name for name, _ in search.idle()}
    for each in fields(search):
        value = getattr(search, each.name)
        if value != each.default and each.name not in _CARRIED_OVER | without_effect:
            yield f"has nothing like search.{each.name}, and ignores it"


def _text(settings: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(settings), sort_keys=False)


def _write(
    output: Path, weights: Mapping[str, Any], settings: str, vocabularies: Vocabularies, search: SearchConfig
) -> list[Path]:
    sides = (
        {"vocab": vocabularies.source}
        if vocabularies.joint
        else {"source": vocabularies.source, "target": vocabularies.target}
    )
    paths = [output.with_name(f"{output.stem}.{side}.spm") for side in sides]
    configuration = output.with_name(f"{output.name}.decoder.yml")
    both = paths * 2 if vocabularies.joint else paths
    if not output.exists() and (there := [each for each in (configuration, *paths) if each.exists()]):
        raise ConfigError(f"{there[0]}: exists, and would be overwritten; choose another name", "command line")
    with reporting_os_errors("write the model"), waiting(f"writing {output}"):
        for path, vocabulary in zip(paths, sides.values(), strict=True):
            with atomic_write(path) as place:
                place.write_bytes(marian_vocabulary(vocabulary))
        with atomic_write(configuration) as place:
            place.write_text(_text(_decoder_settings(output, both, search)), encoding="utf-8")
        with atomic_write(output) as place, place.open("wb") as stream:
            # Marian reads the settings as a string that ends in zero.
            characters = numpy.frombuffer(settings.encode() + b"\0", dtype=numpy.int8)
            arrays: dict[str, Any] = {name: each.astype(numpy.float32) for name, each in weights.items()}
            numpy.savez(stream, **(arrays | {_SETTINGS: characters}))
    return [output, configuration, *paths]
