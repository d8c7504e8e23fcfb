"""Rule files written tidily, with their meaning and every comment untouched.

- Nothing at the end of a line, one line's end, at most one blank line in a row, none at either end of the file.
- One blank after `:` and `,`; none inside brackets and braces, before `,` or before `:`.
- Quotes around what other readers of YAML take for something else than text: `19:30`, `+34600000001`, `NO`, `0755`,
  `2026-01-01` (see `strict_yaml`, which reads all of these as typed).
- Order, indentation, line breaks and the text of comments are the author's.

What comes out is read again: unless it says exactly the same, the file is left as it is.
"""

from collections.abc import Iterator
from itertools import pairwise

import yaml

from escalatord.config.strict_yaml import Document, parse, resolve
from escalatord.errors import Finding

CODE_UNSURE = "E039"
TEXT = "tag:yaml.org,2002:str"
OPENING = (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)
CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)
BLANK_AFTER = (yaml.FlowEntryToken, yaml.ValueToken)


def tidy(raw: bytes, file: str) -> tuple[bytes, tuple[Finding, ...]]:
    """Return the bytes of a file written tidily, and why it cannot be (then the bytes are those given)."""
    before, findings = parse(raw, file)
    if findings:
        return raw, findings
    text = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    try:
        fresh = _lines(_edited(text))
        after, problems = parse(fresh.encode(), file)
        same = not problems and _says_the_same(before, after) and _comments(fresh) == _comments(text)
    except yaml.YAMLError:
        same = False
    if not same:
        say = "cannot be written tidily for certain, and is left as it is"
        return raw, (Finding(file=file, line=0, column=0, code=CODE_UNSURE, say=say, fix="tidy it by hand"),)
    return fresh.encode(), ()


def _says_the_same(before: Document, after: Document) -> bool:
    # texts differ from numbers here, and mappings in another order from one another
    return repr(before.value) == repr(after.value)


def _edited(text: str) -> str:
    """Return the text with blanks between tokens as they should be, and quotes where they are needed."""
    edits: list[tuple[int, int, str]] = []
    tokens = _tokens(text)
    for first, second in pairwise(tokens):
        start, end = first.end_mark.index, second.start_mark.index
        if first.end_mark.line == second.start_mark.line and not text[start:end].strip(" "):
            blank = _between(first, second, text[start:end])
            if blank != text[start:end]:
                edits.append((start, end, blank))
    edits += [
        (token.start_mark.index, token.end_mark.index, f'"{token.value}"')
        for token in tokens
        if isinstance(token, yaml.ScalarToken) and token.plain and _misread(token.value)
    ]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _tokens(text: str) -> list[yaml.Token]:
    """Return the tokens that take room: the scanner also gives some that only mark a place."""
    # the slow scanner: its marks count characters, whatever libyaml's do
    return [token for token in yaml.scan(text, Loader=yaml.SafeLoader) if token.end_mark.index > token.start_mark.index]


def _between(first: yaml.Token, second: yaml.Token, found: str) -> str:
    if isinstance(second, (yaml.FlowEntryToken, yaml.ValueToken)):
        return ""
    if isinstance(first, OPENING) or isinstance(second, CLOSING):
        return ""
    return " " if isinstance(first, BLANK_AFTER) else found


def _misread(value: str) -> bool:
    """Return whether an ordinary reader of YAML (1.1) takes for something else what is text to us."""
    if not isinstance(resolve(value), str) or "\n" in value or '"' in value or "\\" in value:
        return False
    return _Reader.resolved(value) != TEXT


class _Reader(yaml.SafeLoader):
    """The ordinary reader, asked for nothing but what a word is."""

    @classmethod
    def resolved(cls, value: str) -> str:
        """Return the tag of a plain word."""
        return str(cls("").resolve(yaml.ScalarNode, value, (True, False)))  # type: ignore[no-untyped-call] # PyYAML's own


def _lines(text: str) -> str:
    """Return the text without blanks at the ends of lines and without many blank lines; scalars stay as they are."""
    kept = set(_inside_scalars(text))
    lines = text.split("\n")
    parts: list[str] = []
    for number, line in enumerate(lines):
        if number in kept:
            parts.append(line)
        elif line.strip() or (parts and parts[-1].strip()) or number - 1 in kept:
            parts.append(line.rstrip())
    while parts and not parts[0].strip():
        del parts[0]
    while parts and not parts[-1].strip() and len(lines) - 1 not in kept:
        del parts[-1]
    return "\n".join(parts) + "\n"


def _inside_scalars(text: str) -> Iterator[int]:
    """Yield the numbers of the lines (from 0) on which a text of several lines goes on."""
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken) and token.end_mark.line > token.start_mark.line:
            # the text of a block ends where the next token begins, at the start of a line that is not its own
            last = token.end_mark.line + (1 if token.end_mark.column else 0)
            yield from range(token.start_mark.line, last)


def _comments(text: str) -> list[str]:
    """Return the comments of a text, in order."""
    found: list[str] = []
    end = 0
    for token in [*_tokens(text), None]:
        gap = text[end : token.start_mark.index] if token is not None else text[end:]
        found += [line.strip() for line in gap.split("\n") if line.strip().startswith("#")]
        end = token.end_mark.index if token is not None else end
    return found
