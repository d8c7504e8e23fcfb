"""`escalatord check`: are these rules right, and would somebody wake up? `escalatord schema`: the language for editors.

Nothing here imports HTTP, a database or a provider; the rules' own code is imported when a command runs.
Exit: 0 fine (or warnings only), 1 findings, 2 usage, 3 the rules cannot be read at all.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from escalatord.clock import SystemClock
from escalatord.errors import ConfigError, Finding

if TYPE_CHECKING:
    from escalatord.config.coverage import Proof  # pydantic is not paid for by --help

EXIT_FINDINGS = 1
EXIT_UNREADABLE = 3
CODE_UNREADABLE = "E001"
TABLE_HEAD = ("if nobody answers", "severity", "a human", "a second one", "last resort", "with one thing dead")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What came of looking at rules; no figures and no proof when they cannot be loaded."""

    findings: Sequence[Finding]
    figures: Mapping[str, object] = field(default_factory=dict)
    proof: "Proof | None" = None


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("rules"))
@click.option("--format", "style", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--quiet", is_flag=True, help="Findings only, without the table of worst cases.")
@click.option("--at", "at", metavar="TIME", help='Check as if it were "2026-10-24 03:11 Europe/Madrid".')
@click.option("--without-secrets", is_flag=True, help="Do not ask for secret files and variables (for CI).")
def check(path: Path, style: str, at: str | None, *, strict: bool, quiet: bool, without_secrets: bool) -> None:
    """Check the rules in PATH (a directory or one file, default: rules) and say everything that is wrong.

    Looks at every minute of the 90 days from now (or --at) on: who is there, and how soon a human is told.
    """
    now = SystemClock().now() if at is None else _instant(at)
    examined = examine(path, now, without_secrets=without_secrets)
    findings = examined.findings
    errors = sum(finding.level == "error" for finding in findings)
    if style == "json":
        click.echo(as_json(examined))
    elif style == "sarif":
        click.echo(_as_sarif(examined, path))
    else:
        click.echo(as_text(findings, examined.figures, path, () if quiet else proof_lines(examined.proof)))
    if findings and all(finding.code == CODE_UNREADABLE for finding in findings):
        raise SystemExit(EXIT_UNREADABLE)
    if errors or (strict and findings):
        raise SystemExit(EXIT_FINDINGS)


@click.command()
@click.option("--tests", "of_tests", is_flag=True, help="That of the tests beside the rules (*.test.yaml).")
@click.option("--pages", type=click.Path(path_type=Path), metavar="DIR", help="Write it as pages to read, into DIR.")
def schema(*, of_tests: bool, pages: Path | None) -> None:
    """Print the JSON Schema of a rules file, for completion and checks in an editor."""
    if of_tests:
        from escalatord.sim.cases import json_schema  # noqa: PLC0415 - the simulator is not paid for by the rules
    else:
        from escalatord.config.schema import json_schema  # noqa: PLC0415 - pydantic is not paid for by --help
    if pages is None:
        click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return
    from escalatord.config import reference  # noqa: PLC0415 - as above

    pages.mkdir(parents=True, exist_ok=True)
    for name, text in reference.pages(json_schema()).items():
        (pages / name).write_text(text, encoding="utf-8")


def examine(path: Path, now: datetime, *, without_secrets: bool = False) -> Examined:
    """Return every finding about the rules at `path`, with figures and the proof when they can be loaded."""
    from escalatord.config.coverage import prove  # noqa: PLC0415 - as in schema
    from escalatord.config.lint import lint  # noqa: PLC0415 - as in schema
    from escalatord.config.load import in_order, load  # noqa: PLC0415 - as in schema

    try:
        loaded = load(path, need_secrets=not without_secrets, now=now)
    except ConfigError as error:
        return Examined(findings=error.findings)
    rules = loaded.ruleset
    figures: Mapping[str, object] = {
        "hash": rules.hash,
        "files": loaded.file_count,
        "rules": len(rules.thresholds) + len(rules.exceptions),
        "policies": len(rules.policies),
        "people": len(rules.people),
        "schedules": len(rules.schedules),
        "sources": len(rules.sources),
    }
    proof = prove(loaded, now)
    found = [*lint(loaded, now), *proof.findings]
    if rules.templates or rules.suppress:
        from escalatord.cli.recorded import recorded_alerts  # noqa: PLC0415 - as in schema
        from escalatord.config.suppressions import missing_labels  # noqa: PLC0415 - as in schema
        from escalatord.config.template_trials import try_templates  # noqa: PLC0415 - as in schema

        recorded = recorded_alerts(path, rules, now)
        found += [*try_templates(loaded, recorded, now), *missing_labels(loaded.sections, rules, recorded)]
    findings = tuple(sorted(found, key=in_order))
    return Examined(findings=findings, figures=figures, proof=proof)


def as_text(findings: Sequence[Finding], figures: Mapping[str, object], path: Path, proved: Sequence[str] = ()) -> str:
    """Return findings as lines for a human: place, code and sentence, the fix below, what is proved, a summary last."""
    lines: list[str] = []
    for finding in findings:
        mark = " warning:" if finding.level == "warning" else ""
        place = f"{finding.file}:{finding.line}:{finding.column}" if finding.line else finding.file
        lines.append(f"{place} {finding.code}{mark} {finding.say}")
        if finding.fix:
            lines.append(f"    fix: {finding.fix}")
    lines += proved
    errors = sum(finding.level == "error" for finding in findings)
    if findings:
        lines.append(f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')} in {path}")
    else:
        counted = ", ".join(
            f"{figures[what]} {what}" for what in ("rules", "policies", "people", "schedules", "sources")
        )
        lines.append(f"fine: {counted} in {figures['files']} files of {path} ({figures['hash']})")
    return "\n".join(lines)


def proof_lines(proof: "Proof | None") -> list[str]:
    """Return the table of worst cases, and what is proved; nothing without a proof."""
    if proof is None:
        return []
    rows = [TABLE_HEAD, *proof.table]
    widths = [max(len(row[column]) for row in rows) for column in range(len(TABLE_HEAD))]
    table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return [*table, *(f"proved: {claim}" for claim in proof.claims)]


def as_json(examined: Examined) -> str:
    """Return findings and proof as one JSON object for tools."""
    errors = sum(finding.level == "error" for finding in examined.findings)
    shown = [{key: getattr(finding, key) for key in Finding.__slots__} for finding in examined.findings]
    whole = {
        "errors": errors,
        "warnings": len(examined.findings) - errors,
        "figures": dict(examined.figures),
        "findings": shown,
        "proof": _as_mapping(examined.proof),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _as_mapping(proof: "Proof | None") -> Mapping[str, object]:
    from escalatord.config.coverage import as_mapping  # noqa: PLC0415 - as in schema

    return as_mapping(proof) if proof is not None else {}


def _as_sarif(examined: Examined, path: Path) -> str:
    from escalatord.config.sarif import as_sarif  # noqa: PLC0415 - as in schema

    return as_sarif(examined.findings, path, _as_mapping(examined.proof))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _instant(text: str) -> datetime:
    from escalatord.core.wallclock import parse_when  # noqa: PLC0415 - as in schema

    try:
        return parse_when(text, "UTC")
    except ValueError as error:
        _usage(str(error))


def _usage(say: str) -> NoReturn:
    raise click.BadParameter(say, param_hint="--at")
