"""Quantities with units, and durations as Prometheus writes them.

What senders print is read too: exponents (`1e+06`) and durations with a fraction (`2.4s`, `1.5 hours`). A number may
come out as infinite; whoever compares it must refuse that.
"""

import math
import re
from dataclasses import dataclass

DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
DURATION_UNIT_SECONDS = (604800.0, 86400.0, 3600.0, 60.0, 1.0, 0.001)
NUMBER = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d_]\w*|%)?", re.ASCII)
UNIT_PERCENT = "percent"
UNIT_SECONDS = "seconds"
UNIT_COUNT = ""
UNIT_WORD_SECONDS = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}
QUANTITY_CHARS_MAX = 128
SHOWN_CHARS_MAX = 40
WHOLE_SECONDS_FROM = 60
TWO_DECIMALS_FROM = 1e3
NO_DECIMALS_FROM = 1e6


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and what it counts; `unit` "" is a bare number, durations are "seconds", percent is 0-100."""

    value: float
    unit: str = UNIT_COUNT

    def __str__(self) -> str:
        number = _number(self.value)
        if self.unit == UNIT_PERCENT:
            return number + "%"
        if self.unit == UNIT_SECONDS:
            whole = abs(self.value) >= WHOLE_SECONDS_FROM or self.value % 1 == 0
            return format_duration(self.value) if whole and math.isfinite(self.value) else f"{self.value:.3g}s"
        return f"{number} {self.unit}".strip()


def parse_duration_seconds(text: str) -> float:
    """Return the seconds of a Prometheus-style duration such as `90s`, `1h30m` or `3d`.

    Raise ValueError with a sentence when it is none.
    """
    match = DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        message = f'"{text[:SHOWN_CHARS_MAX]}" is not a duration; write it like 90s, 5m, 1h30m or 3d'
        raise ValueError(message)
    return sum(float(part) * unit for part, unit in zip(match.groups(), DURATION_UNIT_SECONDS, strict=True) if part)


def format_duration(seconds: float) -> str:
    """Return the shortest spelling in whole seconds (rounded), largest units first: `1h30m`, `45s`, `0s`."""
    left = round(abs(seconds))
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if seconds < 0 else "") + ("".join(parts) or "0s")


def parse_quantity(text: str) -> Quantity:
    """Return the quantity written in `text`: `5%`, `1000`, `50000 EUR`, `15m`, `2.4 s`.

    Raise ValueError with a sentence when it is none. `m` alone is minutes, as in every duration.
    """
    stripped = text.strip() if len(text) <= QUANTITY_CHARS_MAX else ""
    # durations first: 1h30m would read as one "h30m"
    match = DURATION.fullmatch(stripped)
    if match is not None and any(match.groups()):
        return Quantity(parse_duration_seconds(stripped), UNIT_SECONDS)
    found = NUMBER.fullmatch(stripped)
    if found is None:
        shown = text[:SHOWN_CHARS_MAX]
        message = f'"{shown}" is not a quantity; write a number with its unit, like 5%, 1000, 50000 EUR or 15m'
        raise ValueError(message)
    number, unit = found.groups()
    if unit in UNIT_WORD_SECONDS:
        return Quantity(float(number) * UNIT_WORD_SECONDS[unit], UNIT_SECONDS)
    return Quantity(float(number), UNIT_PERCENT if unit == "%" else unit or UNIT_COUNT)


def _number(value: float) -> str:
    """Show a number so that it does not look like the limit it just misses."""
    size = abs(value)
    if size < TWO_DECIMALS_FROM or not math.isfinite(value):
        return f"{value:.6g}"
    return f"{value:.2f}".rstrip("0").rstrip(".") if size < NO_DECIMALS_FROM else f"{value:.0f}"
