"""Who may use the server: keys, the names by which browsers reach it, and pages of other sites."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from nmt.core.errors import DataError
from nmt.core.storage.files import read_text_lines
from nmt.serving.web.refusals import Refused

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Access:
    """Who is served.

    Args:
        keys: digests of the API keys, one of which a request must have; empty if it needs none.
        hosts: names by which the server may be asked, so that no other site's name can be bound to its address (DNS
            rebinding); empty for any.
        origins: other sites whose pages may ask it.
    """

    keys: tuple[bytes, ...] = ()
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    def check_site(self, headers: Headers) -> None:
        """Check the names that a browser tells.

        Raises:
            Refused: the server is asked by a name that is not its own, or by a page of another site.
        """
        host = headers.get("host", "")
        if self.hosts and _name(host) not in self.hosts:
            raise Refused(
                403, f"the server must be asked as {' or '.join(self.hosts)} (see --allow-host), but is as {host!r}"
            )
        origin = headers.get("origin")
        if origin is None or origin in self.origins:
            return
        site = origin.partition("://")[2]
        if not site or (site != host and _name(site) not in self.hosts):
            raise Refused(403, f"pages of {origin!r} may not use this server; see --cors")

    def check_key(self, headers: Headers, key: str | None = None) -> None:
        """Check the key of a request: that of its protocol, or else of the header ``Authorization: Bearer KEY``.

        Raises:
            Refused: it has none, or a wrong one.
        """
        if not self.keys:
            return
        scheme, _, told = headers.get("authorization", "").partition(" ")
        given = [each for each in (key, told.strip() if scheme.lower() == "bearer" else None) if each]
        if not given:
            raise Refused(
                401,
                "an API key must come in the header Authorization: Bearer KEY, or as api_key, but there is none",
                {"WWW-Authenticate": "Bearer"},
            )
        if not any(hmac.compare_digest(_digest(each), known) for each in given for known in self.keys):
            raise Refused(403, "the API key must be one that the server knows, but is not")


def read_keys(path: Path) -> tuple[bytes, ...]:
    """Read the digests of API keys from a file with one key a line; blank lines are skipped.

    Raises:
        DataError: it cannot be read, or has no key.
    """
    keys = tuple(_digest(key) for line in read_text_lines(path, what="API keys") if (key := line.strip()))
    if not keys:
        raise DataError(f"{path}: must have an API key a line, but has none")
    return keys


def hosts_of(host: str, others: Sequence[str] = ()) -> tuple[str, ...]:
    """The names by which a server on an address may be asked; any if others can reach it and none is given.

    Raises:
        DataError: one is no name of a host.
    """
    if wrong := [each for each in others if not _name(each)]:
        raise DataError(f"--allow-host must be a name such as translate.example.org, but is {wrong[0]!r}")
    names = tuple(map(_name, others))
    if host in LOOPBACK:
        return (*LOOPBACK, *names)
    return (*LOOPBACK, host.lower(), *names) if names else ()


def _name(host: str) -> str:
    """The name in a host with or without a port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()
