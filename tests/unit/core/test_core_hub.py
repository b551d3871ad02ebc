"""What a user reads when a model on the hub cannot be had; the real library against a local stand-in of the hub."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_stand_in import TOKEN, Repository, StandIn, stand_in

from nmt.core.errors import CheckpointError
from nmt.core.storage.hub import HubModel, is_hub_name

# The library reads its environment once, so every case has a process; what it waits before it tries again is left out.
SCRIPT = """
import sys, time
time.sleep = lambda seconds: None
from nmt.core.errors import NmtError
from nmt.translation.model_files.hub_folder import local_model, pinned
from pathlib import Path
for name in sys.argv[1:]:
    try:
        print(f"{pinned(name)} {local_model(Path(name)).read_text()}")
    except NmtError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    ours, foreign, bare, headless = (tmp_path_factory.mktemp(name) for name in ("ours", "foreign", "bare", "headless"))
    for folder, kind in ((ours, "nmt"), (foreign, "marian"), (headless, "nmt")):
        (folder / "config.json").write_text(f'{{"model_type": "{kind}"}}')
    (ours / "model.safetensors").write_text("of ours")
    (ours / "README.md").write_text("a card")
    (ours / "modeling.py").write_text("raise SystemExit")
    (foreign / "model.safetensors").write_text("of Marian")
    (bare / "README.md").write_text("nothing but a card")
    with stand_in() as hub:
        for name, folder in (
            ("ours", ours),
            ("foreign", foreign),
            ("bare", bare),
            ("headless", headless),
            ("private", ours),
            ("gated", ours),
        ):
            hub.repositories[f"me/{name}"] = repository = Repository(private=name == "private", gated=name == "gated")
            repository.commit(folder, "v1", "refs/pr/1")
        yield hub


def asked(environment: dict[str, str], *names: str) -> list[str]:
    """Ask for models in one process, and return what it says of each."""
    command = [sys.executable, "-c", SCRIPT, *names]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=True)
    assert "Traceback" not in done.stderr and "%|" not in done.stderr, "no bar where nobody looks at a terminal"
    return done.stdout.splitlines()


def test_only_what_a_model_needs_is_downloaded_and_only_once(hub: StandIn, tmp_path: Path) -> None:
    commit = hub.repositories["me/ours"].names["main"]
    hub.asked.clear()
    names = ["hf:me/ours", "hf:me/ours@v1", "hf:me/ours@refs/pr/1", f"hf:me/ours@{commit}"]
    assert asked(hub.environment(tmp_path), *names) == [f"hf:me/ours@{commit} of ours"] * 4
    downloads = [each.rpartition("/")[2] for each in hub.asked if each.startswith("GET /me/")]
    assert downloads == ["config.json", "model.safetensors"]
    offline = hub.environment(tmp_path, HF_HUB_OFFLINE="1")
    there, not_there = asked(offline, "hf:me/ours", "hf:me/foreign")
    assert there == f"hf:me/ours@{commit} of ours"
    assert f"hf:me/foreign: the cache ({tmp_path}/hub) does not have it, and HF_HUB_OFFLINE" in not_there


def test_each_reason_has_its_message(hub: StandIn, tmp_path: Path) -> None:
    names = ["hf:me/none", "hf:me/private", "hf:me/gated", "hf:me/ours@v2", "hf:me/foreign", "hf:me/bare"]
    none, private, gated, revision, foreign, bare = asked(hub.environment(tmp_path), *names)
    unseen = f"there is no such repository, or it is private: log in by `hf auth login`, or set HF_TOKEN ({hub.url}/me/"
    assert none == f"hf:me/none: {unseen}none)" and private == f"hf:me/private: {unseen}private)"
    assert gated.startswith(f"hf:me/gated: is gated: ask for access at {hub.url}/me/gated, and log in by")
    assert revision.startswith("hf:me/ours@v2: the repository has no revision 'v2'; give a branch, a tag or a commit")
    assert foreign == "hf:me/foreign: is not a model of nmt, but of another program: its config.json says so"
    assert bare.startswith("hf:me/bare: the repository has no config.json; it is not a model that nmt-export --hub")
    (headless,) = asked(hub.environment(tmp_path), "hf:me/headless")
    assert ": the repository has no model.safetensors; it is not a model that nmt-export --hub" in headless
    assert not [each for each in hub.asked if "foreign" in each and "safetensors" in each], "only its config is read"


def test_a_token_opens_what_is_private_and_a_wrong_one_is_named(hub: StandIn, tmp_path: Path) -> None:
    private, gated, none = asked(
        hub.environment(tmp_path, HF_TOKEN=TOKEN), "hf:me/private", "hf:me/gated", "hf:me/none"
    )
    assert private.endswith("of ours") and gated.endswith("of ours")
    assert none.startswith("hf:me/none: there is no such repository, or your token may not read it")
    (wrong,) = asked(hub.environment(tmp_path / "other", HF_TOKEN="hf_wrong"), "hf:me/ours")
    assert "the hub answers" in wrong and "401" in wrong and "it refuses your token: log in by" in wrong


def test_without_a_network_the_cache_serves_or_the_message_says_so(hub: StandIn, tmp_path: Path) -> None:
    asked(hub.environment(tmp_path), "hf:me/ours")
    nowhere = hub.environment(tmp_path, HF_ENDPOINT="http://127.0.0.1:9")  # nobody listens there
    there, not_there = asked(nowhere, "hf:me/ours", "hf:me/foreign")
    assert there.endswith("of ours")
    assert f"the cache ({tmp_path}/hub) does not have it, and http://127.0.0.1:9 cannot be reached (" in not_there
    assert not_there.endswith("; check the network")
    hub.broken = True
    try:
        (broken,) = asked(hub.environment(tmp_path), "hf:me/foreign")
    finally:
        hub.broken = False
    assert "does not have it, and the hub answers" in broken and "503" in broken


@pytest.mark.parametrize("name", ["hf:", "hf:ours", "hf:me/", "hf:me/ours@", "hf:me/ours/more", "hf:m e/ours"])
def test_other_forms_of_names_are_refused(name: str) -> None:
    assert is_hub_name(name)
    with pytest.raises(CheckpointError, match="must be hf:owner/name or hf:owner/name@revision"):
        HubModel.parse(name)


def test_names_are_read_as_text_and_as_the_paths_of_the_command_line() -> None:
    for name in ("hf:me/ours", "hf:me/ours@v1", "hf:me/ours@refs/pr/1"):
        assert str(HubModel.parse(name)) == str(HubModel.parse(Path(name))) == name and is_hub_name(Path(name))
    assert not is_hub_name("runs/hf:me/ours") and not is_hub_name(Path("./runs"))
