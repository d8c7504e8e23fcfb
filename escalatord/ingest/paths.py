"""Paths into a JSON body: the part of JSONPath that names places, without filters, slices, descent or scripts.

`$` is the item itself, then any number of `.name`, `['name']`, `[3]` and `[*]`. Source: RFC 9535, sections 2.3.1-2.3.3.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from escalatord.ingest.body import pointer

PATH_CHARACTERS_MAX = 500
PATHS_REMEMBERED_MAX = 1_000
STEP = re.compile(
    r"""\.(?P<name>[^\W\d][\w-]*)            # .name
      | \[(?P<index>\d{1,9})\]               # [3]
      | \[(?P<every>\*)\]                    # [*]
      | \['(?P<single>(?:[^'\\]|\\.)*)'\]    # ['name']
      | \["(?P<double>(?:[^"\\]|\\.)*)"\]    # ["name"]
    """,
    re.VERBOSE,
)
UNESCAPE = re.compile(r"\\(.)", re.DOTALL)
REFUSED = (
    ("..", "`..` (search everywhere) is not supported; write the whole path"),
    ("[?", "filters are not supported; pick a place by its name or number"),
    ("[(", "scripts are not supported"),
    (".*", "`.*` is not supported; `[*]` goes through a list"),
    ("[-", "places are counted from the front, from 0"),
    (".[", "a `[` follows without a dot"),
)


class Every:
    """The step `[*]`: every member of a list."""


EVERY: Final = Every()


class PathError(ValueError):
    """A path that cannot be read; `column` counts from 1."""

    def __init__(self, column: int, say: str) -> None:
        super().__init__(f"column {column}: {say}")
        self.column = column


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. Steps are names, places in a list, or EVERY."""

    text: str
    steps: tuple[str | int | Every, ...]

    @property
    def many(self) -> bool:
        """Return whether the path can name several places."""
        return EVERY in self.steps

    @property
    def parent(self) -> "Path":
        """Return the path without its last step; that of `$` is itself."""
        return Path(self.text, self.steps[:-1])

    def find(self, tree: object, at: str = "") -> list[tuple[str, object]]:
        """Return every (JSON pointer, value) that the path names in `tree`, in order; `at` is where `tree` stands."""
        found = [(at, tree)]
        for step in self.steps:
            if isinstance(step, Every):
                found = [
                    (pointer(where, index), child)
                    for where, node in found
                    if isinstance(node, list)
                    for index, child in enumerate(node)
                ]
            elif isinstance(step, str):
                found = [
                    (pointer(where, step), node[step])
                    for where, node in found
                    if isinstance(node, dict) and step in node
                ]
            else:
                found = [
                    (pointer(where, step), node[step])
                    for where, node in found
                    if isinstance(node, list) and step < len(node)
                ]
        return found


@lru_cache(maxsize=PATHS_REMEMBERED_MAX)
def parse_path(text: str) -> Path:
    """Return the path written in `text`; raise `PathError` with the column and a sentence."""
    if len(text) > PATH_CHARACTERS_MAX:
        raise PathError(PATH_CHARACTERS_MAX, f"a path has at most {PATH_CHARACTERS_MAX} characters")
    if not text.startswith("$"):
        raise PathError(1, 'a path starts with `$`, like "$.name" or "$.jobs[*].state"')
    steps: list[str | int | Every] = []
    place = 1
    while place < len(text):
        match = STEP.match(text, place)
        if match is None:
            say = next((why for start, why in REFUSED if text.startswith(start, place)), "")
            raise PathError(place + 1, say or "here a step is wanted: .name, ['name'], [0] or [*]")
        steps.append(_step(match))
        place = match.end()
    return Path(text, tuple(steps))


def _step(match: re.Match[str]) -> str | int | Every:
    if match["every"]:
        return EVERY
    if match["index"] is not None:
        return int(match["index"])
    if match["name"] is not None:
        return match["name"]
    quoted = match["single"] if match["single"] is not None else match["double"]
    return UNESCAPE.sub(r"\1", quoted)
