"""The incident while a step changes it: looking things up, deadlines, references and what each entry carries."""

import pytest

from escalatord.core.draft import LATE_SECONDS, Draft
from escalatord.core.events import Notify, Record
from escalatord.core.incident import Attempt, NoticeKind, Reason, TimerKind, TrackState
from escalatord.core.values import replace
from tests.fakes.world import T0, WORLD, at, opened, timers, without


def draft(world=WORLD, now=T0):
    """Return a draft of an incident that just opened."""
    return Draft(opened(), now, world)


def test_unknown_track_is_a_defect():
    """A name that the incident does not have raises, it is not guessed."""
    one = draft()
    assert one.track("technical") == one.incident.main
    with pytest.raises(KeyError, match="nowhere"):
        one.track("nowhere")


def test_changed_tracks_and_deadlines_are_seen_at_once():
    """Whatever is put or armed is part of the incident that anybody looks at next."""
    one = draft()
    one.put(replace(one.incident.main, owner="cy"))
    one.arm(TimerKind.SNOOZE_END, 60, "stakeholder")
    assert one.incident.main.owner == "cy"
    assert one.track("technical").owner == "cy"
    assert ("snooze_end", 60, "") in timers(one.incident, "stakeholder")


def test_a_whole_incident_set_anew_loses_no_change():
    """Changing another field of the incident keeps the tracks changed before it and the deadlines changed after."""
    one = draft()
    one.put(replace(one.incident.main, owner="cy"))
    one.incident = replace(one.incident, title="new")
    one.disarm("stakeholder")
    assert (one.incident.title, one.incident.main.owner, timers(one.incident, "stakeholder")) == ("new", "cy", [])


@pytest.mark.parametrize(
    ("track", "kinds", "subject", "left"),
    [
        ("technical", (), None, []),
        ("technical", (TimerKind.REMINDER,), None, ["plan_step", "tier_deadline"]),
        ("technical", (TimerKind.PLAN_STEP,), "ana/2", ["reminder", "reminder", "tier_deadline"]),
        ("technical", (TimerKind.PLAN_STEP,), "bo/2", ["plan_step", "reminder", "reminder", "tier_deadline"]),
        ("stakeholder", (), None, ["plan_step", "reminder", "reminder", "tier_deadline"]),
    ],
)
def test_disarming_takes_what_it_names(track, kinds, subject, left):
    """Of one track, of these kinds, of one subject; nothing else."""
    one = draft()
    one.disarm(track, kinds, subject)
    assert [kind for kind, _, _ in timers(one.incident, "technical")] == left


def test_disarming_a_track_leaves_its_legal_clock():
    """The law does not stop for an ack; only naming the clock clears it."""
    one = draft()
    one.arm(TimerKind.STATUTORY, 60, "technical")
    one.disarm("technical")
    assert timers(one.incident, "technical") == [("statutory", 60, "")]
    one.disarm("technical", (TimerKind.STATUTORY,))
    assert timers(one.incident, "technical") == []


def test_a_deadline_is_capped_and_never_moved_back():
    """Paging again may shorten a window; it adds no second."""
    one = draft()
    assert one.deadline_of("technical") == at(15)
    one.cap_deadline("technical", at(20))
    assert one.deadline_of("technical") == at(15)
    one.cap_deadline("technical", at(10))
    assert (one.deadline_of("technical"), one.deadline_of("stakeholder")) == (at(10), at(30))
    one.disarm("technical")
    assert one.deadline_of("technical") is None


def test_is_armed_asks_for_one_deadline_of_one_subject():
    """A deadline of the same kind for somebody else does not count."""
    one = draft()
    assert one.is_armed(TimerKind.PLAN_STEP, "technical", "ana/2")
    assert not one.is_armed(TimerKind.PLAN_STEP, "technical", "ana/1")
    assert not one.is_armed(TimerKind.PLAN_STEP, "stakeholder", "ana/2")


@pytest.mark.parametrize(("seconds", "late"), [(0, False), (LATE_SECONDS, False), (LATE_SECONDS + 0.1, True)])
def test_late_begins_past_what_nobody_would_notice(seconds, late):
    """A message says that it is late only when its reader would care."""
    one = draft()
    one.lateness_seconds = seconds
    assert one.late is late


def test_references_are_never_given_twice():
    """Incident, turn and count make each attempt's name, so that it can be computed again."""
    one = draft()
    main = one.incident.main
    given = [one.notify(NoticeKind.PAGE, main, "ana", "sms", Reason.OPENED) for _ in range(3)]
    assert given == ["i1-1-0", "i1-1-1", "i1-1-2"]


def test_a_message_carries_its_place_in_the_ladder():
    """Tier, epoch, lateness and who caused it travel with the message."""
    one = draft()
    one.actor, one.lateness_seconds = "cy", 60
    one.notify(NoticeKind.PAGE, one.incident.main, "ana", "sms", Reason.MANUAL)
    (sent,) = (effect for effect in one.effects if isinstance(effect, Notify))
    assert (sent.track, sent.tier, sent.epoch, sent.late, sent.reason, sent.actor) == (
        "technical",
        1,
        1,
        True,
        Reason.MANUAL,
        "cy",
    )


def test_every_entry_carries_policy_severity_and_track():
    """The figures are folded from the journal alone, so each entry holds its labels."""
    one = draft()
    one.actor = "cy"
    one.record("anything", Reason.NOTED, one.incident.tracks[1], body={"more": 1})
    one.record("nothing", Reason.NOTED)
    of_track, bare = (effect for effect in one.effects if isinstance(effect, Record))
    assert of_track.body == {
        "policy": "payments",
        "severity": "error",
        "track": "stakeholder",
        "tier": 1,
        "main": False,
        "reason": "noted",
        "more": 1,
    }
    assert (of_track.person, of_track.track, bare.track, bare.tier, bare.person) == ("cy", "stakeholder", "", 0, "cy")
    assert "track" not in bare.body


def test_ways_to_somebody_are_those_that_paged_them():
    """Else one of their own; a room of others is no way to a person, and somebody gone has none."""
    one = draft()
    technical = one.incident.main
    everything = tuple(spec.kind for spec in WORLD.ruleset.channels.values())
    assert one.ways_to("ana", technical, everything) == ("chat", "sms")
    assert one.ways_to("cy", technical, everything) == ("sms",)
    assert draft(without("ana")).ways_to("ana", technical, everything) == ()
    dead = replace(WORLD, unreachable=frozenset({("ana", "sms")}))
    assert draft(dead).ways_to("ana", technical, everything) == ("chat",)


def test_receipts_and_plans_are_those_of_the_place():
    """The last resort has a plan of its own; a channel nobody knows gives no receipts."""
    one = draft()
    main = one.incident.main
    assert (one.plan_of(main).name, one.plan_of(replace(main, state=TrackState.LAST_RESORT)).name) == (
        "usual",
        "urgent",
    )
    assert (one.has_receipts("sms"), one.has_receipts("chat"), one.has_receipts("pigeon")) == (True, False, False)
    assert main.pages[0].steps[0].status is Attempt.PENDING
