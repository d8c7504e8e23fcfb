"""`escalatord check`: are these rules right, and would somebody wake up? `escalatord schema`: the language for editors.

Nothing here imports HTTP, a database or a provider; the rules' own code is imported when a command runs.
Exit: 0 fine (or warnings only), 1 findings, 2 usage, 3 the rules cannot be read at all.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import click

from escalatord.clock import SystemClock
from escalatord.errors import ConfigError, Finding

EXIT_FINDINGS = 1
EXIT_UNREADABLE = 3
CODE_UNREADABLE = "E001"


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("rules"))
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--at", "at", metavar="TIME", help='Check as if it were "2026-10-24 03:11 Europe/Madrid".')
@click.option("--without-secrets", is_flag=True, help="Do not ask for secret files and variables (for CI).")
def check(path: Path, style: str, at: str | None, *, strict: bool, without_secrets: bool) -> None:
    """Check the rules in PATH (a directory or one file, default: rules) and say everything that is wrong."""
    now = SystemClock().now() if at is None else _instant(at)
    findings, figures = examine(path, now, without_secrets=without_secrets)
    errors = sum(finding.level == "error" for finding in findings)
    warnings = len(findings) - errors
    if style == "json":
        click.echo(as_json(findings, figures))
    else:
        click.echo(as_text(findings, figures, path))
    if findings and all(finding.code == CODE_UNREADABLE for finding in findings):
        raise SystemExit(EXIT_UNREADABLE)
    if errors or (strict and warnings):
        raise SystemExit(EXIT_FINDINGS)


@click.command()
def schema() -> None:
    """Print the JSON Schema of a rules file, for completion and checks in an editor."""
    from escalatord.config.schema import json_schema  # noqa: PLC0415 - pydantic is not paid for by --help

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def examine(
    path: Path, now: datetime, *, without_secrets: bool = False
) -> tuple[Sequence[Finding], Mapping[str, object]]:
    """Return every finding about the rules at `path`, and figures about them (none when they cannot be loaded)."""
    from escalatord.config.lint import lint  # noqa: PLC0415 - as in schema
    from escalatord.config.load import load  # noqa: PLC0415 - as in schema

    try:
        loaded = load(path, need_secrets=not without_secrets)
    except ConfigError as error:
        return error.findings, {}
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
    return lint(loaded, now), figures


def as_text(findings: Sequence[Finding], figures: Mapping[str, object], path: Path) -> str:
    """Return findings as lines for a human: place, code and sentence, the fix below, a summary last."""
    lines: list[str] = []
    for finding in findings:
        mark = " warning:" if finding.level == "warning" else ""
        place = f"{finding.file}:{finding.line}:{finding.column}" if finding.line else finding.file
        lines.append(f"{place} {finding.code}{mark} {finding.say}")
        if finding.fix:
            lines.append(f"    fix: {finding.fix}")
    errors = sum(finding.level == "error" for finding in findings)
    if findings:
        lines.append(f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')} in {path}")
    else:
        counted = ", ".join(
            f"{figures[what]} {what}" for what in ("rules", "policies", "people", "schedules", "sources")
        )
        lines.append(f"fine: {counted} in {figures['files']} files of {path} ({figures['hash']})")
    return "\n".join(lines)


def as_json(findings: Sequence[Finding], figures: Mapping[str, object]) -> str:
    """Return findings as one JSON object for tools."""
    errors = sum(finding.level == "error" for finding in findings)
    shown = [{key: getattr(finding, key) for key in Finding.__slots__} for finding in findings]
    return json.dumps(
        {"errors": errors, "warnings": len(findings) - errors, "figures": dict(figures), "findings": shown},
        indent=2,
        ensure_ascii=False,
    )


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
