"""What changes while the daemon runs and belongs to no incident, from pinned policies to API tokens."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from escalatord.core.policy import Policy
from escalatord.core.schedule import Override
from escalatord.store.codec import from_micros, policy_codec, to_micros
from escalatord.store.rows import DeadLetter, TokenRow
from escalatord.store.sql import chunks, execute_many, insert_or_ignore, insert_or_replace
from escalatord.store.tables import (
    checkpoints,
    counters,
    dead_letters,
    overrides,
    policies,
    settings,
    tokens,
    unreachable,
)

# A sender gone mad must not fill the disk: past this the oldest letter goes.
DEAD_LETTERS_MAX = 10_000
CHECKPOINT_LEDGER = "ledger"
COUNTER_WORLD = "world"
"""Grows with every change of overrides and unreachable addresses, so that other nodes need not read them each time."""

_policies = select(policies.c.hash, policies.c.body).where(policies.c.hash.in_(bindparam("hashes", expanding=True)))
_overrides = select(overrides).where(overrides.c.end_at > bindparam("now"))
_add_override = insert(overrides).returning(overrides.c.id)
_override = select(overrides).where(overrides.c.id == bindparam("wanted"), overrides.c.end_at > bindparam("now"))
_end_override = update(overrides).where(overrides.c.id == bindparam("wanted")).values(end_at=bindparam("now"))
_drop_override = delete(overrides).where(overrides.c.id == bindparam("wanted"))
_unreachable = select(unreachable.c.person, unreachable.c.address_key)
_forget_unreachable = delete(unreachable).where(
    unreachable.c.person == bindparam("of_person"), unreachable.c.address_key == bindparam("of_key")
)
_add_letter = insert(dead_letters).returning(dead_letters.c.id)
_drop_letters = delete(dead_letters).where(dead_letters.c.id <= bindparam("last"))
_letters = select(dead_letters).order_by(dead_letters.c.id.desc()).limit(bindparam("limit"))
_setting = select(settings.c.value).where(settings.c.name == bindparam("wanted"))
_settings_of = select(settings.c.name, settings.c.value).where(settings.c.name.startswith(bindparam("prefix")))
_tokens = select(tokens).order_by(tokens.c.name)
_add_token = insert(tokens)
_remove_token = delete(tokens).where(tokens.c.name == bindparam("wanted"))
_checkpoint = select(checkpoints.c.seq, checkpoints.c.body).where(checkpoints.c.name == bindparam("wanted"))


def pin(connection: Connection, pinned: Iterable[Policy]) -> None:
    """Keep policies by hash; one that is known stays as it is."""
    rows = [{"hash": policy.hash, "name": policy.name, "body": policy_codec.encode(policy)} for policy in pinned]
    if rows:
        execute_many(connection, insert_or_ignore(connection, policies), rows)


def load_policies(connection: Connection, hashes: Iterable[str]) -> dict[str, Policy]:
    """Return the pinned policies that are known among `hashes`."""
    found: dict[str, Policy] = {}
    for chunk in chunks(list(dict.fromkeys(hashes))):
        for hash_, body in connection.execute(_policies, {"hashes": chunk}):
            found[hash_] = policy_codec.decode(body)
    return found


def turn_world(connection: Connection) -> None:
    """Let other nodes see that overrides, unreachable addresses, absences or silences have changed."""
    connection.execute(insert_or_replace(connection, counters, add=("value",)), {"name": COUNTER_WORLD, "value": 1})


def load_overrides(connection: Connection, now: datetime) -> list[Override]:
    """Return the overrides that have not ended by `now`, in the order in which they were made."""
    # Sorted here: asked to sort, SQLite reads every override ever made in that order.
    rows = sorted(connection.execute(_overrides, {"now": to_micros(now)}), key=attrgetter("id"))
    return [_override_from(row) for row in rows]


def _override_from(row: Row[Any]) -> Override:
    return Override(
        schedule=row.schedule,
        person=row.person,
        start=from_micros(row.start_at),
        end=from_micros(row.end_at),
        why=row.why,
        by=row.made_by,
        id=row.id,
    )


def add_override(connection: Connection, override: Override) -> int:
    """Keep an override and return its number; `override.id` is ignored."""
    values = {
        "schedule": override.schedule,
        "person": override.person,
        "start_at": to_micros(override.start),
        "end_at": to_micros(override.end),
        "why": override.why,
        "made_by": override.by,
    }
    number: int = connection.execute(_add_override, values).scalar_one()
    turn_world(connection)
    return number


def end_override(connection: Connection, number: int, at: datetime) -> Override | None:
    """Let an override end at `at`, or forget it when it would only begin then; return it as it was.

    None when there is none of that number, or it is over.
    """
    row = connection.execute(_override, {"wanted": number, "now": to_micros(at)}).first()
    if row is None:
        return None
    turn_world(connection)
    if row.start_at >= to_micros(at):
        connection.execute(_drop_override, {"wanted": number})
    else:
        connection.execute(_end_override, {"wanted": number, "now": to_micros(at)})
    return _override_from(row)


def load_unreachable(connection: Connection) -> frozenset[tuple[str, str]]:
    """Return the (person, address key) pairs that cannot be reached."""
    return frozenset((person, key) for person, key in connection.execute(_unreachable))


def set_unreachable(connection: Connection, person: str, address_key: str, why: str, at: datetime) -> None:
    """Remember that an address is dead."""
    values = {"person": person, "address_key": address_key, "why": why, "at": to_micros(at)}
    connection.execute(insert_or_replace(connection, unreachable), values)
    turn_world(connection)


def clear_unreachable(connection: Connection, person: str, address_key: str) -> None:
    """Forget that an address was dead."""
    connection.execute(_forget_unreachable, {"of_person": person, "of_key": address_key})
    turn_world(connection)


def add_dead_letter(connection: Connection, letter: DeadLetter) -> int:
    """Keep a body nobody could use and return its number; `letter.id` is ignored, the oldest past the limit go."""
    values = {
        "at": to_micros(letter.at),
        "source": letter.source,
        "code": letter.code,
        "at_pointer": letter.at_pointer,
        "say": letter.say,
        "body": letter.body,
    }
    number: int = connection.execute(_add_letter, values).scalar_one()
    connection.execute(_drop_letters, {"last": number - DEAD_LETTERS_MAX})
    return number


def load_dead_letters(connection: Connection, limit: int) -> list[DeadLetter]:
    """Return the newest dead letters, newest first."""
    letters = []
    for row in connection.execute(_letters, {"limit": limit}):
        values = row._asdict()
        values["at"] = from_micros(values["at"])
        letters.append(DeadLetter(**values))
    return letters


def setting(connection: Connection, name: str) -> str | None:
    """Return a setting kept over restarts."""
    value: str | None = connection.execute(_setting, {"wanted": name}).scalar()
    return value


def settings_of(connection: Connection, prefix: str) -> dict[str, str]:
    """Return the settings whose names start with `prefix`, by name."""
    rows = connection.execute(_settings_of, {"prefix": prefix})
    return dict(sorted((row.name, row.value) for row in rows))


def set_setting(connection: Connection, name: str, value: str) -> None:
    """Keep a setting over restarts."""
    connection.execute(insert_or_replace(connection, settings), {"name": name, "value": value})


def load_tokens(connection: Connection) -> list[TokenRow]:
    """Return all API tokens by name; only their hashes are known."""
    rows = []
    for row in connection.execute(_tokens):
        values = row._asdict()
        values["created_at"] = from_micros(values["created_at"])
        rows.append(TokenRow(**values))
    return rows


def add_token(connection: Connection, row: TokenRow) -> None:
    """Keep an API token; IntegrityError when the name is taken."""
    values = {
        "name": row.name,
        "role": row.role,
        "token_hash": row.token_hash,
        "created_at": to_micros(row.created_at),
    }
    connection.execute(_add_token, values)


def remove_token(connection: Connection, name: str) -> bool:
    """Remove an API token; return whether there was one."""
    return connection.execute(_remove_token, {"wanted": name}).rowcount == 1


def checkpoint(connection: Connection) -> tuple[int, dict[str, Any]] | None:
    """Return the journal number up to which figures were summed, and the sums."""
    row = connection.execute(_checkpoint, {"wanted": CHECKPOINT_LEDGER}).first()
    return None if row is None else (row.seq, json.loads(row.body))


def set_checkpoint(connection: Connection, seq: int, body: Mapping[str, Any]) -> None:
    """Keep the sums up to journal number `seq`."""
    values = {"name": CHECKPOINT_LEDGER, "seq": seq, "body": json.dumps(body, separators=(",", ":"))}
    connection.execute(insert_or_replace(connection, checkpoints), values)
