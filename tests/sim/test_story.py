"""Stories: told once, they come back as values, and never touch anything outside."""

import json
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from escalatord.config.load import load
from escalatord.core.alert import AlertStatus
from escalatord.core.incident import State
from escalatord.core.values import replace
from escalatord.core.wallclock import parse_when
from escalatord.notify.simulated import Failure
from escalatord.sim.people import parse_people
from escalatord.sim.story import STORY_SECONDS_MAX, Given, Story, StoryError, failures_of, play

RULES = Path(__file__).parents[2] / "rules"
RULESET = load(RULES, need_secrets=False).ruleset
AT = parse_when("2026-10-24 03:11 Europe/Madrid", "UTC")


def recorded(name):
    """Return a body beside the shipped rules."""
    return json.loads((RULES / "payloads" / f"{name}.json").read_text(encoding="utf-8"))


def given(name="checkout-5xx", source="alertmanager", **more):
    """Return a body that comes in."""
    return Given(source=source, content=recorded(name), **more)


def story(*bodies, people="", **more):
    """Return a story that begins in the night of the clock change's eve."""
    return Story(at=AT, given=bodies or (given(),), scripts=parse_people(people), **more)


def kinds(played):
    """Return the kinds of journal entries of incidents, without what providers said."""
    return [row.entry.kind for row in played.journal if row.entry.incident and row.entry.kind != "delivery"]


def test_a_story_comes_back_whole():
    """Journal, incident, attempts, messages as they were at the end, and what the rules made of the alert."""
    played = play(story(people="ana: acks by sms after 30s", until_seconds=60), RULESET)
    (incident,) = played.incidents
    assert (incident.state, incident.acknowledged_by) == (State.ACKNOWLEDGED, "ana")
    assert (played.began, played.ended) == (AT, AT + timedelta(seconds=60))
    assert kinds(played)[:2] == ["opened", "tier_entered"]
    assert {row.reference for row in played.attempts} >= set(played.messages)
    (taken,) = played.taken
    assert (taken.title, taken.accepted.incident) == ("5xx rate 8.2% (eu-west)", 1)
    assert [verdict["severity"] for verdict in played.verdicts] == ["critical"]


def test_the_same_story_is_the_same_to_the_letter():
    """Played twice, everything is equal, hashes of the journal included."""
    told = story(people="ana: no answer; bo: acks by call after 5s", until_seconds=600)
    assert play(told, RULESET) == play(told, RULESET)


def test_no_story_ever_opens_a_connection(monkeypatch):
    """Nothing leaves the machine: a socket to anywhere would raise."""

    def refused(*_args, **_kwargs):
        raise AssertionError("a simulation talks to the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    assert play(story(until_seconds=1200), RULESET).incidents


def test_bodies_come_in_the_order_of_their_times():
    """A resolve that is written first and comes later ends the incident then."""
    over = given(status=AlertStatus.RESOLVED, after_seconds=90)
    played = play(story(over, given(), until_seconds=120), RULESET)
    assert kinds(played)[-1] == "resolved"
    assert played.incidents[0].resolved_at == AT + timedelta(seconds=90)


def test_a_condition_that_ended_begins_anew():
    """Firing, resolved and firing again is another episode with another start; without `flap` another incident."""
    over = given(status=AlertStatus.RESOLVED, after_seconds=60)
    told = story(given(), over, given(after_seconds=300), until_seconds=310)
    played = play(told, replace(RULESET, flap=None))
    assert [incident.opened_at - AT for incident in played.incidents] == [timedelta(), timedelta(seconds=300)]
    damped = play(told, RULESET)
    assert [(incident.opened_at - AT, incident.reopened) for incident in damped.incidents] == [(timedelta(), 1)]


def test_waiting_for_the_last_resort_ends_when_it_comes():
    """The main track's counts, not the stakeholders' that may come sooner; an alert for nobody is not waited for."""
    played = play(story(until_last_resort=True), RULESET)
    last = [row.entry.at for row in played.journal if row.entry.kind == "last_resort" and row.entry.body["main"]]
    assert last
    assert played.ended - last[0] <= timedelta(minutes=5)
    assert play(story(given("staging"), until_last_resort=True), RULESET).ended == AT


def test_channels_fail_as_told():
    """A provider that refuses brings the fallback at once."""
    played = play(story(until_seconds=5, failures={"sms": Failure.REFUSE}), RULESET)
    sent = {(message.person, message.name) for message in played.messages.values()}
    assert ("ana", "sms_backup") in sent
    assert not [name for _, name in sent if name == "sms"]


def test_what_nobody_can_read_is_said():
    """A body that the source cannot use is kept, and told in a sentence."""
    nonsense = Given(source="batch", content={"jobs": [{"state": "failed"}]})
    played = play(story(nonsense, until_seconds=5), RULESET)
    assert played.taken == ()
    assert len(played.rejected) == 1
    assert "fingerprint" in played.rejected[0]


@pytest.mark.parametrize(
    ("told", "say"),
    [
        (story(given(source="nagios")), 'no source "nagios"; there are alertmanager, batch'),
        (story(people="zoe: acks"), 'no person "zoe"'),
        (story(failures={"pigeon": Failure.REFUSE}), 'no channel "pigeon"'),
        (story(until_seconds=STORY_SECONDS_MAX + 1), "at most 90 days"),
        (story(given(changes={"value.x": "1"})), "has no value.x"),
    ],
)
def test_a_story_that_cannot_be_told_is_refused(told, say):
    """What is not in the rules is named in a sentence before anything is played."""
    with pytest.raises(StoryError, match=say):
        play(told, RULESET)


def test_failures_are_of_channels_providers_and_ways():
    """A name may be a channel's or a provider's; without a way they refuse."""
    assert failures_of(["sms", "call=busy"], RULESET) == {"sms": Failure.REFUSE, "call": Failure.BUSY}
    assert failures_of(["sim=hang"], RULESET) == dict.fromkeys(RULESET.channels, Failure.HANG)
    for text, say in (("sms=sulk", "no way to fail; ways: refuse"), ("pigeon", 'no channel or provider "pigeon"')):
        with pytest.raises(StoryError, match=say):
            failures_of([text], RULESET)


def test_a_story_may_be_played_under_other_rules():
    """The rules are those given in, whatever lies on disk."""
    nobody = replace(RULESET, thresholds=())
    assert play(story(until_seconds=1), nobody).incidents[0].cause == "unmatched"
