"""Templates compiled and rendered.

- Three fences, each enough by itself for what is known of template injection: the grammar (an allow-list of syntax),
  the immutable sandbox with every attribute but ours refused, and a budget that ends what grows or loops.
- The source is the rules author's; alert text is only ever a value. An unknown name is an error, not an empty place.
- Nothing here raises anything but TemplateFailedError.

CVE-2016-10745, CVE-2019-10906, CVE-2024-56326, CVE-2025-27516 are ways out of a sandbox by `str.format` and its kin:
nothing can be called, so none of them can be written.
"""

from functools import lru_cache
from types import TracebackType
from typing import Any

import re2
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import test_defined

from escalatord.core.template_values import Bag, Value
from escalatord.templating.budget import BUDGET, SOURCE_CHARACTERS_MAX, Budget, TemplateFailedError
from escalatord.templating.filters import OURS, text_of
from escalatord.templating.grammar import LOOP_NAMES, Fault, bounded, faults

COMPILED_MAX = 1_000
FAILURES = (
    *(TemplateError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError),
    re2.error,
)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 with our filters, no globals, and no attributes but those of bags and of a loop's counter."""

    intercepted_binops = frozenset({"+", "-", "*", "**", "/", "//", "%"})
    intercepted_unops = frozenset({"+", "-"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            finalize=_finalized,
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # nothing is worked out while compiling: the budget counts when rendering
            cache_size=0,
        )
        self.globals.clear()
        self.filters.clear()
        self.filters.update(OURS)
        self.tests.clear()
        self.tests["defined"] = test_defined

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a bag's value or a loop's counter; everything else is undefined."""
        if isinstance(obj, LoopContext) and attribute in LOOP_NAMES:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute) if isinstance(obj, Bag) else self._nothing(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return a bag's value by name, a list's item or a text's character by number."""
        if isinstance(obj, Bag) and isinstance(argument, str) and argument in obj:
            return obj[argument]
        if isinstance(obj, str | tuple) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self._nothing(obj, argument)

    def _nothing(self, obj: object, name: object) -> Undefined:
        # the name stands in the template (see grammar), so it can be repeated
        say = f'there is no "{str(name)[:64]}" in {obj.name}' if isinstance(obj, Bag) else "there are not so many"
        return self.undefined(hint=say, name=str(name)[:64])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Add and subtract whole numbers; texts are put together with `~`, and nothing is multiplied."""
        if operator not in ("+", "-") or not _is_number(left) or not _is_number(right):
            raise TemplateFailedError(f"`{operator}` is for numbers, + and - only", fix="put texts together with ~")
        return super().call_binop(context, operator, left, right)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        """Change the sign of a number."""
        if not _is_number(arg):
            raise TemplateFailedError(f"`{operator}` is for numbers")
        return super().call_unop(context, operator, arg)

    def is_safe_callable(self, obj: object) -> bool:
        """Return that nothing is."""
        del obj
        return False


class Compiled:
    """A template that was read and found to be in the language."""

    __slots__ = ("_template",)

    def __init__(self, template: Template) -> None:
        self._template = template

    def render(self, values: dict[str, Value]) -> str:
        """Return what the template says of `values`; TemplateFailedError with the line when it cannot."""
        budget = Budget()
        try:
            context = self._template.new_context({**values, BUDGET: budget})
            pieces: list[str] = []
            for piece in self._template.root_render_func(context):
                budget.write(len(piece))
                pieces.append(piece)
        except TemplateFailedError as error:
            line = error.line or _line_of(error.__traceback__)
            raise TemplateFailedError(error.say, line=line, word=error.word, fix=error.fix) from None
        except FAILURES as error:
            raise _failed(error) from None
        return "".join(pieces)


def find_faults(source: str, names: frozenset[str]) -> tuple[Fault, ...]:
    """Return what keeps `source` from being a template over values called `names`; empty when nothing does."""
    try:
        return tuple(faults(_parsed(source), names))
    except TemplateFailedError as error:
        return (Fault(line=error.line, word=error.word, say=error.say, fix=error.fix),)


@lru_cache(maxsize=COMPILED_MAX)
def compiled(source: str, names: frozenset[str]) -> Compiled:
    """Return the compiled template; TemplateFailedError, the first fault, when it is none. Compiled once."""
    tree = _parsed(source)
    for fault in faults(tree, names):
        raise TemplateFailedError(fault.say, line=fault.line, word=fault.word, fix=fault.fix)
    sandbox = _sandbox()
    try:
        bounded(tree).set_environment(sandbox)
        return Compiled(sandbox.from_string(tree))
    except (*FAILURES, SyntaxError, MemoryError) as error:
        raise _failed(error) from None


@lru_cache(maxsize=1)
def _sandbox() -> Sandbox:
    return Sandbox()


def _parsed(source: str) -> nodes.Template:
    if len(source) > SOURCE_CHARACTERS_MAX:
        raise TemplateFailedError(f"it is longer than {SOURCE_CHARACTERS_MAX} characters", line=1)
    try:
        return _sandbox().parse(source)
    except TemplateSyntaxError as error:
        say = (error.message or "it cannot be read").rstrip(".")
        raise TemplateFailedError(f"it cannot be read: {say}", line=error.lineno) from None
    except RecursionError:
        raise TemplateFailedError("it is nested too deeply", line=1, fix="take it apart") from None


def _finalized(value: object) -> str:
    """Return what is written for a value: texts and numbers as they are; anything else is a mistake."""
    return text_of(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _failed(error: BaseException) -> TemplateFailedError:
    """Return a foreign error as ours. Its text is not repeated unless it is ours: it may hold words of the alert."""
    line = _line_of(error.__traceback__)
    if isinstance(error, UndefinedError):
        say = error.message or "a value is missing"
        return TemplateFailedError(say, line=line, fix='write |default("…") behind it')
    if isinstance(error, TypeError):
        return TemplateFailedError("texts and numbers do not mix", line=line, fix="compare texts with texts")
    return TemplateFailedError(f"it cannot be worked out ({type(error).__name__})", line=line)


def _line_of(trace: TracebackType | None) -> int:
    """Return the template's line in which an error arose, 0 when it did not arise in one."""
    line = 0
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line
