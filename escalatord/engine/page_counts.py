"""How often tiers have paged whom in the past 24 hours: what `prefer: least_paged_24h` goes by.

- A page is one entry of a tier (or of the last resort) that paged the person, whatever their plan sent; reminders and
  later steps are the same page.
- Read from the journal, so that it survives restarts and every node comes to the same: found by a search over the
  numbers of its rows the first time, afterwards only what is new. Nothing is read where no tier asks for it.
- What the present transaction has paged already counts too: a storm is spread over the people, not piled on one.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from escalatord.core.policy import Policy
from escalatord.store.rows import JournalEntry, JournalRow

WINDOW = timedelta(hours=24)
PAGING_KINDS = ("tier_entered", "tier_repaged", "paged_more", "last_resort")


def wanted(policies: Iterable[Policy]) -> bool:
    """Return whether any tier chooses by how often people were paged."""
    return any(tier.prefer for policy in policies for track in policy.tracks for tier in track.tiers)


class JournalReader(Protocol):
    """What counting needs to read; a store transaction has it."""

    def journal_of_kinds(self, seq: int, kinds: Sequence[str]) -> list[JournalRow]:
        """Return the entries of these kinds with a number above `seq`, oldest first."""
        ...

    def journal_seq_before(self, at: datetime) -> int:
        """Return a number that every entry at or after `at` is above."""
        ...


def counted(tx: JournalReader, policies: Iterable[Policy], now: datetime) -> Mapping[str, int]:
    """Return how often whom was paged, read at once; nothing is read unless some tier asks for it."""
    if not wanted(policies):
        return {}
    counts = PageCounts()
    counts.catch_up(tx, now)
    return counts.now(())


class PageCounts:
    """Pages by person within the window, kept up to date from the journal."""

    def __init__(self) -> None:
        self._seq: int | None = None
        self._pages: deque[tuple[datetime, str]] = deque()
        self._counts: Counter[str] = Counter()
        self._pending: Counter[str] = Counter()
        self._seen: tuple[int, JournalEntry | None] = (0, None)

    def catch_up(self, tx: JournalReader, now: datetime) -> None:
        """Take in what was journaled since the last time, and let go of what is older than the window."""
        if self._seq is None:
            self._seq = tx.journal_seq_before(now - WINDOW)
        for row in tx.journal_of_kinds(self._seq, PAGING_KINDS):
            for person in _people(row.entry):
                self._pages.append((row.entry.at, person))
                self._counts[person] += 1
            self._seq = row.seq
        while self._pages and self._pages[0][0] <= now - WINDOW:
            self._counts[self._pages.popleft()[1]] -= 1
        self._pending.clear()
        self._seen = (0, None)

    def now(self, journal: Sequence[JournalEntry]) -> Mapping[str, int]:
        """Return the counts, with what a transaction under way has journaled."""
        place, last = self._seen
        if place > len(journal) or (place and journal[place - 1] is not last):
            self._pending.clear()  # something was taken back
            place = 0
        for entry in journal[place:]:
            self._pending.update(_people(entry))
        self._seen = (len(journal), journal[-1] if journal else None)
        return +(self._counts + self._pending)


def _people(entry: JournalEntry) -> list[str]:
    people = entry.body.get("people") if entry.incident and entry.kind in PAGING_KINDS else None
    return [str(person) for person in people] if isinstance(people, list | tuple) else []
