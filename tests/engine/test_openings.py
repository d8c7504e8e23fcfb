"""Incidents filled in from one that opened alike are what `step` would have made of each: as objects, and as rows."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.config.load import load
from escalatord.core import forecast
from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.events import AlertFired
from escalatord.core.forecast import next_tier
from escalatord.core.incident import Cause, Via
from escalatord.core.mutes import MuteKind, SuppressedBy
from escalatord.core.rules import RuleReason, Verdict
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.values import replace
from escalatord.engine.fired import Told, fired
from escalatord.engine.openings import kind_of, kind_of_event
from escalatord.engine.surroundings import Surroundings
from escalatord.engine.unit import Unit
from escalatord.notify.forecaster import Forecaster
from escalatord.store import incidents, journal, outbox
from escalatord.store.codec import incident_codec
from escalatord.store.forms import MARKED, Form, form_of
from escalatord.store.rows import JournalEntry

RULES = Path(__file__).parents[2] / "rules"
NOW = datetime(2026, 10, 24, 1, 11, 14, tzinfo=UTC)


@cache
def the_rules() -> Ruleset:
    """Return the shipped rules: every kind of policy is among them."""
    return load(RULES).ruleset


def a_unit() -> Unit:
    """Return a unit of work that needs no store, because opening reads nothing."""
    ruleset = the_rules()
    world = World(ruleset=ruleset, policies={policy.hash: policy for policy in ruleset.policies.values()})
    return Unit(None, NOW, world, b"k" * 32, Surroundings(ruleset))  # type: ignore[arg-type] # opening reads nothing


Told_ = tuple[Alert, Verdict, Told, SuppressedBy | None]
words = st.text(max_size=8) | st.sampled_from(
    ["100 %", "%(key)s", '"', "\\", "é\u2028", MARKED.title, str(MARKED.number)]
)


def fired_by(told: Told_) -> AlertFired:
    """Return the event by which a step opens an incident."""
    alert, verdict, place, muted = told
    return fired(the_rules(), alert, verdict, place, muted)


def open_in(unit: Unit, told: Told_) -> bool:
    """Open an incident as intake does; return whether it was opened like another one."""
    alert, verdict, place, muted = told
    if unit.open_like(place, alert, verdict, muted):
        return True
    unit.happen(None, fired_by(told))
    return False


def all_of(unit: Unit, number: int) -> tuple[object, object, object]:
    """Return an incident, its attempts and its journal."""
    incident = unit.incident(number)
    assert incident is not None
    assert unit.incidents[number] == unit.changed[number] == incident
    assert unit.by_key[incident.key] == number
    rows = [row for row in unit.outbox if row.incident == number]
    return incident, rows, [entry for entry in unit.journal if entry.incident == number]


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """Draw what decides how an incident opens."""
    names = st.sampled_from(sorted(the_rules().policies))
    return Verdict(
        severity=draw(st.sampled_from(Severity)),
        cause=draw(st.sampled_from((Cause.THRESHOLD, Cause.EXCEPTION, Cause.UNMATCHED))),
        rule=draw(st.sampled_from(("one", "two"))),
        service=draw(st.sampled_from(("", "checkout", "100 %", MARKED.key))),
        policies=tuple(draw(st.lists(names, min_size=1, max_size=2, unique=True))),
        start_at=draw(st.integers(0, 2)),
        repage=draw(st.booleans()),
    )


@st.composite
def told(draw: st.DrawFn) -> tuple[Told_, ...]:
    """Draw alerts of few kinds and many words that each open an incident of their own."""
    some = draw(st.lists(verdicts(), min_size=1, max_size=3))
    several = []
    for count in range(1, draw(st.integers(2, 12)) + 1):
        reason = RuleReason(rule="one", kind="threshold", severity=Severity.ERROR, say=draw(words))
        verdict = replace(draw(st.sampled_from(some)), reasons=(reason,) * draw(st.integers(0, 2)))
        alert = Alert(
            source=draw(st.sampled_from(("am", "grafana"))),
            fingerprint=draw(words),
            status=AlertStatus.FIRING,
            starts_at=NOW,
            title=draw(words),
            summary=draw(words),
            links=draw(st.dictionaries(words, words, max_size=2)),
            truncated=draw(st.sampled_from((0, 0, 0, 2))),
        )
        muted = SuppressedBy(
            kind=MuteKind.SILENCE, name=draw(words), what="", why="", by="ana", since=NOW, ended_at=NOW
        )
        number = count + draw(st.sampled_from((0, 1000, 10**6)))
        assert verdict.severity is not None
        place = Told(number, f"{draw(words)}|{number}", verdict.severity, None)
        several.append((alert, verdict, place, draw(st.sampled_from((None, None, muted)))))
    return tuple(several)


@given(told())
def test_what_is_filled_in_is_what_a_step_would_have_made(several):
    """One unit opens all of them, another one each: incidents, attempts and journal entries are the same."""
    together = a_unit()
    for one in several:
        open_in(together, one)
    for one in several:
        alone = a_unit()
        alone.happen(None, fired_by(one))
        assert all_of(together, one[2].number) == all_of(alone, one[2].number)
    assert not together.alike


def chained(entries: Iterable[JournalEntry]) -> list[dict[str, object]]:
    """Return the rows of a chain that begins with these entries."""

    def follow(before: dict[str, object], row: dict[str, object]) -> dict[str, object]:
        full = {**row, "prev_hash": before["hash"]}
        return {**full, "hash": journal.hash_of(full)}

    return list(accumulate(map(journal.row_of, entries), follow, initial={"hash": ""}))[1:]


@given(told())
def test_the_rows_of_a_form_are_those_of_the_objects(several):
    """What is printed reads back as what would have been encoded; the journal is the same octet for octet."""
    together = a_unit()
    for one in several:
        open_in(together, one)
    for number, (opening, said) in together.alike.items():
        alone = a_unit()
        alone.happen(None, fired_by(next(one for one in several if one[2].number == number)))
        if opening.form is None:  # something in it looks like a mark
            assert opening.incident.service == MARKED.key
            continue
        printed = opening.form.fill(said)
        wanted = incidents.row_of(alone.incidents[number])
        assert incident_codec.decode(printed.incident["body"]) == incident_codec.decode(wanted["body"])
        assert {**printed.incident, "body": ""} == {**wanted, "body": ""}
        assert printed.attempts == [outbox.row_of(row) for row in alone.outbox]
        assert printed.entries == chained(alone.journal)


@given(told())
def test_what_comes_next_is_foreseen_once_for_those_that_are_alike(several):
    """One who remembers says of each incident and track what a fresh look says, before its deadlines and after."""
    unit, forecaster = a_unit(), Forecaster()
    for one in several:
        open_in(unit, one)
    for incident in unit.all_known():
        for track in incident.tracks:
            for now in (NOW, NOW + timedelta(minutes=3), NOW + timedelta(days=2)):
                fresh = next_tier(incident, unit.world, now, track.name)
                assert forecaster.next_tier(incident, unit.world, now, track.name) == fresh


def test_a_forecaster_looks_once_at_what_is_alike_and_again_in_another_world(monkeypatch: pytest.MonkeyPatch):
    """Three pages of a storm cost one look; after an override, or an ack of one of them, it is looked at anew."""
    looks: list[str] = []
    monkeypatch.setattr(forecast, "next_tier", lambda *given: looks.append(given[3]) or next_tier(*given))
    unit, forecaster = a_unit(), Forecaster()
    for number in (1, 2, 3):
        unit.happen(None, an_event(number))
    world = unit.world
    first, *_ = [forecaster.next_tier(each, world, NOW, each.main.name) for each in unit.all_known()]
    assert len(looks) == 1
    assert first is not None
    one = unit.incidents[1]
    forecaster.next_tier(one, replace(world), NOW, one.main.name)
    assert len(looks) == 2
    later = replace(one, tracks=(replace(one.main, tier=2), *one.tracks[1:]))
    forecaster.next_tier(later, world, NOW, one.main.name)
    assert len(looks) == 3


@given(told())
def test_the_kind_of_an_opening_is_the_same_from_both_sides(several):
    """What is looked for by the verdict was kept by the event."""
    for one in several:
        alert, verdict, _place, _muted = one
        assert kind_of(alert, verdict) == kind_of_event(fired_by(one), the_rules())


def an_event(number: int = 1, **changes: object) -> AlertFired:
    """Return an event that opens an incident of the people for what no rule knows."""
    ruleset = the_rules()
    given_ = {"source": "am", "title": "", "summary": "", "links": {}, "service": "", "rule": ""}
    given_ |= {"severity": Severity.CRITICAL, "cause": Cause.UNMATCHED}
    given_ |= {"policies": (ruleset.policies[ruleset.unmatched.policy],)}
    return AlertFired(number=number, key=str(number), fingerprint=str(number), **{**given_, **changes})


def test_what_more_than_a_verdict_decides_is_opened_by_itself():
    """An alert that was there before, a human, and a policy of other rules are of no kind."""
    assert kind_of_event(an_event(), the_rules()) is not None
    pinned = replace(an_event().policies[0], hash="0" * 16)
    for changes in ({"again": True}, {"actor": "ana"}, {"via": Via.WEB}, {"policies": (pinned,)}):
        assert kind_of_event(an_event(**changes), the_rules()) is None
    assert kind_of_event(an_event(previous=Severity.ERROR), the_rules()) is None


def test_a_command_that_fails_takes_back_what_it_opened_and_what_it_filled_in():
    """After `take_back` the unit is as it was: the one opened before is still like the first one."""
    ruleset, unit = the_rules(), a_unit()
    verdict = Verdict(
        severity=Severity.ERROR,
        cause=Cause.UNMATCHED,
        rule="unmatched",
        service="",
        policies=(ruleset.unmatched.policy,),
    )
    one, two, three = (
        (
            Alert(source="am", fingerprint=str(n), status=AlertStatus.FIRING, starts_at=NOW, title=f"number {n}"),
            verdict,
            Told(n, f"key {n}", Severity.ERROR, None),
            None,
        )
        for n in (1, 2, 3)
    )
    unit.begin()
    assert not open_in(unit, one)
    assert open_in(unit, two)
    before = (list(unit.outbox), list(unit.journal), set(unit.changed))
    unit.begin()
    assert open_in(unit, three)
    assert unit.incident(2) is not None  # it is an object now
    assert set(unit.alike) == {3}
    unit.take_back()
    assert set(unit.alike) == {2}
    assert (unit.outbox, unit.journal, set(unit.changed)) == before
    assert "key 3" not in unit.by_key
    unit.all_known()
    assert not unit.alike
    assert unit.incidents[2].title == "number 2"


def test_no_form_is_made_of_what_holds_a_mark():
    """A label that a stranger chose cannot move words about."""
    for service in (
        MARKED.key,
        MARKED.title,
        MARKED.summary,
        str(MARKED.number),
        '"reference":"i' + str(MARKED.number),
    ):
        unit = a_unit()
        unit.happen(None, an_event(service=service))
        assert form_of(unit.incidents[1], unit.outbox, unit.journal) is None
    unit = a_unit()
    unit.happen(None, an_event(service="100 % %(key)s"))
    assert isinstance(form_of(unit.incidents[1], unit.outbox, unit.journal), Form)


def test_the_world_that_changes_within_a_transaction_is_looked_at_anew():
    """After an address has died in the same transaction, the next incident does not page it."""
    ruleset, unit = the_rules(), a_unit()
    verdict = Verdict(
        severity=Severity.CRITICAL,
        cause=Cause.UNMATCHED,
        rule="unmatched",
        service="",
        policies=(ruleset.unmatched.policy,),
    )
    one, two = (
        (
            Alert(source="am", fingerprint=str(n), status=AlertStatus.FIRING, starts_at=NOW, title=""),
            verdict,
            Told(n, f"key {n}", Severity.CRITICAL, None),
            None,
        )
        for n in (1, 2)
    )
    open_in(unit, one)
    _incident, rows, _entries = all_of(unit, 1)
    ways = {(row.person, ruleset.channels[row.channel].address_key) for row in rows}
    dead = {(person, address) for person, address in ways if address}
    assert dead
    unit.world = World(ruleset=ruleset, policies=unit.world.policies, unreachable=frozenset(dead))
    assert not open_in(unit, two)
    _incident, rows, _entries = all_of(unit, 2)
    assert dead.isdisjoint((row.person, ruleset.channels[row.channel].address_key) for row in rows)


def test_every_field_of_the_event_is_a_word_or_decides():
    """A new field of the event is not left out of what decides: it has a place here, and in `kind_of_event`."""
    words_of = {"number", "key", "fingerprint", "title", "summary", "links", "why"}
    kind = {"source", "truncated", "service", "severity", "cause", "rule", "policies", "start_at", "repage"}
    plain = {"member", "previous", "again", "actor", "via"}
    assert set(AlertFired.__dataclass_fields__) == words_of | kind | plain
    assert words_of == set(MARKED._fields)
