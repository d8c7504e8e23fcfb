"""Matchers over labels, in Alertmanager's grammar, and an index that finds candidate rules.

- `name op value`, op one of `=` `!=` `=~` `!~`, separated by commas; the last comma and the braces around all are
  optional. Names and values are in double quotes, with Go's escapes, or bare: free of white space, quotes, braces,
  commas, backslashes and of `!`, `=`, `~`.
- Expressions are RE2 and match the whole value; `.` does not match a line break. An absent label is "".
- All matchers of a text must match. A text without a matcher is refused: it would match everything by accident.
- The index names *candidates*, never fewer than what matches; the caller asks `Matchers.matches` of each.

Source of the grammar: Alertmanager's documentation, "Label matchers" (UTF-8 mode).
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NoReturn

import re2

MATCHERS_CHARS_MAX = 65_536
MATCHERS_MAX = 64

TOKEN: Final = re.compile(
    r"""\s*(?:(?P<op>=~|!~|!=|=)|(?P<mark>[{},])|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<bare>[^\s{}!=~,\\"'`]+)|(?P<end>\Z))""",
    re.DOTALL,
)
ESCAPE: Final = re.compile(
    r'\\(?:([abfnrtv\\"])|x([0-9A-Fa-f]{2})|([0-7]{3})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))|([^\\\n]+)'
)
ESCAPED: Final = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}
OCTET_MAX = 0xFF
BARE: Final = re.compile(r"""[^\s{}!=~,\\"'`]+""")
# one of `a|b|c`: a backslash before punctuation is that character, what has no meaning of its own is itself
ALTERNATIVE: Final = re.compile(r"((?:[^\\.+*?()|\[\]{}^$]|\\[!-/:-@\[-`{-~])*)(\||\Z)")
LITERAL_ESCAPE: Final = re.compile(r"\\(.)")
SPECIAL: Final = re.compile(r"([!-/:-@\[-`{-~])")


class MatcherError(ValueError):
    """Raised for a text that is no list of matchers: a sentence, and the `column` (from 1) where it goes wrong."""

    def __init__(self, sentence: str, column: int) -> None:
        super().__init__(f"column {column}: {sentence}")
        self.sentence = sentence
        self.column = column


