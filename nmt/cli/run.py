"""Common parts of all commands: the parser, and one clear message instead of a traceback.

Exit status: 0 success; 1 problem with the input, a file or the machine; 2 wrong command line or recipe (as in
argparse); 130 interrupted (128 + SIGINT); 143 terminated (128 + SIGTERM); 129 hung up (128 + SIGHUP); 141 standard
output closed by its reader (128 + SIGPIPE). The last four are what a shell reports for a program killed by these
signals, so ``set -o pipefail`` and ``make`` treat them as usual.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from nmt import __version__
from nmt.core.errors import LostProcessError, NmtError, is_out_of_memory
from nmt.core.logging import configure_logging, few, logger, logging_kept
from nmt.core.machine.allocator import keep_freed_memory, memory_variables
from nmt.core.machine.launch import launch
from nmt.core.machine.signals import SAVING, STOPPING, handling, settle
from nmt.core.own_parts import import_own, own_errors_told
from nmt.core.storage.files import os_reason

COMMAND_LINE = "command line"
"""Source of a mistake in the options, as named in messages."""

_STOPPED = {"SIGTERM": "terminated", "SIGHUP": "hung up"}
CLOSED_PIPE = 128 + 13  # SIGPIPE, which not every system defines


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of examples, and one metavar for several arguments, such as ``RUN MODEL``."""

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        if not action.option_strings and isinstance(action.metavar, str) and " " in action.metavar:
            return action.metavar
        return super()._format_args(action, default_metavar)


def command_parser(
    program: str, description: str, *, examples: Sequence[str], imports: bool = True
) -> argparse.ArgumentParser:
    """Return a parser with the options of ``begin``, ``--version``, and examples at the end of its help.

    Every command that reads a recipe or a model needs ``--import``.
    """
    width = max(11, shutil.get_terminal_size().columns - 2)  # as in argparse
    parser = argparse.ArgumentParser(
        prog=program,
        description=textwrap.fill(description, width),
        epilog="examples:\n" + "\n".join(f"  {example}" for example in examples),
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    volume = parser.add_mutually_exclusive_group()
    volume.add_argument("--quiet", action="store_true", help="only warnings and errors on standard error")
    volume.add_argument("--verbose", action="store_true", help="details on standard error")
    parser.set_defaults(imports=[])
    if imports:
        parser.add_argument(
            "--import",
            dest="imports",
            action="append",
            metavar="FILE",
            help="your own Python file (or the name of a module) that registers parts of the recipe or the model; "
            "may be repeated",
        )
    return parser


def begin(options: argparse.Namespace) -> None:
    """Do the common first steps after parsing: set up logging, and import a user's own parts.

    Raises:
        ConfigError: an import fails.
    """
    launched = launch()
    if launched is None or launched.rank == 0:
        configure_logging(quiet=options.quiet, verbose=options.verbose)
    else:  # the first process tells what all do
        configure_logging(quiet=True, process=str(launched))
    for each in options.imports:
        import_own(each)


def warn_of_lines(numbers: Sequence[int | str], what: str) -> None:
    """Warn of lines with a problem, if there are any, at the end of a command."""
    if numbers:
        logger.warning("%s: %d (lines %s)", what, len(numbers), few(numbers))


def run(command: Callable[[], int | None]) -> int:
    """Run a command and return its exit status; user errors end in one message on standard error.

    Standard streams are set to UTF-8 first, whatever the locale, because the data is UTF-8. Bugs keep their traceback;
    an error in a file given by ``--import`` is reported with its line. The logging of a calling program is restored
    afterwards.

    Args:
        command: the command with bound arguments; ``None`` counts as status 0.
    """
    _use_utf8()
    with memory_variables(), _terminable():
        keep_freed_memory()
        try:
            with logging_kept(), own_errors_told():
                status = command()
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a closed pipe or full disk is still reported
            return status or 0
        except NmtError as error:
            whose = "" if isinstance(error, LostProcessError) else _process()
            return _fail(f"error: {whose}{error}" if str(error) else "", error.exit_status)
        except KeyboardInterrupt as stop:
            number = next((each for each in stop.args if each in STOPPING), signal.SIGINT)
            return _fail(f"{_process()}{_STOPPED.get(number.name, 'interrupted')}", 128 + number)
        except BrokenPipeError:
            _settle_output()
            return CLOSED_PIPE
        except OSError as error:
            where = f"{error.filename}: " if error.filename is not None else ""
            return _fail(f"error: {_process()}{where}{os_reason(error)}", 1)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            detail = str(error).strip().split("\n")[0]
            advice = "use smaller batches, shorter sentences or a smaller model"
            return _fail(f"error: {_process()}out of memory{f' ({detail})' if detail else ''}; {advice}", 1)


def _process() -> str:
    """Name of this process, for messages, if it is one of several that torchrun has started."""
    launched = launch()
    return "" if launched is None or launched.world_size == 1 else f"{launched}: "


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Context in which SIGTERM and SIGHUP end a command like Ctrl-C, so that no half-written files are left.

    SIGUSR1 requests a checkpoint and is ignored here: other commands write their results continuously, and training
    has its own handler.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number))

    try:
        with handling(STOPPING[1:], end), handling(SAVING, lambda *_: None):
            yield
    finally:
        settle(False)  # the process may go on: the command was called by another program


def _fail(message: str, status: int) -> int:
    settle()  # the message is not lost by a signal now
    _settle_output()
    with contextlib.suppress(OSError, AttributeError):  # standard error may be closed too
        if message:
            print(message, file=sys.stderr, flush=True)
    return status


def _settle_output() -> None:
    """Flush standard output; if it is closed, prevent an error message by Python at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


def _use_utf8() -> None:
    for stream, errors in ((sys.stdin, "strict"), (sys.stdout, "strict"), (sys.stderr, "backslashreplace")):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            with contextlib.suppress(OSError, ValueError):  # already read from, or closed
                reconfigure(encoding="utf-8", errors=errors)
