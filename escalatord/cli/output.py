"""What reaches the terminal: aligned, at most 100 columns, and never a control character from an alert.

An alert is written by whoever is monitored. A title with an escape sequence could repaint the screen or type into some
terminals, so every text that came from the daemon passes `clean` here, and JSON is printed in ASCII.
"""

import json
import os
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import click

COLUMNS_MAX = 100
KEY_COLUMNS = 16
CUT_MARK = "…"
COLOURS: Mapping[str, str] = {
    "critical": "red",
    "error": "bright_red",
    "warning": "yellow",
    "open": "red",
    "acknowledged": "green",
    "failed": "red",
}


def clean(text: object, columns_max: int = 0) -> str:
    """Return text on one line without control, format or unassigned characters, cut to `columns_max` (0 = whole)."""
    line = "".join(" " if sign.isspace() else sign for sign in str(text) if sign.isspace() or sign.isprintable())
    return cut(line, columns_max) if columns_max else line


def width(text: str) -> int:
    """Return how many columns `text` takes: wide characters two, combining ones none."""
    columns = 0
    for sign in text:
        if not unicodedata.combining(sign):
            columns += 2 if unicodedata.east_asian_width(sign) in "WF" else 1
    return columns


def cut(text: str, columns_max: int) -> str:
    """Return `text` in at most `columns_max` columns, with a mark where something is missing."""
    if width(text) <= columns_max:
        return text
    kept = text[:columns_max]
    while kept and width(kept) > columns_max - 1:
        kept = kept[:-1]
    return kept.rstrip() + CUT_MARK


def table(rows: Sequence[Sequence[str]], *, indent: int = 0) -> list[str]:
    """Return rows as aligned lines; all columns but the last keep their width, the last one is cut."""
    rows = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell + " " * (columns - width(cell)) for cell, columns in zip(row, widths, strict=True)]
        lines.append(cut(" " * indent + "  ".join(cells).rstrip(), COLUMNS_MAX))
    return lines


def section(key: str, lines: Iterable[str]) -> list[str]:
    """Return lines beside a key, wrapped and aligned below each other; no lines give no section."""
    found: list[str] = []
    for line in lines:
        found += textwrap.wrap(clean(line), COLUMNS_MAX - KEY_COLUMNS, break_on_hyphens=False) or [""]
    starts = [key, *[""] * len(found)]
    return [f"{start:<{KEY_COLUMNS}}{line}".rstrip() for start, line in zip(starts, found, strict=False)]


def say(lines: str | Iterable[str]) -> None:
    """Print lines, words of severity and state in colour where the terminal wants colour."""
    for line in [lines] if isinstance(lines, str) else lines:
        click.echo(_painted(line) if coloured() else line)


def say_json(content: object, *, lines: bool = False) -> None:
    """Print JSON in ASCII, indented; one object a line where `lines`."""
    click.echo(json.dumps(content, indent=None if lines else 2, ensure_ascii=True))


def coloured() -> bool:
    """Return whether to use colour: on a terminal, unless NO_COLOR says no (no-color.org) or the terminal is dumb."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def instant(text: object) -> datetime | None:
    """Return the aware datetime that the API wrote, None for null or what is no instant."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def clock(text: object, *, day: bool = False) -> str:
    """Return an instant of the API in the zone of this terminal: `03:11:14`, with `day` `2026-10-24 03:11:14 CEST`."""
    at = instant(text)
    if at is None:
        return "-"
    local = at.astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}" if day else f"{local:%H:%M:%S}"


def seconds_between(start: object, end: object) -> float | None:
    """Return the seconds between two instants of the API, None when one is missing."""
    first, last = instant(start), instant(end)
    return (last - first).total_seconds() if first is not None and last is not None else None


def _painted(line: str) -> str:
    for word, colour in COLOURS.items():
        line = f" {line} ".replace(f" {word} ", f" {click.style(word, fg=colour)} ", 1)[1:-1]
    return line
