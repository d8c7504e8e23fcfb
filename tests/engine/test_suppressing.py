"""Silences, committed: what can be, what cannot, what they reach, and what a failed commit leaves."""

from dataclasses import replace
from datetime import timedelta

import pytest

from escalatord.core.incident import Via
from escalatord.core.matchers import parse_matchers
from escalatord.core.mutes import MuteKind, Silence
from escalatord.engine import suppressing
from escalatord.engine.batch import Batch, CommandFailedError
from escalatord.engine.commands import Ingest
from escalatord.engine.handlers import Due
from escalatord.engine.wishes import AddSilence, ExpireSilence, Silenced, SilenceReason
from escalatord.errors import StoreUnavailableError
from escalatord.store.store import Store
from tests.fakes.duty import utc
from tests.fakes.rulesets import ALERT
from tests.fakes.world import RULESET

NOW = utc("2026-10-24 01:00")
HOUR = timedelta(hours=1)


@pytest.fixture
def batch(tmp_path):
    """Return batches over a store of their own."""
    store = Store(f"sqlite:///{tmp_path}/x.db", ballast_bytes=4096)
    store.open()
    yield Batch(store, RULESET, b"k" * 32)
    store.close()


def wish(match: str = "service=checkout", hours: tuple[float, float] = (0, 2), **changes) -> AddSilence:
    """Return the wish for a silence between two hours from now."""
    start, end = (NOW + each * HOUR for each in hours)
    plain = Silence(match=parse_matchers(match), start=start, end=end, why="deploy", by="ana")
    return AddSilence(silence=replace(plain, **changes), via=Via.CLI)


def one(batch: Batch, command: object, now=NOW) -> Silenced:
    """Commit one command and return what it came to."""
    (result,) = batch.commit((command,), now).results
    assert isinstance(result, Silenced), result
    return result


def fire(batch: Batch, *fingerprints: str, now=NOW, **labels: str):
    """Let alerts fire; return what became of each."""
    alerts = tuple(
        replace(ALERT, fingerprint=each, group_key=each, labels={**ALERT.labels, **labels}) for each in fingerprints
    )
    (done,) = batch.commit((Ingest(source="am", alerts=alerts),), now).results
    return done.accepted


def live(batch: Batch) -> list[int]:
    """Return the numbers of the silences in force."""
    return [each.id for each in batch.around.silences().all]


def kinds(batch: Batch) -> list[str]:
    """Return the kinds of the daemon's own entries."""
    return [row.entry.kind for row in batch._store.read(lambda tx: tx.journal_of(0))]


def test_a_silence_is_in_force_with_its_commit(batch):
    """From the next alert on; the journal has who, what, why, from when until when, and how it was said."""
    done = one(batch, wish())
    assert (done.reason, done.silence.id, done.silence.key) == (SilenceReason.ADDED, 1, "silence/1")
    assert [each.incident for each in fire(batch, "a")] == [0]
    row = batch._store.read(lambda tx: tx.journal_of(0))[0].entry
    assert (row.actor, row.via, row.kind) == ("ana", Via.CLI, "silence_added")
    assert row.body == {
        "id": 1, "mute": "silence", "matchers": "service=checkout", "start": NOW.isoformat(),
        "end": (NOW + 2 * HOUR).isoformat(), "why": "deploy", "by": "ana", "apply_to_open": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (wish(why="  "), SilenceReason.NO_WHY),
        (wish(hours=(2, 2)), SilenceReason.ENDS_FIRST),
        (wish(hours=(-2, 0)), SilenceReason.PAST),
        (wish(hours=(0, 30 * 24 + 1)), SilenceReason.TOO_LONG),
        (wish(hours=(366 * 24 + 1, 366 * 24 + 2)), SilenceReason.TOO_FAR),
        (wish('env!="prod", x=~".*"'), SilenceReason.MATCHES_ALL),
        (ExpireSilence(id=7, by="ana", via=Via.WEB), SilenceReason.UNKNOWN_SILENCE),
    ],
)
def test_what_cannot_be_changes_nothing(batch, command, reason):
    """The reason is named; nothing is written or in force."""
    assert one(batch, command) == Silenced(reason=reason, at=NOW)
    assert (live(batch), kinds(batch)) == ([], [])


def test_the_longest_and_the_farthest_are_allowed(batch):
    """Thirty days, and a year ahead; one that would begin in the past begins now."""
    assert one(batch, wish(hours=(0, 720))).reason is SilenceReason.ADDED
    assert one(batch, wish(hours=(366 * 24, 366 * 24 + 720))).reason is SilenceReason.ADDED
    assert one(batch, wish(hours=(-720, 720))).silence.start == NOW


