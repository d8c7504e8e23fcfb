"""`escalatord token`: who may use the API, kept in the database as hashes. A token is shown once, when it is made.

These verbs work on the database itself, so whoever may write its file may make tokens. They work while the daemon runs:
SQLite lets a second process write a row, and the daemon looks tokens up for each request.
"""

import re
import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from escalatord.cli import options, output
from escalatord.cli.client import NegativeError
from escalatord.clock import SystemClock
from escalatord.errors import StoreRefusedError, StoreUnavailableError
from escalatord.store import migrate, pragmas
from escalatord.store.disk import ProcessLock
from escalatord.store.rows import TokenRow
from escalatord.store.store import Store
from escalatord.store.tables import SCHEMA_VERSION
from escalatord.store.tx import Tx

TOKEN_BYTES = 32
TOKEN_PREFIX = "escalatord_"  # noqa: S105 - makes a leaked token findable, is none
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
ROLES = ("viewer", "responder", "admin")

T = TypeVar("T")


@click.group(epilog="\b\nExample:\n  escalatord token create grafana --role viewer")
def token() -> None:
    """Make, list and revoke API tokens, in the database of the daemon."""


@token.command(epilog="\b\nExample:\n  escalatord token create ana --role responder > ana.token")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    required=True,
    help="viewer looks and raises, responder answers, admin does everything and speaks for others.",
)
@options.storage_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(name: str, role: str, storage_url: str | None, storage_path: Path | None, as_json: bool) -> None:
    """Make a token called NAME and print it, once. Name it like a person's id to have them acknowledge with it."""
    if NAME.fullmatch(name) is None:
        raise click.BadParameter("use small letters, digits, dots, hyphens and underscores", param_hint="NAME")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    digest = sha256(secret.encode()).hexdigest()
    row = TokenRow(name=name, role=role, token_hash=digest, created_at=SystemClock().now())

    def add(tx: Tx) -> bool:
        taken = any(known.name == name for known in tx.tokens())
        if not taken:
            tx.add_token(row)
        return not taken

    place = options.storage_address(storage_url, storage_path)
    if not written(place, add, new=True):
        raise NegativeError(f"There is a token called {name} already. Revoke it first: escalatord token revoke {name}")
    if as_json:
        output.say_json({"name": name, "role": role, "token": secret})
    else:
        output.say(secret)
        click.echo(
            f"Made {name} ({role}) in {make_url(place).render_as_string(hide_password=True)}. "
            "It is not shown again: keep it in a file with mode 600.",
            err=True,
        )


@token.command("list", epilog="\b\nExample:\n  escalatord token list")
@options.storage_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(storage_url: str | None, storage_path: Path | None, as_json: bool) -> None:
    """List tokens: name, role, since when. The tokens themselves are not known."""
    rows = written(options.storage_address(storage_url, storage_path), lambda tx: tx.tokens())
    if as_json:
        found = [{"name": row.name, "role": row.role, "created_at": row.created_at.isoformat()} for row in rows]
        output.say_json({"tokens": found})
    elif rows:
        output.say(output.table([[row.name, row.role, output.clock(row.created_at, day=True)] for row in rows]))
    else:
        output.say("no tokens")


@token.command(epilog="\b\nExample:\n  escalatord token revoke grafana")
@click.argument("name")
@options.storage_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def revoke(name: str, storage_url: str | None, storage_path: Path | None, as_json: bool) -> None:
    """Revoke the token called NAME; its sessions end with it."""
    if not written(options.storage_address(storage_url, storage_path), lambda tx: tx.remove_token(name)):
        raise NegativeError(f"There is no token called {output.clean(name, 64)}.")
    if as_json:
        output.say_json({"revoked": name})
    else:
        output.say(f"Revoked {name}.")


def written(url: str, work: Callable[[Tx], T], *, new: bool = False) -> T:
    """Run `work` in one transaction on the database, beside a daemon that has it open or alone; `new` may make it."""
    try:
        store = Store(url)
        path = store.database.path
        if path is not None and not new and not path.is_file():
            raise NegativeError(f"There is no database {path}. Give --storage.path as the daemon has it.")
        if path is not None and _in_use(path):
            return _beside(url, work)
        store.open()
        try:
            return store.settle(work)
        finally:
            store.close()
    except (StoreRefusedError, StoreUnavailableError) as error:
        raise NegativeError(str(error)) from None


def _in_use(path: Path) -> bool:
    if not path.is_file():
        return False
    lock = ProcessLock(path.with_name(path.name + ".lock"))
    try:
        lock.take()
    except StoreRefusedError:
        return True
    except OSError as error:
        raise NegativeError(f"{path} cannot be written: {error.strerror}") from None
    lock.release()
    return False


def _beside(url: str, work: Callable[[Tx], T]) -> T:
    """Run `work` on a database that a daemon has open; its schema must be the one that this program knows."""
    engine = pragmas.writer(make_url(url), pragmas.BUSY_SECONDS)
    try:
        with engine.begin() as connection:
            if migrate.stored_version(connection) != SCHEMA_VERSION:
                raise StoreRefusedError("the daemon that runs is of another release; use its own escalatord")
            return work(Tx(connection))
    except DBAPIError as error:
        trouble = pragmas.trouble_of(error)
        if trouble is None:
            raise
        raise StoreUnavailableError(f"nothing was saved: {trouble[1]}") from None
    finally:
        engine.dispose()
