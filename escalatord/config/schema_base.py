"""What every part of the language has in common: strict, frozen, and unknown keys are errors."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A mapping of the language. No word is turned into another type, and no key is ignored."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def short_form(key: str, *kinds: type) -> Callable[[object], object]:
    """Return a validator that reads a value of one of `kinds` as the mapping `{key: value}`."""

    def lengthen(value: object) -> object:
        return {key: value} if isinstance(value, kinds) else value

    return lengthen
