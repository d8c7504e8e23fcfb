"""The rules of the house as failing tests: layers, sizes, clocks, broad handlers, local time."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "escalatord"
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 6
CLOCK = {"clock.py"}
WALLCLOCK = {"core/wallclock.py"}
BROAD_HANDLERS = {
    "engine": "an item of a commit batch",
    "notify/sender.py": "an outbox row",
    "web/middleware.py": "a request",
}
CLOCK_READS = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {
        *(
            "time",
            "time_ns",
            "monotonic",
            "monotonic_ns",
            "perf_counter",
            "perf_counter_ns",
            "localtime",
            "gmtime",
            "sleep",
        ),
    },
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def sources() -> dict[str, ast.Module]:
    """Return every source file of the package by its path in it."""
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Return every node of the package with its file."""
    for name, tree in sources().items():
        for node in ast.walk(tree):
            yield name, node


def imported(node: ast.AST) -> list[str]:
    """Return the full names that an import statement brings in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def test_imports_go_down_only() -> None:
    """The layers of the architecture hold, as import-linter reads them from pyproject.toml."""
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    answer = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_files_are_short() -> None:
    """No file of the package has more than 400 lines."""
    lengths = {name: len((PACKAGE / name).read_text().splitlines()) for name in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_functions_are_short() -> None:
    """No function of the package has more than 70 lines."""
    lengths = {
        f"{name}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, node in nodes()
        if isinstance(node, FUNCTIONS)
    }
    assert {function: lines for function, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}


def test_functions_have_few_parameters() -> None:
    """No function takes more than six parameters, keyword-only ones included; click's commands take options."""
    many = {}
    for name, node in nodes():
        if isinstance(node, FUNCTIONS) and not name.startswith("cli/"):
            parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = len([each for each in parameters if each.arg not in {"self", "cls"}])
            if count > PARAMETERS_MAX:
                many[f"{name}:{node.name}"] = count
    assert many == {}


def test_clocks_are_read_in_one_place() -> None:
    """Nothing but clock.py asks the machine what time it is, or sleeps on its clock."""
    reads = []
    for name, node in nodes():
        if name in CLOCK:
            continue
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in CLOCK_READS.get(node.value.id, ()):
                reads.append(f"{name}:{node.lineno} {node.value.id}.{node.attr}")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            if node.attr in CLOCK_READS.get(node.value.attr, ()) and node.value.attr != "time":
                reads.append(f"{name}:{node.lineno} {node.value.attr}.{node.attr}")
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            reads.append(f"{name}:{node.lineno} from time import …")
    assert reads == []


def test_nothing_sleeps_but_by_its_clock() -> None:
    """`asyncio.sleep` is only used to yield once; waiting goes through a Clock, or virtual time would not move it."""
    sleeps = []
    for name, node in nodes():
        if name in CLOCK or not isinstance(node, ast.Call) or ast.unparse(node.func) != "asyncio.sleep":
            continue
        if [ast.unparse(argument) for argument in node.args] != ["0"]:
            sleeps.append(f"{name}:{node.lineno}")
    assert sleeps == []


def test_local_time_lives_in_one_file() -> None:
    """Only core/wallclock.py knows time zones."""
    users = {name for name, node in nodes() for module in imported(node) if module.split(".")[0] == "zoneinfo"}
    assert users - WALLCLOCK == set()


def test_broad_handlers_are_three_and_named() -> None:
    """`except Exception` stands in three places; elsewhere a broad handler may only clean up and raise again."""
    broad = []
    for name, node in nodes():
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = ast.unparse(node.type) if node.type else "everything"
        if not re.search(r"\b(Exception|BaseException|everything)\b", caught):
            continue
        if any(isinstance(last, ast.Raise) and last.exc is None for last in node.body[-1:]):
            continue
        broad.append((name, node.lineno))
    places = [place for name, _ in broad for place in BROAD_HANDLERS if name == place or name.startswith(place + "/")]
    assert len(places) == len(broad), broad
    assert len(places) == len(set(places)), broad


def test_channels_do_not_know_each_other() -> None:
    """A file of notify/ that builds a channel imports no other one."""
    builders = {
        name.removesuffix(".py").replace("/", ".")
        for name, tree in sources().items()
        if name.startswith("notify/")
        and any(isinstance(node, ast.FunctionDef) and node.name == "build" for node in tree.body)
    }
    crossings = [
        (name, module)
        for name, node in nodes()
        if name.removesuffix(".py").replace("/", ".") in builders
        for module in imported(node)
        for other in builders
        if module == f"escalatord.{other}" or module.startswith(f"escalatord.{other}.")
    ]
    assert crossings == []


def test_nothing_is_left_for_later() -> None:
    """No note in the source says that something is still to be done."""
    notes = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    assert [name for name in sources() if notes.search((PACKAGE / name).read_text())] == []


def test_no_mutable_globals() -> None:
    """No function rebinds a module's name: state lives in objects that somebody made."""
    assert [f"{name}:{node.lineno}" for name, node in nodes() if isinstance(node, ast.Global)] == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_pin_everything_and_name_no_host(lock: str) -> None:
    """A lock has a hash for every package, every direct dependency, and no address to fetch from."""
    text = (ROOT / ".ci" / lock).read_text()
    assert not re.search(
        r"[a-z+]+://|^\s*(-i|-f|--index|--extra-index|--find-links|--trusted-host)", text, re.MULTILINE
    )
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)
    pinned = {block.partition("==")[0].lower(): block for block in blocks if "==" in block}
    assert [name for name, block in pinned.items() if "--hash=sha256:" not in block] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {re.split(r"[<>=\[; ]", dependency)[0].lower() for dependency in project["project"]["dependencies"]}
    if "dev" in lock:
        wanted |= {
            re.split(r"[<>=\[; ]", each)[0].lower() for group in project["dependency-groups"].values() for each in group
        }
    assert wanted - set(pinned) == set()


def test_makefile_names_what_the_readme_promises() -> None:
    """Every target that people are told about exists and explains itself in `make help`."""
    text = (ROOT / "Makefile").read_text()
    explained = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert {"help", "venv", "demo", "test", "lint", "bench", "faults", "clean"} <= explained
