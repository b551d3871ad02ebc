"""Faults of model files: flipped bits, truncation, a pickle in place of the file."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from nmt.core.errors import NmtError
from nmt.core.storage.run_folder import MODEL, STATE, RunFolder, best_checkpoint
from nmt.model.weights import model_tensors
from nmt.translation.model_files.bundle import Bundle
from nmt.translation.model_files.exporting import export
from tools.fault_injection.workshop import Fault, Outcome, Workshop


def _load(path: Path, wanted: Bundle) -> str | None:
    """Load a model; ``None`` if it is right or refused with one message, otherwise what is wrong."""
    try:
        found = Bundle.load(path, device="cpu")
    except NmtError as error:
        return None if str(error) else "a message without words"
    except Exception as error:  # any exception of a reader is a failure
        return f"{type(error).__name__}: {error}"
    one, other = model_tensors(found.model), model_tensors(wanted.model)
    same = one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    return None if same and found.vocabularies.fingerprint == wanted.vocabularies.fingerprint else "another model"


def _model_files(run: Path) -> list[Path]:
    checkpoint = best_checkpoint(RunFolder(run))
    vocabularies = sorted((run / "vocabulary").glob("*.model"))
    return [run / "recipe.yaml", run / "best.json", checkpoint / MODEL, checkpoint / STATE, *vocabularies]


def _damages(content: bytes, workshop: Workshop) -> Iterator[bytes]:
    for _ in range(workshop.kills):
        place = workshop.draw.randrange(len(content))
        flipped = bytearray(content)
        flipped[place] ^= 1 << workshop.draw.randrange(8)
        yield bytes(flipped)
        yield content[:place]


def damaged_run(workshop: Workshop) -> Outcome:
    """Flip bits of every file that a model is loaded from, and truncate it."""
    run = workshop.new_run()
    shutil.copytree(workshop.whole, run)
    wanted = Bundle.load(run, device="cpu")
    return _tried(workshop, [(path, run) for path in _model_files(run)], wanted)


def damaged_model_file(workshop: Workshop) -> Outcome:
    """The same with a model file."""
    path = workshop.folder / "model.nmt"
    export(workshop.whole, path)
    return _tried(workshop, [(path, path)] * 4, Bundle.load(path, device="cpu"))


def _tried(workshop: Workshop, files: list[tuple[Path, Path]], wanted: Bundle) -> Outcome:
    tried, failures = 0, []
    for path, model in files:
        content = path.read_bytes()
        for damaged in _damages(content, workshop):
            path.write_bytes(damaged)
            tried += 1
            wrong = _load(model, wanted)
            if wrong is not None:
                failures.append(f"{path.name}: {wrong}")
        path.write_bytes(content)
    return Outcome(tried, tuple(failures), "one message that names the file, or the unchanged model")


class _Marker:
    """Writes a file if it is ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def pickles(workshop: Workshop) -> Outcome:
    """Put a pickle in place of each file; none may run."""
    run, marker = workshop.new_run(), workshop.folder / "unpickled"
    shutil.copytree(workshop.whole, run)
    packed = workshop.folder / "pickled.nmt"
    export(run, packed)
    tried, failures = 0, []
    for path, model in [*((each, run) for each in _model_files(run)), (packed, packed)]:
        content = path.read_bytes()
        torch.save(_Marker(marker), path)
        archive = path.read_bytes()
        for evil in (pickle.dumps(_Marker(marker)), archive):
            path.write_bytes(evil)
            tried += 1
            try:
                Bundle.load(model, device="cpu")
                failures.append(f"{path.name}: was loaded")
            except NmtError:
                pass
            except Exception as error:  # as above
                failures.append(f"{path.name}: {type(error).__name__}: {error}")
        path.write_bytes(content)
    failures += [f"{marker} is there: code was run"] if marker.exists() else []
    return Outcome(tried, tuple(failures), "one message that names the file; no code is run")


FILE_FAULTS = (
    Fault("run-files", "files of a run with flipped bits or truncated", damaged_run),
    Fault("model-file", "the same with a model file", damaged_model_file),
    Fault("pickles", "a pickle in place of each file", pickles),
)
