"""Folders of a model on the hub: ``config.json``, which says that it is one of ours, beside the model file."""

from __future__ import annotations

from pathlib import Path

from nmt.core.errors import CheckpointError
from nmt.core.storage.hub import HubModel, is_hub_name
from nmt.core.storage.run_folder import MODEL, read_json

CONFIG = "config.json"
MODEL_TYPE = "nmt"


def local_model(place: Path) -> Path:
    """Return the run folder or the model file that a user names.

    Args:
        place: one of both, a folder that ``nmt-export --hub`` wrote, or ``hf:owner/name``, which is downloaded.

    Raises:
        CheckpointError: it cannot be downloaded, is no model of this package, or lacks the model file.
    """
    if is_hub_name(place):
        return _downloaded(HubModel.parse(place))[1]
    if not is_hub_folder(place):
        return place
    if not (place / MODEL).is_file():
        raise CheckpointError(
            f"{place}: has a {CONFIG} of nmt, but not {MODEL}, which holds the model; download the whole repository, "
            "or write the folder again with nmt-export --hub"
        )
    return place / MODEL


def is_hub_folder(folder: Path) -> bool:
    """Whether ``nmt-export --hub`` wrote a folder."""
    try:
        return _is_ours(folder / CONFIG)
    except CheckpointError:
        return False


def pinned(place: str) -> str:
    """Return the name of a model that will not change: on the hub with its commit, elsewhere the name itself.

    Raises:
        CheckpointError: as for ``local_model``.
    """
    return str(_downloaded(HubModel.parse(place))[0]) if is_hub_name(place) else place


def _downloaded(named: HubModel) -> tuple[HubModel, Path]:
    """Download a model, after the small file that says whether it is one; with the commit that it is of."""
    config = named.download(CONFIG)
    if not _is_ours(config):
        raise CheckpointError(f"{named}: is not a model of nmt, but of another program: its {CONFIG} says so")
    commit = named.at(config)
    return commit, commit.download(MODEL)


def _is_ours(config: Path) -> bool:
    return read_json(config).get("model_type") == MODEL_TYPE
