"""`escalatord init`: a starter rule set that already works, to be changed into one's own."""

import shutil
from pathlib import Path

import click

from escalatord.cli import output
from escalatord.cli.client import NegativeError
from escalatord.cli.options import shipped_rules

SUFFIXES = frozenset({".yaml", ".json"})


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def init(directory: Path, as_json: bool) -> None:
    """Write a starter rule set into DIRECTORY; nothing that is there is overwritten."""
    origin = shipped_rules()
    files = sorted(path for path in origin.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    names = [path.relative_to(origin) for path in files]
    there = [str(name) for name in names if (directory / name).exists()]
    if there:
        raise NegativeError(f"{directory} has {', '.join(there)} already; nothing was written. Give a new directory.")
    try:
        for path, name in zip(files, names, strict=True):
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            # bytes only: files installed read-only must become files that can be edited
            shutil.copyfile(path, target)
    except OSError as error:
        raise NegativeError(f"{error.filename or directory} cannot be written: {error.strerror}") from None
    if as_json:
        output.say_json({"directory": str(directory), "files": [str(name) for name in names]})
    else:
        output.say(next_steps(directory, len(names)))


def next_steps(directory: Path, count: int) -> list[str]:
    """Return what to do with a starter rule set."""
    return [
        f"{count} files in {directory}. Every phone is simulated until channels.yaml says otherwise.",
        f"  escalatord check {directory}                     what is wrong, and who would sleep through it",
        f"  escalatord serve --rules {directory}             start the daemon, then in another terminal",
        f"  escalatord fire checkout-5xx --rules {directory} send an example alert",
        "Then put your people into people.yaml, your rules into thresholds.yaml, and into Alertmanager's receivers:",
        "  webhook_configs: [{url: http://127.0.0.1:8911/in/alertmanager, send_resolved: true, max_alerts: 0}]",
    ]
