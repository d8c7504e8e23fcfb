"""`escalatord catalog import`: services from Backstage or a table, checked with the other rules first.

Exit: 0 fine, 1 refused (the rules would be wrong, or too many services would go), 2 usage, 3 unreadable.
"""

from pathlib import Path
from typing import NoReturn

import click

from escalatord.errors import ConfigError, Finding

EXIT_REFUSED = 1
EXIT_UNREADABLE = 3


@click.group()
def catalog() -> None:
    """Take services over from a catalog."""


@catalog.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--rules", type=click.Path(path_type=Path, file_okay=False), default=Path("rules"), show_default=True)
@click.option(
    "--to", "target", default="services.yaml", show_default=True, help="The file in the rules that is written."
)
@click.option("--diff", "only_diff", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--force", is_flag=True, help="Also when more than 30 % of the services would go.")
def import_(file: Path, rules: Path, target: str, *, only_diff: bool, force: bool) -> None:
    """Write the services of FILE, a Backstage catalog-info.yaml or a CSV, into the rules."""
    from escalatord.config import catalog as found_in  # noqa: PLC0415 - nothing of the rules is paid for by --help

    path = rules / target
    if Path(target).name != target or not target.endswith((".yaml", ".yml")):
        raise click.BadParameter("a file name like services.yaml", param_hint="--to")
    try:
        read = found_in.read(file.name, file.read_bytes())
        present = found_in.services_of(path.read_bytes(), target) if path.exists() else {}
    except found_in.CatalogError as error:
        _end(f"{file}: {error}", EXIT_UNREADABLE)
    merged = found_in.merge(present, read)
    for line in read.skipped:
        click.echo(f"skipped: {line}", err=True)
    for line in merged.lines():
        click.echo(line)
    figures = f"{len(merged.added)} new, {len(merged.changed)} changed, {len(merged.deleted)} gone"
    raw = found_in.written(merged.services, file.name)
    problems = _problems(rules, target, raw)
    for finding in problems:
        click.echo(str(finding), err=True)
    if merged.too_many_deleted and not force:
        _end(f"refused: {figures} of {merged.before}; if that is meant, say --force", EXIT_REFUSED)
    if problems:
        _end("refused: the rules would be wrong with it", EXIT_REFUSED)
    if only_diff:
        click.echo(f"would write {path}: {figures}")
        return
    if merged.services != present:
        beside = path.with_name(f".{target}.new")
        beside.write_bytes(raw)
        beside.replace(path)  # a daemon that watches the files reads the old one or the new one, never half of it
    click.echo(f"{path}: {figures}")


def _problems(rules: Path, target: str, raw: bytes) -> tuple[Finding, ...]:
    """Return the errors that the rules would have with this file, and have not without it."""
    from escalatord.config import criteria, files, references  # noqa: PLC0415 - as in import_
    from escalatord.config.sections import gather  # noqa: PLC0415 - as in import_

    def errors(found: tuple[files.RuleFile, ...]) -> list[Finding]:
        sections = gather(str(rules), found)
        named = references.references(sections)
        findings = [*sections.findings, *references.check(sections, named), *criteria.check(sections)]
        return [finding for finding in findings if finding.level == "error"]

    try:
        present = files.read(rules)
    except ConfigError:
        present = ()
    before = {(finding.file, finding.code, finding.say) for finding in errors(present)}
    others = tuple(file for file in present if file.name != target)
    after = errors((*others, files.RuleFile(name=target, raw=raw)))
    # a name that is missing all over a new directory says nothing about the catalog
    return tuple(f for f in after if (f.file, f.code, f.say) not in before and (present or f.file == target))


def _end(say: str, code: int) -> NoReturn:
    click.echo(say, err=True)
    raise SystemExit(code)
