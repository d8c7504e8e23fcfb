"""Logs: one line per event, no secrets, no phone numbers."""

import errno
import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog

from escalatord.log import REDACTED, TEXT_CHARACTERS_MAX, Redactor, configure, mask_phone, quiet

NOW = datetime(2026, 10, 24, 3, 11, 14, 5000, tzinfo=UTC)
PHONE = "+34600000021"
SECRET = "hunter2-hunter2"


class StoppedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        """Return the same instant always."""
        return NOW

    def monotonic(self) -> float:
        """Return zero always."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Return at once."""


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    """Give the process its own logging back after each test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(form: str, level: str = "info") -> io.StringIO:
    """Return the stream of freshly configured logs."""
    stream = io.StringIO()
    configure(StoppedClock(), stream, level=level, form=form, secrets=[SECRET, "short"])
    return stream


def test_logfmt_is_one_line_in_a_fixed_order() -> None:
    """A logfmt line begins with time, level and message and stays one line whatever the values hold."""
    stream = logged("logfmt")
    structlog.get_logger().info(
        "paged", incident=142, title="a\nlevel=error \x1b[31m\u202e", **{"odd key=": True}, none=None
    )
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line.startswith('ts=2026-10-24T03:11:14.005Z level=info msg=paged incident=142 title="a\\nlevel=error ')
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert "odd_key_=true" in line


def test_json_is_one_object_per_line() -> None:
    """A JSON line carries the same members with their types."""
    stream = logged("json")
    structlog.get_logger().warning("late", seconds=2.5, people=["ana"])
    found = json.loads(stream.getvalue())
    assert found == {
        "ts": "2026-10-24T03:11:14.005Z",
        "level": "warning",
        "msg": "late",
        "seconds": 2.5,
        "people": ["ana"],
    }


def fail() -> None:
    """Raise what a careless provider library might."""
    raise RuntimeError(f"provider said {SECRET} for {PHONE}")


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_no_secret_and_no_phone_leaves(form: str) -> None:
    """Canaries in every place of an event, in exceptions and in library logs do not come out."""
    stream = logged(form)
    log = structlog.get_logger()
    said = f"sms to {PHONE}"
    log.info(
        said,
        token="tok-canary",
        auth_token=SECRET,
        to=PHONE,
        nested={"password": "pw-canary", PHONE: [PHONE]},
    )
    log.info(
        "url",
        url="https://u:pw-canary@x/a/7QF3M9TX2B4KP?token=tok-canary&x=1",
        header="Bearer tok-canary",
        deep=(SECRET,),
    )
    try:
        fail()
    except RuntimeError:
        log.exception("failed")
        logging.getLogger("aiohttp.server").exception("request by %s", PHONE, extra={"secret": "tok-canary"})
    text = stream.getvalue()
    assert text.count("\n") == 4
    for canary in (PHONE, PHONE[1:], SECRET, "tok-canary", "pw-canary", "7QF3M9TX2B4KP"):
        assert canary not in text
    assert "…21" in text
    assert "RuntimeError" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call +34 600-000 021 now", "call …21 now"),
        ("+15550100121,+34600000099", "…21,…99"),
        ("+12345", "+12345"),
        ("2026-10-24T03:11:14+00:00", "2026-10-24T03:11:14+00:00"),
        ("1+2000000 and a+34600000021", "1+2000000 and a+34600000021"),
        ("Authorization: Basic dXNlcjpwYXNz", f"Authorization: Basic {REDACTED}"),
        ("GET /in/am?token=abc&dry_run=1", f"GET /in/am?token={REDACTED}&dry_run=1"),
        ("short stays", "short stays"),
        ("x" * (TEXT_CHARACTERS_MAX + 9), "x" * TEXT_CHARACTERS_MAX + "…"),
    ],
)
def test_redaction_of_texts(text: str, expected: str) -> None:
    """Phones are masked, tokens replaced, everything else is left as it was."""
    assert Redactor([SECRET, "short"]).text(text) == expected


def test_redaction_of_values_is_bounded() -> None:
    """Values of any type and depth come out as something that can be rendered."""
    deep: object = PHONE
    for _ in range(50):
        deep = {"a": [deep]}
    shown = str(Redactor()(None, "info", {"deep": deep, "set": {1}, "object": object, "n": 3, "none": None})).replace(
        " ", ""
    )
    assert PHONE not in shown
    assert "'set':[1]" in shown
    assert "'n':3" in shown


def test_level_filters_ours_and_theirs() -> None:
    """Below the level nothing is written, neither by us nor by libraries."""
    stream = logged("logfmt", "error")
    structlog.get_logger().warning("no")
    logging.getLogger("asyncio").warning("no")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(("level", "form"), [("loud", "json"), ("info", "xml")])
def test_unknown_words_are_refused(level: str, form: str) -> None:
    """A level or format that does not exist is an error with the words to choose from."""
    with pytest.raises(ValueError, match="must be one of"):
        configure(StoppedClock(), io.StringIO(), level=level, form=form)


def test_phone_mask_keeps_two_digits() -> None:
    """Two digits are enough to tell one's own phones apart, and too few to call."""
    assert mask_phone(PHONE) == "…21"


def test_a_line_that_cannot_be_written_is_dropped() -> None:
    """A full disk under the log must not end the daemon, nor keep later lines from being written."""

    class FullDisk(io.StringIO):
        full = True

        def write(self, text: str) -> int:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(text)

    stream = FullDisk()
    configure(StoppedClock(), stream)
    structlog.get_logger().error("lost")
    logging.getLogger("asyncio").error("lost too")
    stream.full = False
    structlog.get_logger().error("kept")
    assert [line for line in stream.getvalue().splitlines() if line] == [
        "ts=2026-10-24T03:11:14.005Z level=error msg=kept"
    ]


def test_a_simulation_is_quiet_and_leaves_logging_as_it_was() -> None:
    """Nothing is written meanwhile, not even errors; afterwards lines come again."""
    stream = logged("logfmt", "info")
    with quiet():
        structlog.get_logger().error("played")
    structlog.get_logger().info("real")
    assert "played" not in stream.getvalue()
    assert "msg=real" in stream.getvalue()
