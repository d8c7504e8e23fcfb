"""Overrides and swaps, committed: in force for the next command, journaled, gone when cancelled."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from escalatord.core.incident import Via
from escalatord.core.schedule import Schedule, on_call
from escalatord.engine import overriding
from escalatord.engine.batch import Batch
from escalatord.engine.wishes import AddOverride, CancelOverride, Overridden, OverrideReason, RememberFeed, SwapShifts
from escalatord.engine.written import CommandFailedError
from escalatord.errors import StoreUnavailableError
from escalatord.store.store import Store
from tests.fakes.duty import duty, layer, turns, utc
from tests.fakes.world import RULESET

NOW = utc("2026-10-24 01:00")
HOUR = timedelta(hours=1)
WEEKLY = replace(duty(layer("ana bo", turns(at="00:00", every=7), zone="UTC")), name="weekly")


@pytest.fixture
def batch(tmp_path):
    """Return batches over a store of their own, with one schedule in which Ana and Bo take weeks."""
    store = Store(f"sqlite:///{tmp_path}/x.db", ballast_bytes=4096)
    store.open()
    yield Batch(store, replace(RULESET, schedules={"weekly": WEEKLY}), b"k" * 32)
    store.close()


def add(person: str = "bo", hours: tuple[float, float] = (0, 8), **changes) -> AddOverride:
    """Return the wish that somebody stands in between two hours from now."""
    start, end = (NOW + each * HOUR for each in hours)
    plain = AddOverride(
        schedule="weekly", person=person, start=start, end=end, why="dentist", by="ana", via=Via.CLI
    )  # fmt: skip
    return replace(plain, **changes)


def one(batch: Batch, command: object, now: datetime = NOW) -> Overridden:
    """Commit one command and return what it came to."""
    (result,) = batch.commit((command,), now).results
    assert isinstance(result, Overridden)
    return result


def people(batch: Batch, at: datetime, schedule: Schedule = WEEKLY) -> list[str]:
    """Return who is on call as the world in force says."""
    return [turn.person for turn in on_call(schedule, at, batch.world.overrides)]


def journal(batch: Batch) -> list[tuple[str, str, Via]]:
    """Return the kinds of the daemon's own entries with who and how."""
    rows = batch._store.read(lambda tx: tx.journal_of(0))
    return [(row.entry.kind, row.entry.actor, row.entry.via) for row in rows]


def test_an_override_is_in_force_with_its_commit(batch):
    """From the next look on somebody else is on call, until its end; the journal says who wished it and how."""
    assert people(batch, NOW) == ["bo"]
    done = one(batch, add("cy"))
    (made,) = done.overrides
    assert (done.reason, made.id, made.person, made.by) == (OverrideReason.ADDED, 1, "cy", "ana")
    assert [people(batch, NOW + hours * HOUR) for hours in (0, 7.99, 8)] == [["cy"], ["cy"], ["bo"]]
    assert journal(batch) == [("override_added", "ana", Via.CLI)]
    body = batch._store.read(lambda tx: tx.journal_of(0))[0].entry.body
    assert (body["id"], body["start"], body["why"]) == (1, NOW.isoformat(), "dentist")


def test_a_start_sees_what_was_made_before(batch):
    """Overrides survive the process: another batch over the same store reads them."""
    one(batch, add("cy"))
    again = Batch(batch._store, batch.ruleset, b"k" * 32)
    again.refresh(NOW)
    assert people(again, NOW) == ["cy"]
    assert again.world.overrides == batch.world.overrides


def test_the_latest_override_wins(batch):
    """Two in one batch: the second one beats the first."""
    batch.commit((add("cy"), add("ana", (0, 2))), NOW)
    assert [people(batch, NOW + hours * HOUR) for hours in (1, 3)] == [["ana"], ["cy"]]


def test_the_past_stays_as_it_was(batch):
    """One that would begin before now begins now."""
    (made,) = one(batch, add("cy", (-5, 5))).overrides
    assert made.start == NOW
    assert people(batch, NOW - HOUR) == ["bo"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (add(schedule="nobodys"), OverrideReason.UNKNOWN_SCHEDULE),
        (add("nobody"), OverrideReason.UNKNOWN_PERSON),
        (add(hours=(8, 8)), OverrideReason.ENDS_FIRST),
        (add(hours=(-8, 0)), OverrideReason.PAST),
        (add(hours=(0, 367 * 24)), OverrideReason.TOO_LONG),
        (CancelOverride(id=7, by="ana", via=Via.WEB), OverrideReason.UNKNOWN_OVERRIDE),
        (
            SwapShifts(schedule="nobodys", people=("ana", "bo"), after=None, why="", by="ana", via=Via.API),
            OverrideReason.UNKNOWN_SCHEDULE,
        ),
        (
            SwapShifts(schedule="weekly", people=("ana", "nobody"), after=None, why="", by="ana", via=Via.API),
            OverrideReason.UNKNOWN_PERSON,
        ),
        (
            SwapShifts(schedule="weekly", people=("ana", "ana"), after=None, why="", by="ana", via=Via.API),
            OverrideReason.SAME_PERSON,
        ),
        (
            SwapShifts(schedule="weekly", people=("ana", "cy"), after=None, why="", by="ana", via=Via.API),
            OverrideReason.NO_SHIFT,
        ),
    ],
)
def test_what_cannot_be_changes_nothing(batch, command, reason):
    """The reason is named; nothing is written."""
    assert one(batch, command) == Overridden(reason=reason, at=NOW)
    assert (batch.world.overrides, journal(batch)) == ((), [])