def test_silences_are_bounded(batch, monkeypatch):
    """Past the limit they are refused until some are over; what is over is forgotten."""
    monkeypatch.setattr(suppressing, "SILENCES_MAX", 2)
    batch.commit((wish(), wish(hours=(0, 1))), NOW)
    assert one(batch, wish()).reason is SilenceReason.TOO_MANY
    assert one(batch, wish(hours=(1, 2)), NOW + HOUR).reason is SilenceReason.ADDED
    assert live(batch) == [1, 3]


def test_it_says_how_many_alerts_it_reaches(batch):
    """Those that fire and match; of these, those whose incident goes on."""
    fire(batch, "a", "b")
    fire(batch, "c", service="other")
    done = one(batch, wish())
    assert (done.firing, done.paging) == (2, 2)
    fire(batch, "d")
    assert (one(batch, wish('env="prod"')).firing, batch.around.held_by(["silence/1"])) == (4, {"silence/1": 1})
    assert one(batch, ExpireSilence(id=1, by="bo", via=Via.API)).firing == 1


def test_one_that_applies_to_open_lets_them_be_looked_at_when_it_begins(batch):
    """Now, or in an hour; who would be looked at before stays so."""
    fire(batch, "a")
    one(batch, wish(hours=(1, 2), apply_to_open=True))
    assert [each.due_at for each in batch._store.read(lambda tx: tx.due_alerts(NOW + HOUR, 9))] == [NOW + HOUR]
    one(batch, wish(hours=(1.5, 2), apply_to_open=True))
    assert [each.due_at for each in batch._store.read(lambda tx: tx.due_alerts(NOW + HOUR, 9))] == [NOW + HOUR]
    batch.commit((Due(limit=9),), NOW + HOUR)
    assert batch._store.read(lambda tx: tx.load((1,))[1]).state.value == "resolved"


def test_one_expired_before_it_begins_never_does(batch):
    """And one that began lets go at once: its alerts are due with the commit."""
    one(batch, wish(hours=(1, 2)))
    one(batch, wish(kind=MuteKind.MAINTENANCE))
    fire(batch, "a")
    assert one(batch, ExpireSilence(id=1, by="bo", via=Via.WEB)).firing == 0
    assert [each.due_at for each in batch._store.read(lambda tx: tx.due_alerts(NOW, 9))] == []
    assert one(batch, ExpireSilence(id=2, by="bo", via=Via.WEB)).firing == 1
    assert [each.due_at for each in batch._store.read(lambda tx: tx.due_alerts(NOW, 9))] == [NOW]
    assert (live(batch), kinds(batch)) == ([], ["silence_added"] * 2 + ["silence_expired"] * 2)


def test_a_start_sees_what_was_made_before(batch):
    """Silences survive the process, and so does what they hold back."""
    one(batch, wish())
    fire(batch, "a")
    again = Batch(batch._store, RULESET, b"k" * 32)
    again.refresh(NOW)
    again.survey(NOW)
    assert live(again) == [1]
    assert again.around.held_by(["silence/1"]) == {"silence/1": 1}
    assert again.around.held_back()[MuteKind.SILENCE] == 1


def test_what_was_not_committed_is_not_in_force(batch, monkeypatch):
    """When the disk fails after everything was decided, nothing is muted that is not stored as such."""

    def fail(work, **how):
        def then_fail(tx):
            work(tx)
            raise StoreUnavailableError("the disk is away")

        return Store.write(batch._store, then_fail, **how)

    monkeypatch.setattr(batch._store, "write", fail)
    with pytest.raises(StoreUnavailableError):
        batch.commit((wish(),), NOW)
    monkeypatch.undo()
    assert (live(batch), batch.around.needed) == ([], False)
    assert [each.incident for each in fire(batch, "a")] == [1]


def test_a_failed_wish_is_taken_back_alone(batch, monkeypatch):
    """A defect in one command leaves the others of its batch in force."""
    real = suppressing.add_silence

    def sometimes(unit, command):
        done = real(unit, command)
        if command.silence.why == "boom":
            raise RuntimeError("a defect")
        return done

    monkeypatch.setattr(suppressing, "add_silence", sometimes)
    results = batch.commit((wish(why="boom"), wish()), NOW).results
    assert isinstance(results[0], CommandFailedError)
    assert [each.why for each in batch.around.silences().all] == ["deploy"]
