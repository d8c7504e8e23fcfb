"""What a template can do with a value, named as in Alertmanager: `title|toUpper`, `paged|join(", ")`.

Every filter spends from the budget of its rendering what it reads and writes, so no template can grow without end.
Patterns are RE2's and stand in the template itself; alert text is only ever the text they are applied to.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import re2
from jinja2 import Undefined, pass_context
from jinja2.runtime import Context

from escalatord.core.template_values import Bag
from escalatord.core.units import format_duration
from escalatord.templating.budget import BUDGET, Budget, TemplateFailedError

PATTERN_CHARACTERS_MAX = 200
PATTERNS_COMPILED_MAX = 256
CUT_MARK = ".."
SECONDS_MAX = 100 * 366 * 86_400.0
REFERENCE = re.compile(r"\$(?:([0-9])|\{([A-Za-z0-9_]+)\}|(\$))", re.ASCII)

Filter: TypeAlias = Callable[..., object]


@lru_cache(maxsize=PATTERNS_COMPILED_MAX)
def pattern_of(pattern: str) -> Any:
    """Return a compiled RE2 pattern; ValueError with a sentence when it is none."""
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        raise ValueError(f"the pattern is longer than {PATTERN_CHARACTERS_MAX} characters")
    try:
        return re2.compile(pattern, _options())
    except re2.error as error:
        why = error.args[0] if error.args else "unknown reason"
        said = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise ValueError(f"the pattern cannot be read: {said}") from None


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False  # told as a finding, with its place
    return options


def text_of(value: object) -> str:
    """Return a value that is a text or a number as text; TemplateFailedError for what has to be named or joined."""
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case Undefined():
            return str(value)  # raises, and says which name it is
        case Bag():
            raise TemplateFailedError(f"`{value.name}` holds many values", fix=f"name one, like {value.name}.team")
        case _:
            raise TemplateFailedError("a list is no text", fix='join it: paged|join(", ")')


def _budget(context: Context) -> Budget:
    found = context.resolve_or_missing(BUDGET)
    if not isinstance(found, Budget):
        raise TemplateFailedError("this is not a rendering of ours")
    return found


def _of_text(work: Callable[[str], str]) -> Filter:
    """Return a filter that makes a text of a text."""

    @pass_context
    def filtered(context: Context, value: object) -> str:
        text = text_of(value)
        made = work(text)
        _budget(context).spend(len(text) + len(made))
        return made

    return filtered


def _capitalised(text: str) -> str:
    return " ".join(word[:1].upper() + word[1:].lower() for word in text.split(" "))


def _items(value: object) -> Sequence[object]:
    if isinstance(value, Bag):
        return tuple(value)
    if isinstance(value, tuple | list):
        return value
    if isinstance(value, Undefined):
        str(value)
    raise TemplateFailedError("this is no list", fix="lists are paged, next_people, labels and their like")


@pass_context
def _join(context: Context, value: object, separator: object = ", ") -> str:
    """Return the items of a list (the names of a bag) with a separator between them."""
    pieces = [text_of(item) for item in _items(value)]
    between = text_of(separator)
    _budget(context).spend(sum(map(len, pieces)) + len(between) * len(pieces))
    return between.join(pieces)


@pass_context
def _default(context: Context, value: object, fallback: object) -> object:
    """Return the value, the fallback where there is none or an empty one."""
    del context
    return fallback if isinstance(value, Undefined) or value == "" else value


@pass_context
def _truncate(context: Context, value: object, characters: object) -> str:
    """Return a text in at most so many characters, `..` marking a cut."""
    text = text_of(value)
    if not isinstance(characters, int) or characters < len(CUT_MARK) + 1:
        raise TemplateFailedError("truncate wants a number of characters, at least 3")
    _budget(context).spend(len(text))
    return text if len(text) <= characters else text[: characters - len(CUT_MARK)].rstrip() + CUT_MARK


@pass_context
def _match(context: Context, value: object, pattern: str) -> bool:
    """Return whether a pattern is found anywhere in a text."""
    text = text_of(value)
    _budget(context).spend(len(text))
    return pattern_of(pattern).search(text) is not None


@pass_context
def _replace_all(context: Context, value: object, pattern: str, replacement: str) -> str:
    """Return a text with every match replaced; `$1` and `${name}` in the replacement are groups, `$$` a dollar sign."""
    text = text_of(value)
    budget = _budget(context)
    budget.spend(len(text))
    made: list[str] = []

    def put(piece: str) -> None:
        budget.spend(len(piece))
        made.append(piece)

    at = 0
    for found in pattern_of(pattern).finditer(text):
        put(text[at : found.start()])
        written = 0
        for reference in REFERENCE.finditer(replacement):
            put(replacement[written : reference.start()])
            put("$" if reference[3] else _group(found, reference[1] or reference[2]))
            written = reference.end()
        put(replacement[written:])
        at = found.end()
    put(text[at:])
    return "".join(made)


def _group(found: Any, name: str) -> str:
    try:
        return found.group(int(name) if name.isdigit() else name) or ""
    except (IndexError, KeyError, ValueError):
        raise TemplateFailedError(f"the pattern has no group {name}") from None


@pass_context
def _humanize_duration(context: Context, value: object) -> str:
    """Return seconds as a duration: 5400 is 1h30m."""
    text = text_of(value)
    _budget(context).spend(len(text))
    try:
        seconds = float(text)
    except ValueError:
        raise TemplateFailedError("humanizeDuration wants a number of seconds") from None
    if not abs(seconds) <= SECONDS_MAX:
        raise TemplateFailedError("humanizeDuration wants a number of seconds, at most a century")
    return format_duration(seconds)


@pass_context
def _length(context: Context, value: object) -> int:
    """Return how many characters or items there are."""
    del context
    return len(value) if isinstance(value, str) else len(_items(value))


@pass_context
def _sorted_pairs(context: Context, value: object) -> tuple[tuple[str, str], ...]:
    """Return names and their texts, by name: `{% for name, text in labels|sortedPairs %}`."""
    if not isinstance(value, Bag):
        raise TemplateFailedError("sortedPairs is for labels, annotations, facts, links and names")
    pairs = tuple(value.items())
    _budget(context).spend(sum(len(name) + len(text) for name, text in pairs))
    return pairs


@pass_context
def _counted(context: Context, items: object, cost: int) -> tuple[object, ...]:
    """Return what a loop goes over, its turns paid for. Put around every loop by the compiler."""
    listed = tuple(_items(items))
    _budget(context).loop(len(listed), cost)
    return listed


@pass_context
def _glued(context: Context, pieces: Sequence[object]) -> str:
    """Return pieces as one text. Put in the place of every `~` by the compiler."""
    texts = [text_of(piece) for piece in pieces]
    _budget(context).spend(sum(map(len, texts)))
    return "".join(texts)


COUNTED = "_counted"
GLUED = "_glued"
FILTERS: Mapping[str, Filter] = {
    "toUpper": _of_text(str.upper),
    "toLower": _of_text(str.lower),
    "title": _of_text(_capitalised),
    "trimSpace": _of_text(str.strip),
    "join": _join,
    "default": _default,
    "truncate": _truncate,
    "match": _match,
    "reReplaceAll": _replace_all,
    "humanizeDuration": _humanize_duration,
    "length": _length,
    "sortedPairs": _sorted_pairs,
}
ARGUMENTS: Mapping[str, tuple[int, int]] = {
    "join": (0, 1),
    "default": (1, 1),
    "truncate": (1, 1),
    "match": (1, 1),
    "reReplaceAll": (2, 2),
}
"""How many arguments a filter takes, at least and at most; those not listed take none."""
WRITTEN_OUT = frozenset({"match", "reReplaceAll"})
"""Filters whose arguments are texts that stand in the template."""
OURS: Mapping[str, Filter] = {**FILTERS, COUNTED: _counted, GLUED: _glued}
