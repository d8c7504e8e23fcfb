"""What serve, demo and token are told by flags: addresses, durations, and where things are."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click

from escalatord.core.units import parse_duration_seconds

LISTEN_DEFAULT = "127.0.0.1:8911"
STORAGE_DEFAULT = "sqlite:///escalatord.db"
PORT_MAX = 65535
LISTEN = re.compile(r"(?:\[[0-9A-Fa-f:.%\w]+\]|[\w.\-]*):(\d{1,5})", re.ASCII)
EXAMPLE_RULES = "shipped_rules"


def storage_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `storage_url` and `storage_path`; `storage_address` makes one of both."""
    command = click.option(
        "--storage.path",
        "storage_path",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The database file: short for --storage.url sqlite:///FILE.",
    )(command)
    return click.option(
        "--storage.url", "storage_url", metavar="URL", help=f"The database.  [default: {STORAGE_DEFAULT}]"
    )(command)


def storage_address(url: str | None, path: Path | None) -> str:
    """Return the address of the database; UsageError when both ways of saying it are used."""
    if url is not None and path is not None:
        raise click.UsageError("--storage.url and --storage.path say the same thing; give one of them.")
    return f"sqlite:///{path}" if path is not None else url or STORAGE_DEFAULT


def listen_addresses(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Return `host:port` addresses that can be listened on; BadParameter for others."""
    for text in given:
        match = LISTEN.fullmatch(text)
        if match is None or not 0 < int(match[1]) <= PORT_MAX:
            raise click.BadParameter(f'"{text}" is not an address; write it like {LISTEN_DEFAULT} or [::1]:8911')
    return given


def external_address(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Return the address by which phones reach us, without a trailing slash; BadParameter when it has a path."""
    parts = urlsplit(text)
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
    if text and not (parts.scheme in {"http", "https"} and parts.hostname and plain):
        raise click.BadParameter("write it like https://esc.example.com, without a path")
    return text.rstrip("/")


def called_address(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """Return an address that we call; `file:NAME` is read, from systemd's credentials first: mostly it is a secret."""
    if text.startswith("file:"):
        name = text.removeprefix("file:")
        places = [Path(folder) / name for folder in (os.environ.get("CREDENTIALS_DIRECTORY"),) if folder]
        found = next((place for place in (*places, Path(name)) if place.is_file()), None)
        if found is None:
            raise click.BadParameter(f'there is no file "{name}"')
        text = found.read_text(encoding="utf-8").strip()
    parts = urlsplit(text)
    if text and not (parts.scheme in {"http", "https"} and parts.hostname and text.isprintable()):
        raise click.BadParameter("write it like https://watch.example.com/7c1f, or file:NAME of a file that says it")
    return text


def duration(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    """Return seconds; `0` switches off."""
    if text == "0":
        return 0.0
    try:
        return parse_duration_seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def shipped_rules() -> Path:
    """Return the rules that come with the program: data of the package, or `rules/` beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    packed = package / EXAMPLE_RULES
    return packed if packed.is_dir() else package.parent / "rules"


def rules_here() -> Path:
    """Return `rules` in the current directory where it is, else the rules that come with the program."""
    here = Path("rules")
    return here if here.is_dir() else shipped_rules()
