"""Pydantic's errors in our words: a code, a sentence, what to do, and the place in the file."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic_core import ErrorDetails

from escalatord.config.fields import found
from escalatord.errors import Finding

if TYPE_CHECKING:
    from escalatord.config.sections import Entry

WANTED: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
COUNTED = {"too_short": "at least {min_length}", "too_long": "at most {max_length}"}
LENGTHS = {"string_too_short": "must not be empty", "string_too_long": "is longer than {max_length} characters"}
BOUNDS = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def sentence(entry: "Entry", problem: ErrorDetails, reader: TypeAdapter[Any]) -> Finding:
    """Return the finding for one error that `reader` found in `entry`; secrets and numbers are never repeated."""
    kind = problem["type"]
    at = problem["loc"]
    context: Mapping[str, Any] = problem.get("ctx") or {}
    last = _last(at, entry.name)
    if kind.startswith("E0"):
        return entry.find(kind, context["say"], *at, fix=context["fix"])
    if kind == "extra_forbidden":
        keys = _keys(model_at(reader._type, at[:-1]))  # noqa: SLF001 - the adapter gives its type no other way
        return entry.find("E010", f'unknown key "{str(last)[:64]}"', *at, fix=_suggest(str(last), keys), key=True)
    if kind == "missing":
        fix = _description(model_at(reader._type, at[:-1]), str(last))  # noqa: SLF001 - as above
        return entry.find("E012", f"`{last}` is missing", *at[:-1], fix=fix, key=True)
    if kind in WANTED:
        return _wrong_type(entry, kind, at, problem["input"])
    if kind == "literal_error":
        return _literal(entry, at, problem["input"], str(context.get("expected", "")))
    if kind in COUNTED:
        return entry.find("E013", f"`{last}` needs {COUNTED[kind].format(**context)}", *at)
    if kind in LENGTHS:
        return entry.find("E013", f"`{last}` {LENGTHS[kind].format(**context)}", *at)
    if kind in BOUNDS:
        return entry.find("E013", f"`{last}` {BOUNDS[kind].format(**context)}", *at)
    if kind == "string_pattern_mismatch":
        fix = "use letters, digits, dots, dashes and underscores, at most 64"
        return entry.find("E013", f"`{last}` has characters that are not allowed here", *at, fix=fix)
    return entry.find("E013", f"`{last}`: {problem['msg'][:200]}", *at)


def model_at(kind: object, at: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the model that the path `at` leads to from the type `kind`; None when it leads elsewhere."""
    for step in at:
        models, items = _unwrap(kind)
        model = models[0] if models else None
        if model is not None:
            named = {(info.alias or name): info.annotation for name, info in model.model_fields.items()}
            kind = named.get(str(step), kind)
        elif items is not None:
            kind = items
    models, _ = _unwrap(kind)
    return models[0] if models else None


def _unwrap(kind: object) -> tuple[list[type[BaseModel]], object]:
    """Return the models a type may be, and the type of its items (None = it has none)."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _unwrap(get_args(kind)[0])
    if origin in (Union, UnionType):
        models: list[type[BaseModel]] = []
        items: object = None
        for member in get_args(kind):
            more, inner = _unwrap(member)
            models += more
            items = items or inner
        return models, items
    if origin in (list, dict):
        return [], get_args(kind)[-1]
    if origin is not Literal and isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind], None
    return [], None


def _keys(model: type[BaseModel] | None) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()] if model else []


def _description(model: type[BaseModel] | None, key: str) -> str:
    for name, info in model.model_fields.items() if model else ():
        if (info.alias or name) == key and info.description:
            return f"add {key}: {info.description}"
    return f"add {key}"


def _suggest(word: str, keys: list[str], *, alone: bool = True) -> str:
    """Return what was probably meant, else (when the sentence stands `alone`) what there is."""
    close = get_close_matches(word, keys, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"known: {', '.join(keys)}" if keys and alone else ""


def _last(at: Sequence[str | int], default: str) -> str | int:
    """Return the key the error is about: the last word of the path, with its index when that is one."""
    words = [step for step in at if isinstance(step, str)]
    if at and isinstance(at[-1], int) and words:
        return f"{words[-1]}[{at[-1]}]"
    return at[-1] if at else default


def _wrong_type(entry: "Entry", kind: str, at: Sequence[str | int], value: object) -> Finding:
    last = _last(at, entry.name)
    if kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
        fix = f'put it in quotes: {last}: "…"'
        if last in ("sms", "call"):
            fix = f'put it in quotes, with + and the country: {last}: "+34…"'
        return entry.find("E014", f"`{last}` must be text, and this is read as a number", *at, fix=fix)
    fix = 'put it in quotes: "…"' if kind == "string_type" and isinstance(value, bool) else ""
    return entry.find("E011", f"`{last}` must be {WANTED[kind]}, found {found(value)}", *at, fix=fix)


def _literal(entry: "Entry", at: Sequence[str | int], value: object, expected: str) -> Finding:
    last = _last(at, entry.name)
    words = [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]
    if not isinstance(value, str):
        return entry.find("E011", f"`{last}` must be one of {', '.join(words)}, found {found(value)}", *at)
    return entry.find(
        "E013", f'"{value[:40]}" is not one of {", ".join(words)}', *at, fix=_suggest(value, words, alone=False)
    )
