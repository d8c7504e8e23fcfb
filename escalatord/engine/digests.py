"""Several attempts in one message: made when a reader's limit is reached, and from then on one attempt for all of them.

- A digest is a row of its own; what is in it is `bundled` and never sent by itself again. What becomes of the digest
  becomes of everything in it, each incident by its own reference.
- Before each try, what is no longer wanted falls out of it; a digest that nobody needs any more is withdrawn.
- It has a code of its own, which answers for all that is in it.
"""

from collections.abc import Callable, Sequence

from escalatord.core.codes import CODES_MAX, free_codes
from escalatord.core.events import Delivery
from escalatord.core.incident import Attempt, Incident, NoticeKind, Reason
from escalatord.core.retry import FINAL
from escalatord.core.values import replace
from escalatord.engine.commands import Receipt, Told
from escalatord.engine.unit import Unit
from escalatord.store.outbox import settled
from escalatord.store.rows import DigestRow, MemberRow, OutboxRow

StillWanted = Callable[[Incident, OutboxRow], bool]
ANSWERABLE_KINDS = frozenset({NoticeKind.PAGE, NoticeKind.LAST_RESORT})
QUIET_KINDS = frozenset({NoticeKind.ACKED, NoticeKind.STAND_DOWN, NoticeKind.UPDATE})
REFERENCE_ENDS = "-d"


def make(unit: Unit, rows: Sequence[OutboxRow]) -> OutboxRow:
    """Put attempts to one person by one kind of channel into one message, and return its row; it is written."""
    tx, now = unit.tx, unit.now
    worst = min(rows, key=lambda row: (row.kind in QUIET_KINDS, -row.rank, row.due_at, row.reference))
    digest = replace(
        worst,
        reference=worst.reference + REFERENCE_ENDS,
        kind=NoticeKind.DIGEST,
        rank=max(row.rank for row in rows),
        late=False,
        reason=Reason.BUNDLED,
        actor="",
        due_at=now,
        result="",
    )
    code = "" if all(row.kind in QUIET_KINDS for row in rows) else _free_code(unit, worst.person)
    others = len(rows) - 1
    for row in rows:
        said = f"in one message with {others} other{'' if others == 1 else 's'}"
        unit.change_attempt(row, replace(row, state=Attempt.BUNDLED, result=said))
        body = {"channel": row.channel, "with": others, "message": digest.reference, "notice": row.kind.value}
        unit.note(row, "told_together", body)
        unit.limited.append((row.channel, "bundled"))
    members = [
        MemberRow(reference=row.reference, incident=row.incident, track=row.track, kind=row.kind) for row in rows
    ]
    tx.outbox_add([digest])
    made = DigestRow(reference=digest.reference, person=digest.person, code=code, made_at=now)
    tx.add_digest(made, members)
    unit.attempts[digest.reference] = digest
    unit.digests[digest.reference] = (made, tuple(members))
    return digest


def know(unit: Unit, rows: Sequence[OutboxRow]) -> None:
    """Read in one go what is in the digests among `rows`."""
    wanted = [row.reference for row in rows if row.kind is NoticeKind.DIGEST and row.reference not in unit.digests]
    if not wanted:
        return
    found = unit.tx.members_of(wanted)
    for reference in wanted:
        made = unit.tx.digest(reference)
        if made is not None:
            unit.digests[reference] = (made, tuple(found.get(reference, ())))
    members = [each for reference in wanted for each in found.get(reference, ())]
    unit.know(unit.tx.load({each.incident for each in members} - unit.incidents.keys()))
    missing = [each.reference for each in members if each.reference not in unit.attempts]
    unit.attempts.update(unit.tx.outbox_many(missing))


def keep_wanted(unit: Unit, digest: OutboxRow, still_wanted: StillWanted) -> bool:
    """Let what is no longer wanted fall out of a digest; return whether anything is left."""
    left = False
    for told in told_in(unit, digest):
        if still_wanted(told.incident, told.row):
            left = True
        elif (after := settled(told.row, Attempt.WITHDRAWN, ("", "no longer needed"), unit.now)) is not None:
            unit.change_attempt(told.row, after)
    return left


def told_in(unit: Unit, digest: OutboxRow) -> tuple[Told, ...]:
    """Return what a digest is to tell of: what is in it, and neither settled nor withdrawn."""
    if digest.kind is not NoticeKind.DIGEST or digest.reference not in unit.digests:
        return ()
    _made, members = unit.digests[digest.reference]
    rows = [unit.attempts[each.reference] for each in members if each.reference in unit.attempts]
    return tuple(
        Told(row=row, incident=unit.incidents[row.incident])
        for row in rows
        if row.state is Attempt.BUNDLED and row.incident in unit.incidents
    )


def code_of(unit: Unit, row: OutboxRow) -> str:
    """Return the code of a digest, "" for any other message."""
    known = unit.digests.get(row.reference)
    return known[0].code if known is not None else ""


def spread(unit: Unit, digest: OutboxRow, status: Attempt, command: Receipt) -> None:
    """Let what became of a digest become of everything in it."""
    know(unit, [digest])
    _made, members = unit.digests.get(digest.reference, (None, ()))
    for each in members:
        row = unit.attempts.get(each.reference)
        if row is None or (row.state in FINAL and status is not Attempt.DELIVERED) or row.state is Attempt.WITHDRAWN:
            continue
        if status is not Attempt.FAILED_TEMPORARY:
            after = settled(row, status, (command.provider_id, command.reason), unit.now)
            if after is None:
                continue
            unit.change_attempt(row, replace(after, result=after.result or row.result))
        if row.kind in ANSWERABLE_KINDS:
            event = Delivery(reference=row.reference, status=status, reason=command.reason, channel=row.channel)
            unit.happen(unit.incident(row.incident), event)


def _free_code(unit: Unit, person: str) -> str:
    """Return a code that stands for nothing else with a person; "" when they have all of them."""
    if not unit.tx.standing.gives_codes:
        return ""
    in_use = unit.tx.codes_in_use(person, unit.now)
    return next(free_codes(in_use), "") if len(in_use) < CODES_MAX else ""
