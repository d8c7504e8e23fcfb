"""What tiers ask for when they are entered, and when it is done."""

from escalatord.core.alert import Severity
from escalatord.core.events import Note, Resolve
from escalatord.core.incident import Reason, Via
from escalatord.core.policy import Action
from tests.fakes.world import T0, at, body, fired, journal, ladder, opened, pass_time, person, run, tier, under

RCA, FREEZE = Action.OPEN_RCA, Action.FREEZE_CHANGES
ASKING = ladder(tier("ana", on_enter=(FREEZE,)), tier("bo", on_enter=(RCA, FREEZE)), owner=person("vp"), hash="asking")
WORLD = under(ASKING)


def tasks(incident):
    """Return the tasks of an incident: what, asked where, of whom, done by whom."""
    return [(task.action, task.tier, task.owner, task.done_by) for task in incident.tasks]


def test_entering_a_tier_asks_its_policys_owner():
    """It is journaled with the tier, and stands on the incident."""
    outcome = run(None, (fired(policies=(ASKING,)), T0), world=WORLD)
    assert tasks(outcome.incident) == [(FREEZE, 1, "person vp", "")]
    assert body(outcome, "on_enter") | {"policy": ""} == {
        "policy": "", "severity": "error", "track": "main", "tier": 1, "main": True, "reason": "opened",
        "actions": ["freeze_changes"], "owner": "person vp",
    }  # fmt: skip


def test_a_task_is_asked_for_once():
    """What the first tier asked for, the second does not ask for again; nor does a second round."""
    incident = pass_time(opened(world=WORLD, policies=(ASKING,)), at(10), WORLD)
    assert [(task.action, task.tier) for task in incident.tasks] == [(FREEZE, 1), (RCA, 2)]
    outcome = run(incident, (Note(person="vp", via=Via.WEB, text="frozen", done=(FREEZE,)), at(11)), world=WORLD)
    later = pass_time(outcome.incident, at(600), WORLD)
    assert len(later.tasks) == 2


def test_a_tier_paged_again_asks_for_nothing():
    """Paging the same people once more is no entry."""
    incident = opened(world=WORLD, policies=(ASKING,))
    worse = fired(severity=Severity.CRITICAL, previous=Severity.ERROR, policies=(ASKING,))
    assert "on_enter" not in journal(run(incident, (worse, at(1)), world=WORLD))


def test_every_tier_at_once_asks_for_everything():
    """Nothing that a tier would have asked for is lost because all are entered together."""
    incident = opened(world=WORLD, policies=(ASKING,), start_at=0)
    assert {task.action for task in incident.tasks} == {RCA, FREEZE}


def test_a_note_says_that_it_is_done():
    """Once, by whoever says it, also when the incident is over; what was not asked for is not done."""
    incident = opened(world=WORLD, policies=(ASKING,))
    closed = run(incident, (Resolve(person="cy", via=Via.WEB), at(1)), world=WORLD).incident
    note = Note(person="vp", via=Via.WEB, text="nothing goes out", done=(FREEZE, RCA))
    outcome = run(closed, (note, at(2)), world=WORLD)
    assert (outcome.reason, tasks(outcome.incident)) == (Reason.NOTED, [(FREEZE, 1, "person vp", "vp")])
    assert body(outcome, "noted")["done"] == ["freeze_changes"]
    assert outcome.incident.tasks[0].done_at == at(2)
    again = run(outcome.incident, (note, at(3)), world=WORLD)
    assert "done" not in body(again, "noted")
    assert again.incident.tasks == outcome.incident.tasks


def test_a_policy_without_an_owner_asks_nobody_in_particular():
    """The task is there all the same."""
    policy = ladder(tier("ana", on_enter=(RCA,)), hash="unowned")
    assert opened(world=under(policy), policies=(policy,)).tasks[0].owner == ""
