"""Structured logs, one line per event, in logfmt or JSON, without secrets and without phone numbers.

Rules:

- Redaction is the last step before rendering and covers every value, nested ones and exceptions included: members that
  are named like secrets, the secrets that the daemon knows by value, bearer tokens, tokens in addresses, and phone
  numbers (`…21`).
- One event is one line, whatever an alert's text holds.
- The lines of libraries that log by the standard library take the same way.
- A line that cannot be written (disk full, reader gone) is dropped; it never ends the daemon.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO, TypeAlias, cast

import structlog

from escalatord.clock import Clock

Event: TypeAlias = MutableMapping[str, Any]

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
FORMATS = ("logfmt", "json")
REDACTED = "<secret>"
SECRET_NAME = re.compile(
    r"(?i)(?:^|[_\-.])(?:secret|password|passwd|token|authorization|credential|api_?key|auth_?token|cookie|signature)s?$"
)
PHONE = re.compile(r"(?<![\w+])\+[\d][\d\s().\-]{5,18}\d(?!\w)", re.ASCII)
BEARER = re.compile(r"(?i)\b(bearer|basic|geniekey)\s+[\w\-.~+/]{6,}=*")
IN_ADDRESS = re.compile(r"(?i)([?&](?:token|key|secret|signature|password|code)=)[^&\s\"']+")
LINK_TOKEN = re.compile(r"(/a/)[\w\-]{8,}")
USERINFO = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(@)")
PHONE_DIGITS_MIN, PHONE_DIGITS_MAX = 7, 15
SECRET_CHARACTERS_MIN = 6
TEXT_CHARACTERS_MAX = 8_192
DEPTH_MAX = 8


class Redactor:
    """The processor that takes secrets and phone numbers out of an event. `secrets` are known by value."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= SECRET_CHARACTERS_MIN}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: object, _method: str, event: Event) -> Event:
        """Return the event with every value redacted."""
        return {name: REDACTED if SECRET_NAME.search(name) else self.value(value) for name, value in event.items()}

    def value(self, value: object, depth: int = 0) -> object:
        """Return a value without secrets: numbers as they are, collections member by member, the rest as text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if depth < DEPTH_MAX and isinstance(value, Mapping):
            return {
                self.text(str(name)): REDACTED if SECRET_NAME.search(str(name)) else self.value(member, depth + 1)
                for name, member in value.items()
            }
        if depth < DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
            return [self.value(member, depth + 1) for member in value]
        return self.text(str(value))

    def text(self, text: str) -> str:
        """Return a text without secrets, cut to its limit."""
        if len(text) > TEXT_CHARACTERS_MAX:
            text = text[:TEXT_CHARACTERS_MAX] + "…"
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        text = BEARER.sub(rf"\1 {REDACTED}", text)
        text = IN_ADDRESS.sub(rf"\1{REDACTED}", text)
        text = LINK_TOKEN.sub(rf"\1{REDACTED}", text)
        text = USERINFO.sub(rf"\1{REDACTED}\2", text)
        return PHONE.sub(_masked, text) if "+" in text else text


def mask_phone(number: str) -> str:
    """Return what may be shown of a phone number: its last two digits, `…21`."""
    digits = [character for character in number if character.isdigit()]
    return "…" + "".join(digits[-2:])


def configure(
    clock: Clock, stream: TextIO, *, level: str = "info", form: str = "logfmt", secrets: Iterable[str] = ()
) -> None:
    """Set up structlog and the standard library's root logger to write to `stream`; called once, by the daemon.

    `level` is one of LEVELS, `form` of FORMATS; raise ValueError for other words.
    """
    if level not in LEVELS or form not in FORMATS:
        raise ValueError(f"log level must be one of {', '.join(LEVELS)} and format one of {', '.join(FORMATS)}")

    def stamp(_logger: object, _method: str, event: Event) -> Event:
        event["ts"] = clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return event

    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        stamp,
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("msg"),
        Redactor(secrets),
    ]
    render: structlog.types.Processor = (
        structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=False) if form == "json" else _logfmt
    )
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Undaunted(stream))),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(cast("TextIO", _Undaunted(stream)))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared[:4]],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared[4:], render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(LEVELS[level], logging.INFO))


@contextmanager
def quiet() -> Iterator[None]:
    """Write no line meanwhile: what happens in a simulation is told by whoever plays it."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


class _Undaunted:
    """A stream whose lines are dropped when they cannot be written: a full disk must not silence the pager too."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write if it can be done."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if it can be done."""
        with suppress(OSError):
            self._stream.flush()


def _logfmt(logger: object, method: str, event: Event) -> str:
    """Render `ts=… level=… msg=… key=value`; names that logfmt cannot carry are mended, values stay on one line."""
    first = {name: event.pop(name) for name in ("ts", "level", "msg") if name in event}
    fields = {re.sub(r"[^\w.\-]", "_", name) or "_": _flat(value) for name, value in {**first, **event}.items()}
    render = structlog.processors.LogfmtRenderer(bool_as_flag=False)
    return render(logger, method, fields)


def _flat(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return "".join(
        character if character.isprintable() or character == "\n" else f"\\x{ord(character):02x}"
        for character in str(value)
    )


def _masked(match: re.Match[str]) -> str:
    digits = sum(character.isdigit() for character in match[0])
    return mask_phone(match[0]) if PHONE_DIGITS_MIN <= digits <= PHONE_DIGITS_MAX else match[0]
