"""``nmt-serve``: translate for clients over HTTP."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from nmt.cli.options.run_options import at_least_one, search_config, use_threads
from nmt.cli.options.serve_options import serve_parser
from nmt.cli.run import COMMAND_LINE, begin, run
from nmt.core.errors import ConfigError, NmtError
from nmt.core.logging import logger
from nmt.core.machine.signals import STOPPING, end_by, handling

if TYPE_CHECKING:
    from nmt.serving.registry import Registry
    from nmt.serving.web.limits import Limits

NEEDED = ("fastapi", "uvicorn", "prometheus_client")
ORIGIN = re.compile(r"https?://[\w.-]+(:\d+)?|https?://\[[\da-fA-F:]+\](:\d+)?")
# Option: the limit that it sets.
LIMITS = {
    "max_characters": "characters",
    "max_lines": "lines",
    "max_beam": "beam_size",
    "max_bytes": "body_bytes",
    "timeout": "seconds",
}
_PATIENCE = 2.0  # seconds for a computation that was given up


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    It ends the whole process where a second signal comes, or a translation is still computed at the end.
    """
    return run(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> None:
    options = serve_parser().parse_args(argv)
    begin(options)
    at_least_one(options, *LIMITS)
    if not 0 <= options.port <= 65535:
        raise ConfigError(f"--port must be between 0 and 65535, but is {options.port}", COMMAND_LINE)
    if wrong := [site for site in options.cors if not ORIGIN.fullmatch(site)]:
        raise ConfigError(f"--cors must be an origin, such as https://example.org, but is {wrong[0]}", COMMAND_LINE)
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        what = "it" if len(missing) == 1 else "them"
        raise NmtError(f'nmt-serve needs {" and ".join(missing)}; install {what}: pip install "nmt[serve]"')
    with use_threads(options):
        _serve(options)


def _serve(options: argparse.Namespace) -> None:
    from nmt.serving.engine import QUEUE_LINES
    from nmt.serving.registry import Registry
    from nmt.serving.web.access import LOOPBACK, Access, hosts_of, read_keys
    from nmt.serving.web.server import listen, serve
    from nmt.serving.web.service import Service

    keys = () if options.api_key_file is None else read_keys(options.api_key_file)
    access = Access(keys, hosts_of(options.host, options.allow_host), tuple(options.cors))
    with listen(options.host, options.port) as listener:
        logger.info("loading %s", ", ".join(options.runs))
        limits = _limits(options)
        registry = Registry.load(
            options.runs,
            device=options.device,
            search_of=partial(search_config, options),
            timeout=0.95 * limits.seconds,  # so that a stream that has begun is told before the answer is cut off
            queue_lines=max(QUEUE_LINES, limits.lines),
        )
        service = Service(registry, limits, access, log_text=options.log_text)
        _tell(registry)
        if options.host not in LOOPBACK:
            with_key = "with a key of --api-key-file" if keys else "without a key (see --api-key-file)"
            logger.warning("others can reach %s and translate %s; texts travel unencrypted", options.host, with_key)
        serve(service, listener)
    logger.info("ended")
    _end()


def _end() -> None:
    """End the process if a translation that was given up is still computed.

    Python must not end beside it: torch, whose thread would be stopped within its own code, aborts the process.
    """
    from nmt.serving.worker import all_ended

    with handling(STOPPING, lambda number, _: end_by(number)):
        ended = all_ended(_PATIENCE)
    if not ended:
        with suppress(OSError, ValueError, AttributeError):  # standard error may be closed
            sys.stderr.flush()
        os._exit(0)


def _limits(options: argparse.Namespace) -> Limits:
    from nmt.serving.web.limits import Limits

    given = {limit: value for name, limit in LIMITS.items() if (value := getattr(options, name)) is not None}
    return Limits(**given)


def _tell(registry: Registry) -> None:
    for model in registry.models:
        languages = f"{model.source} to {model.target}" if model.source and model.target else "languages not known"
        logger.info("model %s: %s", model.name, languages)


if __name__ == "__main__":
    sys.exit(main())
