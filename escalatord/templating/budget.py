"""What one rendering may use up, counted and not timed, so that it ends the same way on every machine."""

from escalatord.errors import EscalatordError

SOURCE_CHARACTERS_MAX = 8_000
OUTPUT_CHARACTERS_MAX = 64 * 1024
WORK_CHARACTERS_MAX = 512 * 1024
"""Characters that all filters and joins of one rendering read and write."""
TURNS_MAX = 1_000
"""Turns of all loops of one rendering together."""
STEPS_MAX = 20_000
"""Parts of the template that are worked out inside of loops, every turn counted."""
BUDGET = "_budget"


class TemplateFailedError(EscalatordError):
    """A template cannot be used. `line` counts from 1 in the template (0 = unknown); no alert text is repeated.

    `part` says of which of a mail's two templates it is, "subject" or "text" ("" = there is only one).
    """

    def __init__(self, say: str, *, line: int = 0, word: str = "", fix: str = "", part: str = "") -> None:
        super().__init__(say)
        self.say = say
        self.part = part
        self.line = line
        self.word = word
        self.fix = fix


class Budget:
    """What is left for one rendering; past it TemplateFailedError."""

    __slots__ = ("_characters", "_output", "_steps", "_turns")

    def __init__(self) -> None:
        self._characters = WORK_CHARACTERS_MAX
        self._output = OUTPUT_CHARACTERS_MAX
        self._steps = STEPS_MAX
        self._turns = TURNS_MAX

    def spend(self, characters: int) -> None:
        """Take characters that were read or written by a filter."""
        self._characters -= characters
        if self._characters < 0:
            raise TemplateFailedError(f"it works through more than {WORK_CHARACTERS_MAX // 1024} Ki characters")

    def write(self, characters: int) -> None:
        """Take characters of the output."""
        self._output -= characters
        if self._output < 0:
            raise TemplateFailedError(f"it says more than {OUTPUT_CHARACTERS_MAX // 1024} Ki characters")

    def loop(self, turns: int, cost: int) -> None:
        """Take the turns of a loop, each of `cost` parts."""
        self._turns -= turns
        self._steps -= turns * cost
        if self._turns < 0:
            raise TemplateFailedError(f"its loops turn more than {TURNS_MAX} times")
        if self._steps < 0:
            raise TemplateFailedError("its loops do too much", fix="loop over less, or say less in each turn")
