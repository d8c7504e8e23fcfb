"""Handing due attempts to the sender: the last look before a provider hears of anything.

What is no longer wanted is withdrawn, what is too much for its reader is put off or told together (`budgets`), and what
goes out gets the code and the link that it is answered by; all in the transaction that marks it as `sending`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice

from escalatord.core.codes import CODES_MAX, free_codes
from escalatord.core.incident import Attempt, Incident, NoticeKind, State, Track, TrackState
from escalatord.core.ruleset import World
from escalatord.core.tokens import mint, token_hash
from escalatord.engine import budgets, digests
from escalatord.engine.commands import Claim, Claimed
from escalatord.engine.unit import ANSWERED_KINDS, Unit
from escalatord.store.outbox import settled
from escalatord.store.rows import CodeRow, LinkRow, OutboxRow

CLIMBING = (TrackState.RUNNING, TrackState.LAST_RESORT)
CLAIM_LOOKS_MAX = 100
"""Past it: what waits behind so many rooms full of withdrawn rows is claimed the next time."""
CODES_IN_DOUBT = 40
LINKED_KINDS = ANSWERED_KINDS | {NoticeKind.DIGEST}


def claim(unit: Unit, command: Claim) -> tuple[Claimed, ...]:
    """Hand due attempts to the sender: `sending` is committed before any provider hears of them.

    What is no longer wanted (acked, closed, taken over meanwhile) is withdrawn here instead: the last look before the
    call is in the same transaction that marks the row.
    """
    tx, room = unit.tx, Counter(command.room)
    lease_until = unit.now + timedelta(seconds=command.lease_seconds)
    claimed: list[OutboxRow] = []
    for _ in range(CLAIM_LOOKS_MAX):
        unit.write_attempts()
        rows = [row for row in tx.outbox_pending(unit.now, room, take=True) if row.reference not in command.held]
        wanted = budgets.rationed(unit, _wanted(unit, rows), still_wanted)
        unit.write_attempts()
        mine = tx.outbox_claim(wanted, lease_until) if wanted else []
        unit.attempts.update((row.reference, row) for row in mine)
        claimed += mine
        room.subtract(row.lane for row in mine)
        # what was withdrawn, put off or told together took the place of others, which may be behind it
        if {row.reference for row in rows} <= {row.reference for row in wanted}:
            break
    budgets.count_cost(unit, claimed)
    return _ready(unit, claimed) if claimed else ()


def _wanted(unit: Unit, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
    """Return the rows that still make sense; the others are withdrawn."""
    unit.attempts.update((row.reference, row) for row in rows)
    digests.know(unit, rows)
    unit.know(unit.tx.load({row.incident for row in rows} - unit.incidents.keys()))
    wanted: list[OutboxRow] = []
    for row in rows:
        incident = unit.incidents.get(row.incident)
        if row.kind is NoticeKind.DIGEST:
            is_wanted = digests.keep_wanted(unit, row, still_wanted)
        else:
            is_wanted = incident is not None and still_wanted(incident, row)
        if is_wanted:
            wanted.append(row)
        elif (after := settled(row, Attempt.WITHDRAWN, ("", "no longer needed"), unit.now)) is not None:
            unit.change_attempt(row, after)
    return wanted


def link_of(world: World, link_key: bytes, row: OutboxRow) -> tuple[str, LinkRow]:
    """Return the token of the row's reader, and what is stored of it."""
    spec = world.ruleset.channels.get(row.channel)
    is_long = spec is not None and spec.kind.value not in ("sms", "call")
    token = mint(link_key, row.incident, row.person, row.channel, row.track, long=is_long)
    link = LinkRow(
        token_hash=token_hash(token),
        incident=row.incident,
        person=row.person,
        channel=row.channel,
        track=row.track,
    )
    return token, link


def still_wanted(incident: Incident, row: OutboxRow) -> bool:
    """Tell whether an attempt still makes sense: a page needs a climbing track, a question its owner.

    What an earlier entry of the track left unsent is not sent beside the page that it made of the same person since, by
    the same channel: after a gap nobody is paged twice.
    """
    if row.kind not in ANSWERED_KINDS:
        return True
    track = incident.track(row.track)
    if track is None or incident.state is State.RESOLVED:
        return False
    if row.kind is NoticeKind.HANDOVER:
        return track.state is TrackState.ACKNOWLEDGED and row.person in track.heirs
    if row.kind in (NoticeKind.ACK_QUESTION, NoticeKind.MILESTONE):
        return track.state is TrackState.ACKNOWLEDGED and track.owner == row.person
    if track.state not in CLIMBING or row.person in track.acks:
        return False
    return not (row.epoch < track.epoch and _is_paged_anew(track, row))


# ------------------------------------------------------------------------------------------------------- private


def _is_paged_anew(track: Track, row: OutboxRow) -> bool:
    return any(
        page.person == row.person and any(step.channel == row.channel and step.reference for step in page.steps)
        for page in track.pages
    )


def _ready(unit: Unit, rows: Sequence[OutboxRow]) -> tuple[Claimed, ...]:
    """Give rows what their readers answer with: a code and a link of their own each.

    A call-off names the page by the code that its reader knows it by.
    """
    numbers = {row.incident for row in rows}
    threads = unit.tx.threads(numbers)
    codes = _codes(unit, rows, unit.tx.codes_for(numbers))
    links: list[LinkRow] = []
    ready = []
    for row in rows:
        token = _link(unit, row, links) if row.person and row.kind in LINKED_KINDS else ""
        ready.append(
            Claimed(
                row=row,
                incident=unit.incidents[row.incident],
                code=digests.code_of(unit, row) or codes.get((row.person, row.incident), ""),
                link_token=token,
                also=digests.told_in(unit, row),
                thread=threads.get((row.incident, row.channel), ""),
            )
        )
    unit.tx.add_links(links)
    return tuple(ready)


def _codes(unit: Unit, rows: Sequence[OutboxRow], known: dict[tuple[str, int], str]) -> dict[tuple[str, int], str]:
    """Return the known codes and new ones for those who are paged and have none yet.

    Whoever has all codes in use (1,368 open incidents) gets no further one: links and buttons still answer.
    """
    if not unit.tx.standing.gives_codes:
        return known
    # what a commit in doubt may have given out is not given out a second time from memory
    skipped = CODES_IN_DOUBT if unit.tx.standing.stands_in else 0
    free: dict[str, Iterator[str]] = {}
    fresh: list[CodeRow] = []
    for row in rows:
        place = (row.person, row.incident)
        if not row.person or row.kind not in ANSWERED_KINDS or place in known:
            continue
        if row.person not in free:
            in_use = unit.tx.codes_in_use(row.person, unit.now)
            free[row.person] = islice(free_codes(in_use), skipped, None) if len(in_use) < CODES_MAX else iter(())
        known[place] = code = next(free[row.person], "")
        if code:
            fresh.append(CodeRow(person=row.person, code=code, incident=row.incident, track=row.track))
    unit.tx.assign_codes(fresh)
    return known


def _link(unit: Unit, row: OutboxRow, links: list[LinkRow]) -> str:
    """Return the token of the row's reader; what is stored of it is added to `links`."""
    token, link = link_of(unit.world, unit.link_key, row)
    links.append(link)
    return token
