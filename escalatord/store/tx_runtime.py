"""What changes at run time and belongs to no incident, as a transaction sees it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from escalatord.core.mutes import Silence
from escalatord.core.schedule import Override
from escalatord.store import runtime, silences
from escalatord.store.rows import DeadLetter, TokenRow


class RunTime:
    """Overrides, silences, dead addresses, dead letters, settings, tokens, the checkpoint of the figures."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def overrides(self, now: datetime) -> list[Override]:
        """Return the overrides that have not ended by `now`, in the order in which they were made."""
        return runtime.load_overrides(self._connection, now)

    def add_override(self, override: Override) -> int:
        """Keep an override and return its number; `override.id` is ignored."""
        return runtime.add_override(self._connection, override)

    def end_override(self, number: int, at: datetime) -> Override | None:
        """Let an override end at `at` (forget it when it has not begun); return it as it was, None = there is none."""
        return runtime.end_override(self._connection, number, at)

    def silences(self, now: datetime) -> list[Silence]:
        """Return the silences that have not ended by `now`, in the order in which they were made."""
        return silences.load(self._connection, now)

    def add_silence(self, silence: Silence) -> int:
        """Keep a silence and return its number; `silence.id` is ignored."""
        return silences.add(self._connection, silence)

    def end_silence(self, number: int, at: datetime) -> Silence | None:
        """Let a silence end at `at`; return it as it was, None = there is none, or it is over."""
        return silences.end(self._connection, number, at)

    def unreachable(self) -> frozenset[tuple[str, str]]:
        """Return the (person, address key) pairs that cannot be reached."""
        return runtime.load_unreachable(self._connection)

    def set_unreachable(self, person: str, address_key: str, why: str, at: datetime) -> None:
        """Remember that an address is dead."""
        runtime.set_unreachable(self._connection, person, address_key, why, at)

    def clear_unreachable(self, person: str, address_key: str) -> None:
        """Forget that an address was dead."""
        runtime.clear_unreachable(self._connection, person, address_key)

    def dead_letter(self, letter: DeadLetter) -> int:
        """Keep a body nobody could use and return its number; `letter.id` is ignored."""
        return runtime.add_dead_letter(self._connection, letter)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the newest dead letters, newest first."""
        return runtime.load_dead_letters(self._connection, limit)

    def setting(self, name: str) -> str | None:
        """Return a setting kept over restarts."""
        return runtime.setting(self._connection, name)

    def set_setting(self, name: str, value: str) -> None:
        """Keep a setting over restarts."""
        runtime.set_setting(self._connection, name, value)

    def turn_world(self) -> None:
        """Let other nodes see that what people change at run time has changed; overrides and silences do it alone."""
        runtime.turn_world(self._connection)

    def settings(self, prefix: str) -> dict[str, str]:
        """Return the settings whose names start so, by name."""
        return runtime.settings_of(self._connection, prefix)

    def tokens(self) -> list[TokenRow]:
        """Return all API tokens by name; only their hashes are known."""
        return runtime.load_tokens(self._connection)

    def add_token(self, row: TokenRow) -> None:
        """Keep an API token."""
        runtime.add_token(self._connection, row)

    def remove_token(self, name: str) -> bool:
        """Remove an API token; return whether there was one."""
        return runtime.remove_token(self._connection, name)

    def checkpoint(self) -> tuple[int, dict[str, Any]] | None:
        """Return the journal number up to which figures were summed, and the sums."""
        return runtime.checkpoint(self._connection)

    def set_checkpoint(self, seq: int, body: Mapping[str, Any]) -> None:
        """Keep the sums up to journal number `seq`."""
        runtime.set_checkpoint(self._connection, seq, body)
