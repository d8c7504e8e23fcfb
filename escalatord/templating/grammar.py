"""Which part of Jinja2 a template may use: an allow-list of its syntax tree, with a sentence for everything else.

Texts, values by name, filters, `if`, `for`, comparisons, `~` to put texts together, `+` and `-` of numbers. Nothing can
be called, set, defined, included or multiplied, and attributes are those of a bag of values: what a sandbox has to
guard against is not in the language at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from escalatord.core.template_values import BAGS
from escalatord.templating.filters import ARGUMENTS, COUNTED, FILTERS, GLUED, WRITTEN_OUT, pattern_of

DEPTH_MAX = 30
LOOPS_NESTED_MAX = 3
LOOP = "loop"
LOOP_NAMES = frozenset({"index", "index0", "first", "last", "length"})
TESTS = frozenset({"defined"})
ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name),
    *(nodes.If, nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test),
    *(nodes.Concat, nodes.Add, nodes.Sub, nodes.Neg, nodes.List, nodes.Tuple),
)
REFUSED: dict[type[nodes.Node], tuple[str, str]] = {
    nodes.Call: ("nothing can be called in a template", "put a filter behind a bar: service|toUpper"),
    nodes.Assign: ("`set` is not in the language of templates", "write the value where it is used"),
    nodes.AssignBlock: ("`set` is not in the language of templates", "write the value where it is used"),
    nodes.Mul: ("`*` is not in the language of templates", ""),
    nodes.Pow: ("`**` is not in the language of templates", ""),
    nodes.Mod: ("`%` is not in the language of templates", "put texts together with ~"),
    nodes.Div: ("`/` is not in the language of templates", ""),
    nodes.FloorDiv: ("`//` is not in the language of templates", ""),
    nodes.Dict: ("a mapping cannot be written in a template", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that a template may not have: its line (from 1), a word of it to look for, a sentence, a fix."""

    line: int
    word: str = ""
    say: str
    fix: str = ""
    unknown: bool = False
    """The word is a name that there is none of; a caller who knows the names can suggest one."""


def faults(tree: nodes.Template, names: frozenset[str]) -> Iterator[Fault]:
    """Yield what in `tree` is not in the language, `names` being those of values, in order of the text."""
    return _look(tree, names, 0, 0)


def bounded(tree: nodes.Template) -> nodes.Template:
    """Return the same tree, every loop and every joining of texts in it now going through the budget."""
    _Bounding().visit(tree)
    return tree


def _look(node: nodes.Node, names: frozenset[str], depth: int, loops: int) -> Iterator[Fault]:
    if depth > DEPTH_MAX:
        yield Fault(line=node.lineno, say="it is nested too deeply", fix="take it apart")
        return
    if not isinstance(node, ALLOWED):
        say, fix = REFUSED.get(type(node), (f"`{type(node).__name__.lower()}` is not in the language of templates", ""))
        yield Fault(line=node.lineno, say=say, fix=fix)
        return
    yield from _itself(node, names)
    if isinstance(node, nodes.For):
        yield from _loop(node, names, depth, loops)
        return
    for child in node.iter_child_nodes():
        yield from _look(child, names, depth + 1, loops)


def _itself(node: nodes.Node, names: frozenset[str]) -> Iterator[Fault]:
    """Yield what is wrong with a node, its children left out."""
    match node:
        case nodes.Name() if node.name not in names:
            yield Fault(line=node.lineno, word=node.name, say=f'there is no value "{node.name}"', unknown=True)
        case nodes.Getattr() | nodes.Getitem():
            yield from _member(node)
        case nodes.Filter():
            yield from _filter(node)
        case nodes.Test() if node.name not in TESTS:
            yield Fault(line=node.lineno, word=node.name, say=f'there is no test "{node.name}"', fix="known: defined")


def _member(node: nodes.Getattr | nodes.Getitem) -> Iterator[Fault]:
    of = node.node.name if isinstance(node.node, nodes.Name) else ""
    if isinstance(node, nodes.Getattr):
        if of == LOOP and node.attr in LOOP_NAMES:
            return
        if of not in BAGS:
            yield Fault(
                line=node.lineno,
                word=f".{node.attr}",
                say=f'".{node.attr}" cannot be asked for here',
                fix=f"only {', '.join(sorted(BAGS))} have values by name",
            )
    elif not isinstance(node.arg, nodes.Slice | nodes.Const | nodes.Neg):
        # a name out of an alert would have to be repeated when there is none of it
        yield Fault(line=node.lineno, say="a name in brackets is written out", fix='like labels["a name"] or paged[0]')


def _filter(node: nodes.Filter) -> Iterator[Fault]:
    if node.name not in FILTERS or node.node is None:
        yield Fault(line=node.lineno, word=node.name, say=f'there is no filter "{node.name}"', unknown=True)
        return
    least, most = ARGUMENTS.get(node.name, (0, 0))
    if node.kwargs or node.dyn_args or node.dyn_kwargs or not least <= len(node.args) <= most:
        wanted = f"{least} arguments" if least == most else f"{least} or {most} arguments"
        yield Fault(line=node.lineno, word=node.name, say=f"{node.name} takes {wanted}")
        return
    if node.name not in WRITTEN_OUT:
        return
    texts = [each.value for each in node.args if isinstance(each, nodes.Const) and isinstance(each.value, str)]
    if len(texts) != len(node.args):
        yield Fault(line=node.lineno, word=node.name, say=f"{node.name} wants texts in quotes, not values")
        return
    try:
        pattern_of(texts[0])
    except ValueError as error:
        yield Fault(line=node.lineno, word=texts[0], say=str(error))


def _loop(node: nodes.For, names: frozenset[str], depth: int, loops: int) -> Iterator[Fault]:
    if node.recursive or loops >= LOOPS_NESTED_MAX:
        say = "a loop cannot be recursive" if node.recursive else f"more than {LOOPS_NESTED_MAX} loops in one another"
        yield Fault(line=node.lineno, say=say)
        return
    # the parser takes names and tuples of names there, nothing else
    targets = [node.target] if isinstance(node.target, nodes.Name) else node.target.find_all(nodes.Name)
    own = {target.name for target in targets}
    for name in sorted(own):
        if name in names or name.startswith("_") or name == LOOP:
            yield Fault(line=node.lineno, word=name, say=f'"{name}" is taken', fix="give it another name")
    yield from _look(node.iter, names, depth + 1, loops)
    inside = names | own | {LOOP}
    for child in ([node.test] if node.test else []) + node.body:
        yield from _look(child, inside, depth + 1, loops + 1)
    for child in node.else_:
        yield from _look(child, names, depth + 1, loops)


class _Bounding(NodeTransformer):
    """Puts our own filters around loops and in the place of joins."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - the library's own naming
        cost = sum(_size(child) for child in ([node.test] if node.test else []) + node.body)
        self.generic_visit(node)
        over = cast("nodes.Expr", node.iter)  # the parser reads an expression there
        node.iter = _ours(COUNTED, over, [nodes.Const(cost, lineno=node.lineno)])
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - as above
        self.generic_visit(node)
        return _ours(GLUED, nodes.List(node.nodes, lineno=node.lineno), [])


def _ours(name: str, node: nodes.Expr, arguments: list[nodes.Expr]) -> nodes.Filter:
    return nodes.Filter(node, name, arguments, [], None, None, lineno=node.lineno)


def _size(node: nodes.Node) -> int:
    """Return of how many nodes a subtree is; inner loops count once here and pay for their own turns."""
    return 1 + sum(_size(child) for child in node.iter_child_nodes())
