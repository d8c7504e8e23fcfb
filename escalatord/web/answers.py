"""Answers in JSON: one shape for errors, one writer for everything."""

from collections.abc import Mapping

from aiohttp import web
from pydantic_core import to_json

from escalatord.web.parts import RETRY_AFTER_SECONDS

JSON = "application/json"


def answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return `content` as JSON; dataclasses, instants and enums are written as they are."""
    return web.Response(body=to_json(content), status=status, content_type=JSON, headers=headers)


def refuse(
    status: int, error: str, say: str, *, fix: str = "", headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return an error: a stable code, a sentence, and what to do about it."""
    return answer({"error": error, "say": say, "fix": fix}, status, headers)


def unavailable(say: str = "Nothing can be committed now; nothing was accepted.") -> web.Response:
    """Return 503: senders try again, so nothing is lost by telling the truth."""
    return refuse(
        503,
        "unavailable",
        say,
        fix="Send it again: this is safe, repeats change nothing.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )
