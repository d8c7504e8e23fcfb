"""Budgets in the claim: how many messages somebody has had, and what becomes of those that are too many or too dear.

Decided by `core.throttle` from what the outbox says, in the transaction that marks rows as `sending`; so no two claims
can both find room for the last one.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from escalatord.core.alert import Severity
from escalatord.core.events import Delivery
from escalatord.core.incident import Attempt, Cause, Incident, NoticeKind
from escalatord.core.noise import Limit, may_bundle
from escalatord.core.roster import ChannelKind, usable_channels
from escalatord.core.throttle import Past, Ration, Standing, Waiting, calm, limits_of, ration
from escalatord.core.values import replace
from escalatord.engine import digests
from escalatord.engine.own_incidents import tell_of_spending
from escalatord.engine.unit import Unit
from escalatord.store.outbox import settled
from escalatord.store.rows import OutboxRow

StillWanted = Callable[[Incident, OutboxRow], bool]
MEMBERS_MAX = 5_000
"""Past it: what waited longest goes into the next digest, the rest into the one after it."""
FREE_KINDS = (ChannelKind.MAIL, ChannelKind.CHAT)
SPENT = "spent"
LIMITED = "limited"
SMALLEST_COIN = 1e-6
"""Sums of fractions are not exact; no provider counts less."""


def rationed(unit: Unit, rows: Sequence[OutboxRow], still_wanted: StillWanted) -> list[OutboxRow]:
    """Return what of `rows` goes out now, digests made of others included; all else is put off or settled."""
    affordable = _affordable(unit, rows)
    sent: list[OutboxRow] = []
    groups: dict[tuple[str, ChannelKind], list[OutboxRow]] = {}
    for row in affordable:
        kind = _kind_of(unit, row)
        if kind is None or not row.person or row.claims or not limits_of(unit.world.ruleset.limits, kind):
            sent.append(row)
        else:
            groups.setdefault((row.person, kind), []).append(row)
    for (person, kind), group in groups.items():
        sent += _ration(unit, person, kind, group, still_wanted)
    return sent


def count_cost(unit: Unit, rows: Sequence[OutboxRow]) -> None:
    """Add what is being sent to what this day has cost."""
    if unit.world.ruleset.limits.spend is None:
        return
    channels = unit.world.ruleset.channels
    costs = [spec.cost.value for row in rows if (spec := channels.get(row.channel)) is not None and spec.cost]
    if costs:
        value = json.dumps({"day": _day(unit.now), "value": spent_today(unit) + sum(costs)})
        unit.tx.set_setting(SPENT, value)


def spent_today(unit: Unit) -> float:
    """Return what the messages of this day (UTC) have cost."""
    found = json.loads(unit.tx.setting(SPENT) or "{}")
    return float(found["value"]) if found.get("day") == _day(unit.now) else 0.0


def past_of(unit: Unit, person: str, kind: ChannelKind, limits: Sequence[Limit]) -> list[Past]:
    """Return the messages that count against somebody's limits of a kind of channel."""
    since = unit.now - timedelta(seconds=max((limit.window_seconds for limit in limits), default=0.0))
    channels = _channels(unit, kind)
    found = unit.tx.sent_to(person, since, unit.now)
    return [Past(each.at, each.kind is NoticeKind.DIGEST) for each in found if each.channel in channels]


# ------------------------------------------------------------------------------------------------------- private


def _ration(
    unit: Unit, person: str, kind: ChannelKind, rows: Sequence[OutboxRow], still_wanted: StillWanted
) -> list[OutboxRow]:
    limits = limits_of(unit.world.ruleset.limits, kind)
    past = past_of(unit, person, kind, limits)
    # what was put off has others behind it that were put off too, beyond the room of this claim
    if not any(row.result == LIMITED for row in rows):
        if calm(len(rows), limits, past, unit.now):
            return list(rows)
        if not ration(_waiting(unit, rows), limits, past, unit.now).crowded:
            return list(rows)
    found = Ration()
    everything: Sequence[OutboxRow] = rows
    # first what is due alone: while all of it is put off, what waits already need not be read
    for until in (unit.now, None):
        everything = _all_that_waits(unit, (person, kind), everything, until, still_wanted)
        found = ration(_waiting(unit, everything), limits, past, unit.now)
        if not (found.together or found.alone):
            break
    by_reference = {row.reference: row for row in everything}
    for reference, until in found.until.items():
        _put_off(unit, by_reference[reference], until)
    for reference in found.left_out:
        _leave_out(unit, by_reference[reference])
    sent = [by_reference[reference] for reference in found.alone]
    if found.together:
        sent.append(digests.make(unit, [by_reference[reference] for reference in found.together]))
    return sent


def _all_that_waits(
    unit: Unit,
    whose: tuple[str, ChannelKind],
    rows: Sequence[OutboxRow],
    until: datetime | None,
    still_wanted: StillWanted,
) -> list[OutboxRow]:
    """Return `rows` and what else waits for a person by a kind of channel (due by `until`); the unwanted is settled."""
    known = {row.reference: row for row in rows}
    for row in unit.tx.waiting_for(whose[0], _channels(unit, whose[1]), until, MEMBERS_MAX):
        known.setdefault(row.reference, unit.attempts.setdefault(row.reference, row))
    unit.know(unit.tx.load({row.incident for row in known.values()} - unit.incidents.keys()))
    wanted = []
    for row in known.values():
        incident = unit.incidents.get(row.incident)
        if row.state is not Attempt.PENDING:
            continue
        if incident is not None and still_wanted(incident, row):
            wanted.append(row)
        elif (after := settled(row, Attempt.WITHDRAWN, ("", "no longer needed"), unit.now)) is not None:
            unit.change_attempt(row, after)
    return wanted


def _waiting(unit: Unit, rows: Sequence[OutboxRow]) -> list[Waiting]:
    told = unit.tx.told(row.incident for row in rows if row.kind in digests.ANSWERABLE_KINDS)
    return [
        Waiting(
            row.reference,
            _standing(unit, row, told),
            due=row.due_at <= unit.now,
            promised=row.result == LIMITED and row.due_at <= unit.now,
        )
        for row in rows
    ]


def _standing(unit: Unit, row: OutboxRow, told: set[tuple[int, str, str, int]]) -> Standing:
    """Return how much a message matters to a limit."""
    incident = unit.incidents[row.incident]
    if row.kind in (NoticeKind.STATUTORY, NoticeKind.DIGEST) or not _may_be_limited(unit, incident):
        return Standing.EXEMPT
    if row.kind in digests.QUIET_KINDS:
        return Standing.QUIET
    if row.kind is NoticeKind.REMIND or (row.incident, row.person, row.track, row.epoch) in told:
        return Standing.REPEAT
    is_page = row.kind is not NoticeKind.ACK_QUESTION
    return Standing.URGENT if is_page and incident.severity is Severity.CRITICAL else Standing.FIRST


def _may_be_limited(unit: Unit, incident: Incident) -> bool:
    if incident.cause is Cause.EXCEPTION or incident.confidential:
        return False
    policies = [unit.world.policies.get(track.policy) for track in incident.tracks]
    return all(policy is not None and may_bundle(policy) for policy in policies)


def _put_off(unit: Unit, row: OutboxRow, until: datetime) -> None:
    """Let a message wait for the next one to its reader, at an instant that is known."""
    if row.result != LIMITED:
        unit.limited.append((row.channel, "put_off"))
    unit.change_attempt(row, replace(row, due_at=until, result=LIMITED))
    unit.outbox_due_at(until)


def _leave_out(unit: Unit, row: OutboxRow) -> None:
    """Leave out what only says again what its reader knows; a page's plan goes on by its next channel."""
    status = Attempt.FAILED_PERMANENT if row.kind in digests.ANSWERABLE_KINDS else Attempt.WITHDRAWN
    after = settled(row, status, ("", LIMITED), unit.now)
    if after is None:
        return
    unit.change_attempt(row, after)
    unit.note(row, "limited", {"channel": row.channel, "notice": row.kind.value})
    unit.limited.append((row.channel, "left_out"))
    if row.kind in digests.ANSWERABLE_KINDS:
        event = Delivery(reference=row.reference, status=status, reason=LIMITED, channel=row.channel)
        unit.happen(unit.incident(row.incident), event)


def _affordable(unit: Unit, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
    """Return what may go by its channel as far as the cap of a day is concerned; the rest goes another way."""
    spend, channels = unit.world.ruleset.limits.spend, unit.world.ruleset.channels
    if spend is None:
        return list(rows)
    spent, kept = spent_today(unit), []
    for row in rows:
        spec = channels.get(row.channel)
        cost = spec.cost.value if spec is not None and spec.cost and not row.claims else 0.0
        if cost and spent + cost > spend.per_day.value + SMALLEST_COIN and row.kind is not NoticeKind.DIGEST:
            tell_of_spending(unit, spend, spent)
            if _goes_another_way(unit, row):
                continue
        kept.append(row)
        spent += cost
    return kept


def _goes_another_way(unit: Unit, row: OutboxRow) -> bool:
    """Let what is not critical go by a channel that costs nothing; return whether it does."""
    ruleset = unit.world.ruleset
    incident = unit.incidents[row.incident]
    if incident.severity is Severity.CRITICAL or not _may_be_limited(unit, incident):
        return False
    who = ruleset.people.get(row.person)
    free = [each for kind in FREE_KINDS for each in ruleset.channels.values() if each.kind is kind and not each.cost]
    ways = usable_channels(who, free, unit.world.unreachable) if who is not None else ()
    if not ways:
        return row.kind in digests.QUIET_KINDS and _drop(unit, row)  # a page that has no other way goes all the same
    to = ruleset.channels[ways[0]]
    unit.change_attempt(row, replace(row, channel=to.name, lane=f"{to.name}/{to.provider}"))
    unit.note(row, "moved_to_free", {"from": row.channel, "channel": to.name})
    unit.limited.append((row.channel, "moved"))
    return True


def _drop(unit: Unit, row: OutboxRow) -> bool:
    _leave_out(unit, row)
    return True


def _kind_of(unit: Unit, row: OutboxRow) -> ChannelKind | None:
    spec = unit.world.ruleset.channels.get(row.channel)
    return spec.kind if spec is not None else None


def _channels(unit: Unit, kind: ChannelKind) -> frozenset[str]:
    return frozenset(name for name, spec in unit.world.ruleset.channels.items() if spec.kind is kind)


def _day(now: datetime) -> str:
    return f"{now:%Y-%m-%d}"
