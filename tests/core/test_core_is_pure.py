"""The core decides over values: no I/O, no async, no clock, no chance, no logging; wall time in one file."""

import ast
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "escalatord" / "core"
FILES = sorted(CORE.rglob("*.py"))
WALL_TIME = "wallclock.py"
# what is not named here reads the world, keeps state or changes with it; add a module only when it computes
COMPUTING_MODULES = frozenset(
    {
        "abc",
        "bisect",
        "calendar",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "re2",
        "statistics",
        "string",
        "textwrap",
        "types",
        "typing",
        "unicodedata",
    }
)  # fmt: skip - a table of words reads better in lines
CLOCK_CALLS = frozenset({"now", "utcnow", "today"})
WORLD_CALLS = frozenset({"open", "print", "input", "eval", "exec", "compile", "__import__", "breakpoint", "hash", "id"})
# copying is written out for each class from the names of its fields, as dataclasses write out __init__
WORLD_CALLS_OF_FILES = {"values.py": frozenset({"exec"})}
ASYNC_NODES = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def impurities(source, name="some.py"):
    """Return a sentence for every place of a core file that is not pure."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [f"imports {alias.name}" for alias in names if not allowed(alias.name, name)]
            case ast.ImportFrom(module=module, level=level):
                if level or not allowed(module, name):
                    found.append(f"imports from {'.' * level}{module or ''}")
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in CLOCK_CALLS:
                found.append(f"reads a clock by {attr}()")
            case ast.Call(func=ast.Name(id=called)) if called in WORLD_CALLS - WORLD_CALLS_OF_FILES.get(name, set()):
                found.append(f"calls {called}()")
            case ast.Global():
                found.append(f"keeps state in a global {', '.join(node.names)}")
            case _ if isinstance(node, ASYNC_NODES):
                found.append("is asynchronous")
    return found


def allowed(module, name):
    """Return whether a core file of this name may import the module."""
    if module == "zoneinfo":
        return name == WALL_TIME
    return (
        module.split(".")[0] in COMPUTING_MODULES
        or module == "escalatord.core"
        or module.startswith("escalatord.core.")
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_core_file_is_pure(path):
    """Every file of the core computes and does nothing else."""
    assert impurities(path.read_text(encoding="utf-8"), path.name) == []


def test_core_is_found():
    """The walk sees the files it is about."""
    assert {"alert.py", "evaluate.py", "matchers.py", "rules.py"} <= {path.name for path in FILES}


@pytest.mark.parametrize(
    ("says", "source"),
    [
        ("imports logging", "import logging"),
        ("imports random", "import random"),
        ("imports time", "import time"),
        ("imports os.path", "import os.path"),
        ("imports from zoneinfo", "from zoneinfo import ZoneInfo"),
        ("imports from escalatord.store.rows", "from escalatord.store.rows import OutboxRow"),
        ("imports from escalatord.corelike", "from escalatord.corelike import x"),
        ("imports from sqlalchemy", "def f():\n    from sqlalchemy import select"),
        ("imports from .rules", "from .rules import Rule"),
        ("reads a clock by now()", "from datetime import datetime\nat = datetime.now()"),
        ("reads a clock by today()", "import datetime\nat = datetime.date.today()"),
        ("calls open()", "open('x')"),
        ("calls hash()", "hash('changes from run to run')"),
        ("keeps state in a global count", "def f():\n    global count\n    count = 1"),
        ("is asynchronous", "async def f():\n    pass"),
    ],
)
def test_planted_impurity_is_seen(says, source):
    """Each kind of impurity, planted, is named: a test that cannot fail is a defect."""
    assert says in impurities(source)


def test_wall_time_is_allowed_in_its_one_file():
    """Zones may be looked up in the wall clock, and there only."""
    assert impurities("from zoneinfo import ZoneInfo", WALL_TIME) == []
