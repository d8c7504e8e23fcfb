"""Talking to a running daemon: its JSON API by the standard library, because these verbs must start at once.

A redirect is never followed and loopback never goes through a proxy: a token is for the address that was given.
"""

import functools
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

import click

from escalatord.cli.output import clean

URL_DEFAULT = "http://127.0.0.1:8911"
TIMEOUT_SECONDS = 10.0
ANSWER_BYTES_MAX = 32 * 1024 * 1024
TOKEN_BYTES_MAX = 4096
ERROR_CHARACTERS_MAX = 500
NUMBER = re.compile(r"(?:inc-)?(\d{1,15})", re.IGNORECASE | re.ASCII)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

EXIT_NEGATIVE = 1
EXIT_BAD_RULES = 3
EXIT_NOT_REACHABLE = 4
EXIT_NOT_ALLOWED = 5


class NegativeError(click.ClickException):
    """The answer is no: nothing is there, or its state does not allow it."""

    exit_code = EXIT_NEGATIVE


class NotReachableError(click.ClickException):
    """Nobody answers at that address, or not as escalatord does, or nothing can be committed now."""

    exit_code = EXIT_NOT_REACHABLE


class NotAllowedError(click.ClickException):
    """The daemon knows no such token, or its role does not include this."""

    exit_code = EXIT_NOT_ALLOWED


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the daemon answered: `content` is the parsed JSON."""

    status: int
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A daemon at `url`, asked with `token` ("" = as the operator at this machine)."""

    url: str = URL_DEFAULT
    token: str = ""

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """Return the JSON object at `path`; raise one of the errors above."""
        return self.ask("GET", path + (f"?{urlencode(query)}" if query else "")).content

    def post(self, path: str, content: object) -> Reply:
        """Post JSON and return the answer, a 409 (nothing changed) included."""
        return self.ask("POST", path, json.dumps(content).encode())

    def ask(self, method: str, path: str, body: bytes | None = None) -> Reply:
        """Send one request; raise NotReachableError, NotAllowedError, NegativeError or UsageError for a refusal."""
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "escalatord-cli"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, body, headers, method=method)  # noqa: S310 - checked by address
        try:
            with self._opener().open(request, timeout=TIMEOUT_SECONDS) as response:
                return Reply(status=response.status, content=self._parsed(response.read(ANSWER_BYTES_MAX)))
        except urllib.error.HTTPError as error:
            with error:
                return self._refused(error)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NotReachableError(
                f"escalatord does not answer at {self.url} ({clean(reason, ERROR_CHARACTERS_MAX)}).\n"
                "Start it with: escalatord serve (or: escalatord demo). Elsewhere? Give --url or set ESCALATORD_URL."
            ) from None

    def _opener(self) -> urllib.request.OpenerDirector:
        proxies: dict[str, str] | None = {} if urlsplit(self.url).hostname in LOOPBACK else None
        return urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _NoRedirects)

    def _parsed(self, body: bytes) -> Mapping[str, Any]:
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise NotReachableError(f"What answers at {self.url} is not escalatord. Give the right --url.")
        return content

    def _refused(self, error: urllib.error.HTTPError) -> Reply:
        body = error.read(ANSWER_BYTES_MAX)
        if error.code == HTTPStatus.CONFLICT:
            return Reply(status=error.code, content=self._parsed(body))
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        told = content if isinstance(content, dict) else {}
        sentence = clean(told.get("say") or f"the daemon answered {error.code}", ERROR_CHARACTERS_MAX)
        if told.get("fix"):
            sentence += f"\n{clean(told['fix'], ERROR_CHARACTERS_MAX)}"
        match error.code:
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
                raise NotAllowedError(
                    f"{sentence}\nAt the daemon's machine: escalatord token create NAME --role responder; "
                    "put the token into a file and give --token-file (or set ESCALATORD_TOKEN_FILE)."
                )
            case HTTPStatus.BAD_REQUEST | HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise click.UsageError(sentence)
            case HTTPStatus.SERVICE_UNAVAILABLE:
                raise NotReachableError(sentence)
            case _:
                raise NegativeError(sentence)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow nothing: the 3xx itself becomes the error."""


def with_client(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `client` and `as_json` from --url, --token-file and --json."""

    @click.option(
        "--url", envvar="ESCALATORD_URL", default=URL_DEFAULT, show_default=True, help="Where the daemon listens."
    )
    @click.option(
        "--token-file",
        envvar="ESCALATORD_TOKEN_FILE",
        type=click.Path(path_type=Path),
        help="A file with an API token; not needed at the daemon's own machine.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(command)
    def wrapped(*args: object, url: str, token_file: Path | None, **options: object) -> None:
        command(*args, client=Client(url=address(url), token=token_in(token_file)), **options)

    return wrapped


def address(url: str) -> str:
    """Return the address without a trailing slash; UsageError when it is none of HTTP."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise click.BadParameter(f"write it like {URL_DEFAULT}", param_hint="--url")
    return url.rstrip("/")


def token_in(path: Path | None) -> str:
    """Return the token in a file; UsageError when there is none, without a word of what the file holds."""
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            token = file.read(TOKEN_BYTES_MAX).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds no token"
        raise click.BadParameter(f"{path}: {reason}", param_hint="--token-file") from None
    if not token or not token.isprintable():
        raise click.BadParameter(f"{path}: it holds no token", param_hint="--token-file")
    return token


def number_of(name: str) -> int:
    """Return the number of `INC-142`, `inc-142` or `142`; UsageError for anything else."""
    match = NUMBER.fullmatch(name.strip())
    if match is None:
        raise click.BadParameter(f"{clean(name, 40)!r} is no incident; write INC-142 or 142", param_hint="INCIDENT")
    return int(match[1])
