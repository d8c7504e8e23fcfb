"""`escalatord test`: the tests beside the rules (`*.test.yaml`), each a night of its own. `--junit` for CI."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import click

from escalatord.cli import output
from escalatord.cli.check import as_text
from escalatord.cli.client import EXIT_BAD_RULES, EXIT_NEGATIVE
from escalatord.cli.simulate import ruleset_of
from escalatord.clock import SystemClock
from escalatord.config.files import FOLDER_DEPTH_MAX, TEST_SUFFIXES
from escalatord.core.ruleset import Ruleset
from escalatord.errors import Finding
from escalatord.sim.cases import Case, read
from escalatord.sim.expecting import as_diff, missed
from escalatord.sim.story import StoryError, play

FILES_MAX = 5_000
RULE_SUFFIXES = (".yaml", ".yml")
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DIFF_COLUMNS_MAX = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one case: the diff of a failure (() = it passed), and how long it took."""

    case: Case
    diff: tuple[str, ...]
    took_seconds: float


@click.command("test")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--rules", type=click.Path(path_type=Path, exists=True), help="The rules.  [default: those around the tests]"
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write the results there as JUnit XML.")
@click.option("-k", "words", default="", help="Only tests with these words in their name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def test(paths: tuple[Path, ...], rules: Path | None, junit: Path | None, words: str, *, as_json: bool) -> None:
    """Run the tests (*.test.yaml) in PATHS: files or directories, default: rules.

    Exit 1 when one fails, 3 when a file or the rules cannot be read.
    """
    files = [file for path in paths or (Path("rules"),) for file in found(path)]
    if not files:
        raise click.UsageError("There are no tests (*.test.yaml) there.")
    cases, findings = gathered(dict.fromkeys(files), rules)
    if findings:
        click.echo(as_text(findings, {}, Path("the tests")), err=True)
        raise SystemExit(EXIT_BAD_RULES)
    chosen = [(case, ruleset) for case, ruleset in cases if words.casefold() in case.name.casefold()]
    results = []
    for case, ruleset in chosen:
        results.append(run(case, ruleset))
        if not as_json:
            output.say(told(results[-1]))
    failed = sum(bool(result.diff) for result in results)
    if junit is not None:
        junit.write_bytes(as_junit(results))
    if as_json:
        output.say_json(_json(results))
    else:
        took = sum(result.took_seconds for result in results)
        output.say(f"{len(results)} tests, {failed} failed, in {took:.1f} s")
    if failed or not results:
        raise SystemExit(EXIT_NEGATIVE)


def found(path: Path) -> list[Path]:
    """Return the test files at a path: the file itself, or all below a directory, hidden ones left out."""
    if not path.is_dir():
        return [path]
    files = (file for file in path.rglob("*") if file.name.endswith(TEST_SUFFIXES) and file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts))[
        :FILES_MAX
    ]


def root_of(file: Path) -> Path:
    """Return the rules that a test file is for: the nearest directory around it that holds rule files."""
    folder = file.resolve().parent
    for candidate in [folder, *folder.parents][:FOLDER_DEPTH_MAX]:
        if any(
            one.name.endswith(RULE_SUFFIXES) and not one.name.endswith(TEST_SUFFIXES) for one in candidate.iterdir()
        ):
            return candidate
    raise click.UsageError(f"There are no rules around {file}; give --rules DIRECTORY.")


def gathered(
    files: Sequence[Path] | dict[Path, None], rules: Path | None
) -> tuple[list[tuple[Case, Ruleset]], list[Finding]]:
    """Return every case with its rules, and everything that is wrong with the files."""
    known: dict[Path, Ruleset] = {}
    cases: list[tuple[Case, Ruleset]] = []
    findings: list[Finding] = []
    for file in files:
        root = rules or root_of(file)
        if root not in known:
            known[root] = ruleset_of(root)
        of_file, problems = read(file, root, known[root])
        findings += problems
        cases += [(case, known[root]) for case in of_file]
    return cases, findings


def run(case: Case, ruleset: Ruleset) -> Result:
    """Play a case and compare."""
    clock = SystemClock()
    began_seconds = clock.monotonic()
    try:
        played = play(case.story, ruleset)
    except StoryError as error:
        diff = [f"- {error}    {case.place}"]
    else:
        misses = missed(case, played)
        diff = as_diff(played, ruleset, misses) if misses else []
    return Result(case=case, diff=tuple(diff), took_seconds=clock.monotonic() - began_seconds)


def told(result: Result) -> Iterator[str]:
    """Yield a line for a passed case; for a failed one what happened beside what was expected."""
    case = result.case
    if not result.diff:
        yield output.clean(f"ok    {case.name}  ({result.took_seconds * 1000:.0f} ms)", output.COLUMNS_MAX)
        return
    yield output.clean(f"FAIL  {case.name}    {case.place}")
    yield "      - expected and missing, + not expected; times since the beginning"
    for line in result.diff:
        yield output.clean(f"      {line}", DIFF_COLUMNS_MAX)


def as_junit(results: Sequence[Result]) -> bytes:
    """Return results as JUnit XML: a suite a file, a case a test, the diff as the text of a failure."""
    failed = sum(bool(result.diff) for result in results)
    root = ET.Element("testsuites", name="escalatord", tests=str(len(results)), failures=str(failed))
    suites: dict[str, list[Result]] = {}
    for result in results:
        suites.setdefault(result.case.file, []).append(result)
    for file, inside in suites.items():
        bad = sum(bool(result.diff) for result in inside)
        seconds = sum(result.took_seconds for result in inside)
        suite = ET.SubElement(
            root, "testsuite", name=file, tests=str(len(inside)), failures=str(bad), errors="0", time=f"{seconds:.3f}"
        )
        for result in inside:
            case = ET.SubElement(
                suite, "testcase", name=result.case.name, classname=file, time=f"{result.took_seconds:.3f}"
            )
            if result.diff:
                message = next((line for line in result.diff if line.startswith("-")), result.diff[0])
                failure = ET.SubElement(case, "failure", message=NOT_IN_XML.sub("", message))
                failure.text = NOT_IN_XML.sub("", "\n".join(result.diff))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode()


def _json(results: Sequence[Result]) -> dict[str, object]:
    return {
        "tests": len(results),
        "failed": sum(bool(result.diff) for result in results),
        "results": [
            {
                "name": result.case.name,
                "place": result.case.place,
                "passed": not result.diff,
                "seconds": round(result.took_seconds, 3),
                "diff": list(result.diff),
            }
            for result in results
        ],
    }
