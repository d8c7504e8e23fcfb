r"""Queries to Prometheus as templates: labels of the alert go in, as text and never as a query.

- `{{ service }}` is the alert's label of that name. It may stand inside double quotes only, where its value is escaped
  as PromQL's strings are; behind `=~` and `!~` it is escaped as an expression before, so that it matches itself alone.
- A label that the alert has not, or a query that comes out longer than QUERY_CHARS_MAX, gives no query: the fact cannot
  be had.

Source of the quoting: Prometheus' documentation, "String literals" (Go's escapes) and RE2's quoting of literal text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from escalatord.core.matchers import literal

QUERY_CHARS_MAX = 8_192
MISPLACED = 'a label may stand inside double quotes only, like service="{{ service }}"'

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<other>'(?:[^'\\\n]|\\.)*'|`[^`]*`)"""
    r"""|(?P<expression>[=!]~)|(?P<open>["'`])|(?P<space>\s+)|(?P<rest>[^\#"'`=!\s]+|[=!])"""
)
_HOLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}", re.ASCII)
_BRACES = re.compile(r"\{\{|\}\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query as written, in pieces: texts, and between them (label, whether it stands in an expression)."""

    text: str
    pieces: tuple[str, ...]
    holes: tuple[tuple[str, bool], ...]

    def filled(self, labels: Mapping[str, str]) -> str | None:
        """Return the query for an alert with these labels, None when one of them is not there or it gets too long."""
        parts = [self.pieces[0]]
        for (name, expression), piece in zip(self.holes, self.pieces[1:], strict=True):
            if name not in labels:
                return None
            parts += (_quoted(labels[name], expression=expression), piece)
        query = "".join(parts)
        return query if len(query) <= QUERY_CHARS_MAX else None


def parse_query(text: str) -> Query:
    """Return the template written in `text`; raise ValueError with a sentence when a label stands where it may not."""
    if len(text) > QUERY_CHARS_MAX:
        raise ValueError(f"this query is longer than {QUERY_CHARS_MAX} characters")
    if not text.strip():
        raise ValueError("this query is empty")
    pieces, holes = [""], []
    expression = False
    for token in _TOKEN.finditer(text):
        kind, word = token.lastgroup, token.group()
        if kind == "open":
            raise ValueError("a quote in this query is never closed")
        if kind != "string":
            if _HOLE.search(word):
                raise ValueError(MISPLACED)
            pieces[-1] += word
        else:
            start = 0
            for hole in _HOLE.finditer(word):
                pieces[-1] += word[start : hole.start()]
                holes.append((hole[1], expression))
                pieces.append("")
                start = hole.end()
            pieces[-1] += word[start:]
            if _BRACES.search(_HOLE.sub("", word)):
                raise ValueError("between {{ and }} stands the name of a label, and nothing else")
        if kind != "space":
            expression = kind == "expression"
    if _HOLE.search(_TOKEN.sub(lambda token: '""' if token["string"] else token.group(), text)):
        raise ValueError(MISPLACED)
    return Query(text=text, pieces=tuple(pieces), holes=tuple(holes))


def _quoted(value: str, *, expression: bool) -> str:
    """Return a label's value as it stands between double quotes."""
    plain = value.encode(errors="replace").decode()
    if expression:
        plain = literal(plain)
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", escaped)