class MatchOp(StrEnum):
    """How a label is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One comparison of one label. ValueError with a sentence when `value` should be an expression and is none.

    `accepted` are the values that match, when they can be listed; None when they cannot.
    """

    name: str
    op: MatchOp
    value: str
    accepted: frozenset[str] | None = field(init=False, compare=False, repr=False)
    _test: Callable[[str], object] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        match self.op:
            case MatchOp.EQUAL | MatchOp.NOT_EQUAL:
                listed: frozenset[str] | None = frozenset((self.value,))
            case _:
                listed = _alternatives(self.value)
        test = _expression(self.value) if listed is None else listed.__contains__
        negative = self.op in (MatchOp.NOT_EQUAL, MatchOp.NOT_MATCHES)
        object.__setattr__(self, "accepted", None if negative else listed)
        object.__setattr__(self, "_test", (lambda value: not test(value)) if negative else test)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
        # compiled expressions do not travel; the copy compiles its own
        return _rebuild, (self.name, self.op.value, self.value)

    def __str__(self) -> str:
        name = self.name if BARE.fullmatch(self.name) else json.dumps(self.name, ensure_ascii=False)
        return f"{name}{self.op.value}{json.dumps(self.value, ensure_ascii=False)}"

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the label, "" when absent, matches."""
        return bool(self._test(labels.get(self.name, "")))

    def matches_one_of(self, values: Sequence[str]) -> bool:
        """Return whether one of a label's values matches; for `!=` and `!~`, whether all do."""
        if self.op in (MatchOp.NOT_EQUAL, MatchOp.NOT_MATCHES):
            return all(self._test(value) for value in values)
        return any(self._test(value) for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matchers:
    """Matchers that must all match, and the text they were written as."""

    matchers: tuple[Matcher, ...]
    text: str = field(compare=False)

    def matches(self, labels: Mapping[str, str], traits: Mapping[str, tuple[str, ...]] | None = None) -> bool:
        """Return whether every matcher matches; an absent label is "".

        `traits` are further labels that have several values: one that equals is enough, `!=` and `!~` are about all.
        """
        if traits:
            return all(
                matcher.matches_one_of((*traits[matcher.name], *filter(None, (labels.get(matcher.name),))) or ("",))
                if matcher.name in traits
                else matcher.matches(labels)
                for matcher in self.matchers
            )
        for matcher in self.matchers:  # noqa: SIM110 - all() doubles the cost of the hottest line of the rules
            if not matcher._test(labels.get(matcher.name, "")):  # noqa: SLF001 - same file, one call less per rule
                return False
        return True


def parse_matchers(text: str) -> Matchers:
    """Return the matchers written in `text`, like `service="checkout", env!~"dev|staging"`.

    Raise MatcherError (a ValueError with a sentence and the column) when it is no list of one or more matchers.
    """
    if len(text) > MATCHERS_CHARS_MAX:
        raise MatcherError(f"these matchers are longer than {MATCHERS_CHARS_MAX} characters", MATCHERS_CHARS_MAX + 1)
    tokens = _Tokens(text)
    braced = tokens.skip("{")
    matchers: list[Matcher] = []
    separated = True
    while separated and tokens.kind in ("bare", "quoted"):
        if len(matchers) == MATCHERS_MAX:
            raise MatcherError(f"more than {MATCHERS_MAX} matchers in one text", tokens.column)
        matchers.append(_parse_matcher(tokens))
        separated = tokens.skip(",")
    closed = tokens.skip("}")
    if closed and not braced:
        raise MatcherError("this closing brace was never opened", tokens.last_column)
    if tokens.kind != "end" or braced != closed:
        wanted = (
            "the end"
            if closed
            else ("a label name" if separated else "a comma") + (" or the closing brace" if braced else "")
        )
        raise MatcherError(f"{wanted} should stand here, not {tokens.shown}", tokens.column)
    if not matchers:
        raise MatcherError('no matcher is written here; write one like service="checkout"', 1)
    return Matchers(matchers=tuple(matchers), text=text)


def literal(text: str) -> str:
    """Return an expression that matches `text` alone; lone surrogates become what they are compared as."""
    return SPECIAL.sub(r"\\\1", text.encode(errors="replace").decode())


class MatcherIndex:
    """Finds the rules whose matchers could match a label set, without asking each.

    Each rule is filed under its most selective matcher: by (name, value) when the accepted values can be listed, else
    by the name of a label that must be present, else in a list that is always asked.
    """

    __slots__ = ("_always", "_filed", "_size")

    def __init__(self, rules: Sequence[Matchers]) -> None:
        self._size = len(rules)
        self._filed: dict[str, tuple[list[int], dict[str, list[int]]]] = {}
        self._always: list[int] = []
        # how many rules each value would have to share its place with: the emptiest place is the best
        crowd = Counter(place for rule in rules for matcher in rule.matchers for place in _places(matcher))
        for number, rule in enumerate(rules):
            listable = [places for places in map(_places, rule.matchers) if places]
            needed = [matcher.name for matcher in rule.matchers if not matcher.matches({})]
            if listable:
                for name, value in min(listable, key=lambda places: max(crowd[place] for place in places)):
                    self._filed.setdefault(name, ([], {}))[1].setdefault(value, []).append(number)
            elif needed:
                self._filed.setdefault(needed[0], ([], {}))[0].append(number)
            else:
                self._always.append(number)

    def __len__(self) -> int:
        return self._size

    def candidates(self, labels: Mapping[str, str], traits: Mapping[str, tuple[str, ...]] | None = None) -> list[int]:
        """Return the numbers (from 0, ascending) of the rules that could match `labels` and `traits`."""
        found = self._always.copy()
        # the shorter of the two is gone through: few rule sets match by more labels than an alert has
        names = self._filed if len(self._filed) < len(labels) else labels
        for name in names:
            if name in labels and name in self._filed:
                present, by_value = self._filed[name]
                found += present
                found += by_value.get(labels[name], ())
        if traits:
            for name, values in traits.items():
                filed = self._filed.get(name)
                if filed is not None:
                    for value in values:
                        found += filed[0]
                        found += filed[1].get(value, ())
            return sorted(set(found))
        found.sort()
        return found


class _Tokens:
    """A cursor over the tokens of a text: `kind`, `value` and `column` of the present one."""

    __slots__ = ("column", "kind", "last_column", "text", "value")

    def __init__(self, text: str) -> None:
        self.text = text
        self.column = self.last_column = 0
        self.kind = self.value = ""
        self._read(0)

    @property
    def shown(self) -> str:
        return "the end" if self.kind == "end" else self.value

    def skip(self, mark: str) -> bool:
        """Step over `mark` if it stands here; say whether it did."""
        if self.kind != "mark" or self.value != mark:
            return False
        self.advance()
        return True

    def advance(self) -> None:
        """Step to the next token."""
        self._read(self.column - 1 + len(self.value))

    def _read(self, start: int) -> None:
        found = TOKEN.match(self.text, start)
        if found is None:
            _refuse(self.text, start)
        self.last_column = self.column
        self.kind = str(found.lastgroup)  # every branch of TOKEN is named
        self.value, self.column = found[self.kind], found.start(self.kind) + 1


def _parse_matcher(tokens: _Tokens) -> Matcher:
    name = _text_of(tokens)
    if not name:
        raise MatcherError("a label name cannot be empty", tokens.column)
    tokens.advance()
    if tokens.kind != "op":
        raise MatcherError(f'after "{name}" one of = != =~ !~ should stand, not {tokens.shown}', tokens.column)
    op = MatchOp(tokens.value)
    tokens.advance()
    if tokens.kind not in ("bare", "quoted"):
        raise MatcherError(
            f'after "{name}{op}" a value should stand, not {tokens.shown}; "" is the empty one', tokens.column
        )
    value = _text_of(tokens)
    try:
        matcher = Matcher(name=name, op=op, value=value)
    except ValueError as error:
        raise MatcherError(str(error), tokens.column) from None
    tokens.advance()
    return matcher


def _refuse(text: str, start: int) -> NoReturn:
    rest = text[start:].lstrip()
    column = len(text) - len(rest) + 1
    if rest[0] == '"':
        raise MatcherError("this quoted text is never closed", column)
    raise MatcherError(f'{rest[0]} cannot stand here; put such a value in double quotes, like env="a b"', column)


def _text_of(tokens: _Tokens) -> str:
    """Return the text a token stands for: itself when bare, its Go string value when quoted."""
    raw = tokens.value
    bare = tokens.kind == "bare"
    octets = raw.encode(errors="surrogatepass") if bare else _go_string(raw[1:-1], tokens.column + 1)
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise MatcherError("this is not valid UTF-8", tokens.column) from None


def _go_string(body: str, column: int) -> bytes:
    """Return the octets of the body of an interpreted Go string literal, escapes resolved."""
    octets = bytearray()
    at = 0
    while at < len(body):
        found = ESCAPE.match(body, at)
        if found is None:
            shown = "a line break" if body[at] == "\n" else body[at : at + 2]
            raise MatcherError(f'{shown} cannot stand in a quoted text; write \\n, \\\\ or \\"', column + at)
        simple, two_hex, octal, four_hex, eight_hex, plain = found.groups()
        if plain is not None:
            octets += plain.encode(errors="surrogatepass")
        elif simple is not None:
            octets.append(ESCAPED[simple])
        else:
            code = int(octal, 8) if octal else int(two_hex or four_hex or eight_hex, 16)
            raw_octet = bool(octal or two_hex)
            if code > (OCTET_MAX if raw_octet else 0x10FFFF):
                raise MatcherError(f"{found[0]} is beyond the last character", column + at)
            octets += bytes((code,)) if raw_octet else chr(code).encode(errors="surrogatepass")
        at = found.end()
    return bytes(octets)


def _places(matcher: Matcher) -> list[tuple[str, str]]:
    """Return the (name, value) places a rule with this matcher can be filed under; none when "" would match too."""
    if matcher.accepted is None or "" in matcher.accepted:
        return []
    return [(matcher.name, value) for value in sorted(matcher.accepted)]


def _alternatives(expression: str) -> frozenset[str] | None:
    """Return the texts that `a|b|c` matches, None when the expression is more than literals."""
    literals: list[str] = []
    at = 0
    while (found := ALTERNATIVE.match(expression, at)) is not None:
        literals.append(LITERAL_ESCAPE.sub(r"\1", found[1]))
        if not found[2]:
            return frozenset(literals)
        at = found.end()
    return None


def _expression(expression: str) -> Callable[[str], object]:
    """Return a test for the whole value, in octets: half the cost of RE2's texts, and lone surrogates cannot raise."""
    options = re2.Options()
    options.log_errors = False
    try:
        fullmatch = re2.compile(expression.encode(), options).fullmatch
    except re2.error as error:
        said = error.args[0].decode(errors="replace")  # RE2 speaks in octets
        raise ValueError(f'"{expression}" is not an RE2 expression: {said}') from None
    return lambda value: fullmatch(value.encode(errors="replace"))


def _rebuild(name: str, op: str, value: str) -> Matcher:
    return Matcher(name=name, op=MatchOp(op), value=value)
