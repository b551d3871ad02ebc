"""A local stand-in of the Hugging Face hub: the part of its HTTP interface by which models are downloaded.

It answers as the hub does: a repository that a reader may not see does not exist for them.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

TOKEN = "hf_of_a_reader"


@dataclass
class Repository:
    """Files by commit (40 hexadecimal digits), and the commits that branches and tags name."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def commit(self, folder: Path, *names: str) -> str:
        """Add the files of a folder as a commit that ``main`` and further names point to."""
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        digest = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.commits[digest] = files
        self.names |= dict.fromkeys(("main", *names), digest)
        return digest


@dataclass
class StandIn:
    """The state of the stand-in: what it has, what it was asked for, and whether it is broken."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    broken: bool = False
    url: str = ""

    def environment(self, cache: Path, **more: str) -> dict[str, str]:
        """Return the environment of a process that uses this hub and a cache of its own."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        return {**ours, "HF_ENDPOINT": self.url, "HF_HOME": str(cache), **more}

    def answer(self, path: str, token: str | None) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and content of a file's address ``/owner/name/resolve/REVISION/FILE``."""
        owner, name, resolve, revision, file = [*path.lstrip("/").split("/", 4), *[""] * 5][:5]
        repository = self.repositories.get(f"{owner}/{name}")
        if self.broken:
            return 503, {}, b""
        if token not in (None, TOKEN):
            return 401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b""
        if repository is None or resolve != "resolve" or (repository.private and token is None):
            refused = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
            return (401 if token is None else 404), refused, b""
        if repository.gated and token is None:
            return 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted"}, b""
        commit = repository.names.get(unquote(revision), revision)
        if commit not in repository.commits:
            return 404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"}, b""
        content = repository.commits[commit].get(file)
        if content is None:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b""
        return 200, {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}, content


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Serve a stand-in on this machine, as long as the context lasts."""
    state = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(with_content=True)

        def do_HEAD(self) -> None:
            self._answer(with_content=False)

        def _answer(self, *, with_content: bool) -> None:
            state.asked.append(f"{self.command} {self.path}")
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
            status, headers, content = state.answer(self.path, token)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content)), "Connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_content:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
