"""How errors are answered: a status, and one sentence as JSON."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from nmt.core.errors import ConfigError, DataError, NmtError
from nmt.core.logging import logger
from nmt.serving.engine import Busy, Expired, Stopped

GONE = 499
"""Status of a request whose client went away; nobody receives it."""


class Refused(NmtError):  # noqa: N818
    """A request is refused.

    Args:
        status: of the answer.
        message: what is wrong, and what would be right.
        headers: of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


def refusal(error: Exception) -> Response:
    """Answer an error; one that is no user's is told in the log, with where it arose, and not to the client."""
    message, headers = sentence(error), dict[str, str]()
    match error:
        case Refused():
            status, headers = error.status, error.headers
        case Busy():
            status, headers = 503, {"Retry-After": f"{max(1, round(error.retry_after))}"}
        case Stopped():
            status, headers = 503, {"Retry-After": "5", "Connection": "close"}
        case Expired():
            status = 504
        case DataError() | ConfigError():
            status = 400
        case NmtError():  # the model is damaged, for example
            logger.error("%s", message)
            status = 500
        case ClientDisconnect():
            status, message = GONE, "the client went away"
        case _:
            # Without its message, which may quote a text.
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.error("a request failed, which is a bug: %s\n%s", type(error).__name__, where)
            status, message = 500, "the server made a mistake, which its log tells"
    return JSONResponse({"error": message}, status, headers)


def sentence(error: Exception) -> str:
    """The message of an error on one line."""
    return "; ".join(line.strip() for line in str(error).splitlines())


async def refuse(_request: Request, error: Exception) -> Response:
    """Answer an error that a handler raised."""
    return refusal(error)
