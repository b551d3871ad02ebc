"""Models on the Hugging Face hub, named ``hf:owner/name`` or ``hf:owner/name@revision``.

``huggingface_hub`` downloads, with its cache and its environment variables (``HF_HOME``, ``HF_TOKEN``,
``HF_HUB_OFFLINE``, ``HF_ENDPOINT``); it is imported where it is used.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Self

from nmt.core.errors import CheckpointError
from nmt.core.logging import logger
from nmt.core.storage.files import os_reason

PREFIX = "hf:"
_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>\S+))?", re.ASCII)
_LOG_IN = "log in by `hf auth login`, or set HF_TOKEN"


def is_hub_name(name: PurePath | str) -> bool:
    """Whether a user names a model on the hub, and not a path."""
    return str(name).startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class HubModel:
    """A repository of a model on the hub.

    Args:
        repository: ``owner/name``.
        revision: a branch, a tag or a commit; ``None`` is the main branch.
    """

    repository: str
    revision: str | None = None

    @classmethod
    def parse(cls, name: PurePath | str) -> Self:
        """Read ``hf:owner/name[@revision]``.

        Raises:
            CheckpointError: it has another form.
        """
        text = name.as_posix() if isinstance(name, PurePath) else name
        found = _NAME.fullmatch(text.removeprefix(PREFIX))
        if found is None:
            raise CheckpointError(f"{text}: must be {PREFIX}owner/name or {PREFIX}owner/name@revision")
        return cls(**found.groupdict())

    def __str__(self) -> str:
        revision = "" if self.revision is None else f"@{self.revision}"
        return f"{PREFIX}{self.repository}{revision}"

    def at(self, file: Path) -> Self:
        """Return the same repository at the commit from which a file was downloaded."""
        return replace(self, revision=file.parent.name)  # .../snapshots/COMMIT/FILE

    def download(self, file: str) -> Path:
        """Return the local path of a file; it is downloaded unless the cache has its newest version.

        Raises:
            CheckpointError: says why there is no such file.
        """
        import huggingface_hub

        try:
            with _quiet_bars():
                found = huggingface_hub.hf_hub_download(
                    self.repository, file, revision=self.revision, library_name="nmt"
                )
                return Path(found)
        except Exception as error:  # those of its HTTP library too, which differs between versions
            unknown = isinstance(error, huggingface_hub.errors.LocalEntryNotFoundError)
            reason = _not_cached(error) if unknown else self._reason(error, file)
            raise CheckpointError(f"{self}: {reason}") from error

    def _reason(self, error: Exception, file: str) -> str:
        from huggingface_hub import constants, errors, get_token

        url = f"{constants.ENDPOINT}/{self.repository}"
        if isinstance(error, errors.GatedRepoError):
            return f"is gated: ask for access at {url}, and {_LOG_IN}"
        if isinstance(error, errors.RepositoryNotFoundError):
            private = f"or it is private: {_LOG_IN}" if get_token() is None else "or your token may not read it"
            return f"there is no such repository, {private} ({url})"
        if isinstance(error, errors.RevisionNotFoundError):
            return f"the repository has no revision {self.revision!r}; give a branch, a tag or a commit of {url}"
        if isinstance(error, errors.EntryNotFoundError):
            return f"the repository has no {file}; it is not a model that nmt-export --hub has written"
        response = getattr(error, "response", None)
        if response is None:
            reason = os_reason(error) if isinstance(error, OSError) else _first_line(error)
            return f"{file} cannot be downloaded: {reason}"
        refused = f"; it refuses your token: {_LOG_IN}" if response.status_code == 401 else ""
        return f"the hub answers {_first_line(error)}{refused}"


def _not_cached(error: Exception) -> str:
    """Say why a file that the cache lacks could not be asked for."""
    from huggingface_hub import constants

    kept = f"the cache ({constants.HF_HUB_CACHE}) does not have it"
    if constants.HF_HUB_OFFLINE:
        return f"{kept}, and HF_HUB_OFFLINE forbids downloading"
    cause = error.__cause__ or error
    if getattr(cause, "response", None) is not None:
        return f"{kept}, and the hub answers {_first_line(cause)}"
    return f"{kept}, and {constants.ENDPOINT} cannot be reached ({_first_line(cause)}); check the network"


@contextmanager
def _quiet_bars() -> Iterator[None]:
    """Context without the library's progress bars where the logger drops progress; pipes never get them."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    hide = not logger.isEnabledFor(logging.INFO) and not are_progress_bars_disabled()
    if hide:
        disable_progress_bars()
    try:
        yield
    finally:
        if hide:
            enable_progress_bars()


def _first_line(error: Any) -> str:
    return next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
