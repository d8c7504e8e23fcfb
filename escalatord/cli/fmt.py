"""`escalatord fmt`: rule files written tidily; `--check` for CI. Nothing that they say changes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import click

from escalatord.cli import output
from escalatord.cli.check import as_text
from escalatord.cli.client import EXIT_BAD_RULES, EXIT_NEGATIVE, NegativeError
from escalatord.config.files import FILES_MAX, SUFFIXES
from escalatord.config.strict_yaml import FILE_BYTES_MAX
from escalatord.config.tidy import tidy
from escalatord.errors import Finding


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 when a file is not tidy.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def fmt(paths: tuple[Path, ...], *, only_check: bool, as_json: bool) -> None:
    """Write the rule files and tests in PATHS tidily (files or directories, default: rules).

    Blanks, blank lines and quotes are put right; comments, order and meaning stay. Exit 3 when a file is not YAML.
    """
    changed: list[str] = []
    findings: list[Finding] = []
    for file in [file for path in paths or (Path("rules"),) for file in _files(path)][:FILES_MAX]:
        try:
            with file.open("rb") as opened:
                raw = opened.read(FILE_BYTES_MAX + 1)
            written, problems = tidy(raw, str(file))
            findings += problems
            if written != raw:
                changed.append(str(file))
                if not only_check:
                    _write(file, written)
        except OSError as error:
            raise NegativeError(f"{file}: {error.strerror}") from None
    if as_json:
        output.say_json({"changed": changed, "findings": [str(finding) for finding in findings]})
    else:
        output.say([f"{'not tidy' if only_check else 'written'}: {name}" for name in changed] or ["all tidy"])
    if findings:
        click.echo(as_text(findings, {}, Path("the files")), err=True)
        raise SystemExit(EXIT_BAD_RULES)
    if only_check and changed:
        raise SystemExit(EXIT_NEGATIVE)


def _files(path: Path) -> Iterator[Path]:
    """Yield the YAML files at a path, hidden ones left out."""
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.name.endswith(SUFFIXES) and file.is_file() and not hidden:
            yield file


def _write(file: Path, written: bytes) -> None:
    """Put new bytes in the place of a file at once: a reader sees the old ones or the new ones, never half of them."""
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_bytes(written)
    shutil.copymode(file, fresh)
    fresh.replace(file)