def test_overrides_of_a_schedule_are_bounded(batch, monkeypatch):
    """Past the limit they are refused until some are over; a swap needs room for two."""
    monkeypatch.setattr(overriding, "OVERRIDES_PER_SCHEDULE_MAX", 2)
    batch.commit((add(), add()), NOW)
    assert one(batch, add()).reason is OverrideReason.TOO_MANY
    assert one(batch, add(hours=(9, 10)), NOW + 8 * HOUR).reason is OverrideReason.ADDED
    swap = SwapShifts(schedule="weekly", people=("ana", "bo"), after=None, why="", by="ana", via=Via.API)
    assert one(batch, swap, NOW + 8 * HOUR).reason is OverrideReason.TOO_MANY


def test_cancelling_ends_what_has_begun_and_forgets_what_has_not(batch):
    """Who was on call before stays known; a later look at the store agrees."""
    one(batch, add("cy"))
    one(batch, add("ana", (10, 12)))
    later = NOW + 2 * HOUR
    for number in (1, 2):
        done = one(batch, CancelOverride(id=number, by="bo", via=Via.WEB), later)
        assert (done.reason, done.overrides[0].id) == (OverrideReason.CANCELLED, number)
    assert batch.world.overrides == ()
    kept = batch._store.read(lambda tx: tx.overrides(NOW))
    assert [(each.id, each.start, each.end) for each in kept] == [(1, NOW, later)]
    assert one(batch, CancelOverride(id=1, by="bo", via=Via.WEB), later).reason is OverrideReason.UNKNOWN_OVERRIDE
    assert [kind for kind, _, _ in journal(batch)] == ["override_added"] * 2 + ["override_cancelled"] * 2


def test_two_people_swap_their_next_shifts(batch):
    """Each takes the other's whole next shift, at once, and both overrides name the other."""
    swap = SwapShifts(schedule="weekly", people=("ana", "bo"), after=None, why="holidays", by="ana", via=Via.CLI)
    done = one(batch, swap)
    assert done.reason is OverrideReason.SWAPPED
    assert [(each.person, each.start, each.end, each.why) for each in done.overrides] == [
        ("bo", utc("2026-10-26"), utc("2026-11-02"), "swap with ana: holidays"),
        ("ana", utc("2026-11-02"), utc("2026-11-09"), "swap with bo: holidays"),
    ]
    assert [people(batch, utc(f"2026-{day}")) for day in ("10-25", "10-27", "11-03", "11-10")] == [
        ["bo"], ["bo"], ["ana"], ["ana"],
    ]  # fmt: skip
    assert [kind for kind, _, _ in journal(batch)] == ["override_added"] * 2


def test_a_swap_may_look_further_ahead(batch):
    """Of the shifts after an instant; one in the past counts as now."""
    swap = SwapShifts(schedule="weekly", people=("ana", "bo"), after=utc("2026-11-05"), why="", by="ana", via=Via.API)
    assert [each.start for each in one(batch, swap).overrides] == [utc("2026-11-09"), utc("2026-11-16")]
    assert [each.why for each in one(batch, replace(swap, after=utc("2020-01-01"))).overrides] == [
        "swap with ana",
        "swap with bo",
    ]


def test_what_was_not_committed_is_not_in_force(batch, monkeypatch):
    """When the disk fails after everything was decided, nobody is on call who is not stored as such."""

    def fail(work, **more):
        def then_fail(tx):
            work(tx)
            raise StoreUnavailableError("the disk is away")

        return Store.write(batch._store, then_fail)

    monkeypatch.setattr(batch._store, "write", fail)
    with pytest.raises(StoreUnavailableError):
        batch.commit((add("cy"),), NOW)
    monkeypatch.undo()
    assert (batch.world.overrides, people(batch, NOW)) == ((), ["bo"])
    assert batch._store.read(lambda tx: tx.overrides(NOW)) == []


def test_a_failed_wish_is_taken_back_alone(batch, monkeypatch):
    """A defect in one command leaves the others of its batch in force."""
    real = overriding.add_override

    def sometimes(unit, command):
        if command.person == "ana":
            raise RuntimeError("a defect")
        return real(unit, command)

    monkeypatch.setattr(overriding, "add_override", sometimes)
    results = batch.commit((add("ana"), add("cy")), NOW).results
    assert isinstance(results[0], CommandFailedError)
    assert [each.person for each in batch.world.overrides] == ["cy"]


def test_what_a_calendar_plans_is_kept(batch):
    """In a setting by schedule, with an entry that says how much it was."""
    batch.commit((RememberFeed(schedule="weekly", content=json.dumps({"a": 1}), body={"shifts": 3}),), NOW)
    assert batch._store.read(lambda tx: tx.setting("calendar/weekly")) == '{"a": 1}'
    row = batch._store.read(lambda tx: tx.journal_of(0))[0]
    assert (row.entry.kind, row.entry.body) == ("calendar_read", {"schedule": "weekly", "shifts": 3})
