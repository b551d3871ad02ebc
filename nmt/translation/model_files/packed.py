"""Model files: weights, vocabularies, recipe, versions, provenance and scores in one file.

The format is safetensors. The tensors ``model/NAME`` are the weights; ``vocabulary/joint`` (or ``source`` and
``target``) are the bytes of the SentencePiece models. The only metadata entry, ``nmt``, is the manifest, a JSON object;
its ``sha256`` is that of the whole file with zeros in place of the sum.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy
import torch
from safetensors import SafetensorError
from torch import Tensor

from nmt.core.errors import CheckpointError, DataError, NmtError
from nmt.core.storage.files import atomic_write, os_reason
from nmt.core.storage.git_lfs import what_is_wrong
from nmt.core.storage.run_folder import MOST_JSON_BYTES
from nmt.model.weights import read_shapes, read_tensors, write_tensors
from nmt.text.subword import SubwordModel
from nmt.text.vocabularies import Vocabularies
from nmt.translation.model_files.stored import StoredModel, checked_sections

FORMAT = 1
_WEIGHT, _VOCABULARY = "model/", "vocabulary/"
_NO_SUM = "0" * 64
_BLOCK = 2**20


def write_packed(path: Path, tensors: dict[str, Tensor], vocabularies: Vocabularies, manifest: dict[str, Any]) -> None:
    """Write a model file atomically; equal content gives equal bytes.

    The manifest has ``checkpoint``, ``recipe`` and further information, as plain values.

    Raises:
        NmtError: it cannot be written.
    """
    content = {f"{_WEIGHT}{name}": tensor.contiguous() for name, tensor in tensors.items()}
    for name, model in vocabularies.by_name.items():
        content[f"{_VOCABULARY}{name}"] = torch.from_numpy(numpy.frombuffer(model.serialised, dtype=numpy.uint8).copy())
    text = json.dumps({"format": FORMAT, "sha256": _NO_SUM, **manifest}, ensure_ascii=True)
    with atomic_write(path) as partial:
        try:
            write_tensors(content, partial, metadata={"nmt": text})
        except SafetensorError as error:
            raise NmtError(f"{path}: cannot be written: {error}") from error
        place = _header(partial).index(_NO_SUM.encode()) + 8
        digest = _digest(partial, place)
        with partial.open("r+b") as file:
            file.seek(place)
            file.write(digest.encode())


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the manifest of a model file, after verifying its checksum.

    Raises:
        CheckpointError: it is not a model file, of a newer format, or damaged.
    """
    try:
        header = _header(path)
        manifest = json.loads(json.loads(header)["__metadata__"]["nmt"])
        number, digest = manifest["format"], str(manifest["sha256"])
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {os_reason(error)}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        foreign = "is not an intact file that nmt-export wrote; give such a file or a run folder"
        raise CheckpointError(f"{path}: {what_is_wrong(path, foreign)}") from error
    if number != FORMAT:
        raise CheckpointError(
            f"{path}: has format {number!r}, but this version reads format {FORMAT}; it may be of a newer version"
        )
    place = header.find(digest.encode())
    if len(digest) != len(_NO_SUM) or place < 0 or _digest(path, place + 8) != digest:
        raise CheckpointError(f"{path}: does not match its checksum; the file is damaged")
    return dict(manifest)


def open_packed(path: Path) -> StoredModel:
    """Check a model file, without loading its weights.

    Raises:
        CheckpointError: it is not a model file, of a newer format, damaged, or its parts do not belong together.
        DataError: a vocabulary is not a SentencePiece model.
    """
    manifest = read_manifest(path)
    shapes = read_shapes(path)
    weights = {name.removeprefix(_WEIGHT): shape for name, shape in shapes.items() if name.startswith(_WEIGHT)}
    models = sorted(name.removeprefix(_VOCABULARY) for name in shapes if name.startswith(_VOCABULARY))
    if models not in (["joint"], ["source", "target"], ["target"]) or len(models) + len(weights) != len(shapes):
        raise CheckpointError(f"{path}: must hold weights and vocabularies, but holds {', '.join(sorted(shapes)[:5])}")
    return StoredModel(
        path=path,
        checkpoint=str(manifest.get("checkpoint", "")),
        weights=path,
        source=path,
        recipe=checked_sections(manifest.get("recipe"), path),
        vocabularies=_vocabularies(path, models),
        shapes=weights,
        read=lambda: _tensors(path, _WEIGHT),
    )


def is_packed(path: Path) -> bool:
    """Whether a file begins like a model file."""
    try:
        return b'"__metadata__":{"nmt":' in _header(path)
    except (OSError, ValueError):
        return False


def _vocabularies(path: Path, names: list[str]) -> Vocabularies:
    models = []
    for name in names:
        tensor = _tensors(path, f"{_VOCABULARY}{name}")[""]
        if tensor.dtype != torch.uint8:
            raise DataError(f"{path}: vocabulary/{name} must be bytes, but is {tensor.dtype}")
        models.append(SubwordModel(tensor.numpy().tobytes(), path))
    return Vocabularies(None if names == ["target"] else models[0], models[-1])


def _tensors(path: Path, prefix: str) -> dict[str, Tensor]:
    found = read_tensors(path, lambda name: name.startswith(prefix))
    return {name.removeprefix(prefix): tensor for name, tensor in found.items()}


def _header(path: Path) -> bytes:
    """Return the raw JSON header of a safetensors file.

    Raises:
        ValueError: it is not a safetensors file.
    """
    size = path.stat().st_size if path.is_file() else 0
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= min(size - 8, MOST_JSON_BYTES):
            raise ValueError("no safetensors file")
        return file.read(length)


def _digest(path: Path, place: int) -> str:
    """SHA-256 of a file, with zeros at the offset of the sum itself."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        found.update(file.read(place))
        file.read(len(_NO_SUM))
        found.update(_NO_SUM.encode())
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()
