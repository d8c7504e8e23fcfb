"""How soon a human is told: against incidents opened minute by minute in the rules as they are, receipts and all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from escalatord.core.alert import SEVERITIES, Severity
from escalatord.core.escalation import step
from escalatord.core.events import AlertFired, Delivery, Notify, Record, TimersDue
from escalatord.core.incident import Attempt, Cause, NoticeKind, TimerKind
from escalatord.core.presence import Presence, Stretch
from escalatord.core.proof import bare_world
from escalatord.core.roster import ChannelKind
from escalatord.core.ruleset import World
from escalatord.core.unanswered import NEVER, TrackClimb
from escalatord.core.worst_case import NOTHING_DEAD, Outage, WorstCase, WorstCases, _openings, outages
from tests.fakes.rule_sets import GOOD, ruleset_of

NOW = datetime(2026, 10, 24, tzinfo=UTC)
# windows and hand-offs are multiples of 5 minutes; this step falls on all of these in turn, before and after hand-offs
STEP = timedelta(minutes=35)
LADDER = """\
unmatched: {severity: warning, policy: p}
policies:
  p:
    owner: person eve
    tracks:
      technical:
        tiers:
          - {page: [oncall first], backup: [oncall second], within: 15m}
          - {page: [oncall second], within: 10m, remind: [5m], plan: urgent}
          - {page: [role lead], within: 10m, plan: urgent}
        repeat: 1
      stakeholder:
        when: severity >= error
        tiers: [{page: [oncall second, person cy], within: 20m, plan: office}]
    when: {critical: {within: 5m, plan: urgent}, warning: {skip_to: 2}, info: {within: 1h}}
    last_resort: {page: [person cy, person dee], plan: urgent, every: 30m}
contact_plans:
  usual: [{by: chat}, {by: sms, if_failed: [backup]}, {by: call, after: 5m}]
  urgent: [{by: sms, if_failed: [backup]}, {by: call, after: 2m}]
  office: [{by: hook}, {by: mail}]
channels:
  chat: {provider: slack, token: x, signing_secret: x, room: "#a"}
  sms: {provider: twilio, account_sid: AC1, auth_token: x, from: "+34600000099"}
  backup: {provider: sim, kind: sms}
  call: {provider: twilio, account_sid: AC1, auth_token: x, from: "+34600000099"}
  mail: {provider: smtp, host: mail.example.com, from: a@example.com}
  hook: {provider: webhook, kind: webhook, url: "https://x.example.com"}
people:
  ana: {sms: "+34600000001", call: "+34600000001", slack: U1}
  bo: {sms: "+34600000002"}
  cy: {call: "+34600000003", email: cy@example.com}
  dee: {email: dee@example.com, slack: U4}
  eve: {sms: "+34600000005"}
roles: {lead: [oncall first, person eve]}
schedules:
  first:
    timezone: Europe/Madrid
    layers:
      - {rotate: 7 hours, handoff: "09:00", starts: "2026-10-05", people: [ana, bo, cy]}
      - {rotate: daily, handoff: "09:00", starts: "2026-10-05", people: [bo, dee], active: 22:00-03:00}
  second:
    timezone: UTC
    layers: [{rotate: 5 hours, handoff: "09:00", starts: "2026-10-05", people: [bo, ana, dee], active: 04:00-21:00}]
"""


def climbed(world: World, opened: datetime, severity: Severity, dead: frozenset[str]) -> dict[str, TrackClimb]:
    """Return how each track of the policy climbs when an incident opens at an instant and nobody acks."""
    (policy,) = world.ruleset.policies.values()
    incident, now = None, opened
    first: dict[str, tuple[str, float]] = {}
    found: dict[str, dict[str, float]] = {track.name: {} for track in policy.tracks}
    event: object = AlertFired(
        number=1,
        key="k",
        source="am",
        fingerprint="f",
        title="t",
        summary="",
        links={},
        service="",
        severity=severity,
        cause=Cause.THRESHOLD,
        rule="r",
        policies=(policy,),
    )
    while event is not None:
        waiting = [event]
        seconds = (now - opened).total_seconds()
        while waiting:
            outcome = step(incident, waiting.pop(0), now, world)
            incident = outcome.incident
            for effect in outcome.effects:
                if isinstance(effect, Record) and effect.kind == "last_resort":
                    found[effect.track].setdefault("last_resort", seconds)
                if not isinstance(effect, Notify) or effect.kind not in (NoticeKind.PAGE, NoticeKind.LAST_RESORT):
                    continue
                if effect.channel in dead:
                    told = (Attempt.FAILED_PERMANENT,)
                else:
                    told = (Attempt.ACCEPTED, Attempt.DELIVERED)
                    if world.ruleset.channels[effect.channel].kind is not ChannelKind.WEBHOOK:
                        person, _ = first.setdefault(effect.track, (effect.person, seconds))
                        found[effect.track].setdefault("first", seconds)
                        if effect.person != person:
                            found[effect.track].setdefault("second", seconds)
                waiting += [Delivery(reference=effect.reference, status=one, channel=effect.channel) for one in told]
        due = [timer.at for timer in incident.timers if timer.kind is not TimerKind.LAST_RESORT]
        event = TimersDue() if due else None
        now = max(now, min(due, default=now))
    return {name: TrackClimb(**seconds) for name, seconds in found.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two restless schedules, gaps included, two tracks, and everything that can die."""
    return bare_world(ruleset_of(tmp_path_factory.mktemp("rules"), LADDER))


@pytest.fixture(scope="module")
def cases(world: World) -> list[WorstCase]:
    """The worst cases of three days, the end of summer time among them."""
    (policy,) = world.ruleset.policies.values()
    return list(WorstCases(Presence(world, Stretch(NOW, NOW + timedelta(days=3)))).of(policy))


DEAD = [
    *("", 'channel "chat"', 'channel "sms"', 'channel "backup"', 'channel "call"', 'channel "mail"', 'channel "hook"'),
    "provider twilio",
]


@pytest.mark.parametrize("dead", DEAD)
@pytest.mark.parametrize("severity", [Severity.CRITICAL, Severity.ERROR, Severity.WARNING])
def test_no_incident_does_worse_and_one_does_as_bad(
    world: World, cases: list[WorstCase], severity: Severity, dead: str
) -> None:
    """Openings over two days: nothing is later than the worst case, which the instants it names come to."""
    these = {case.track: case for case in cases if severity in case.severities and case.outage.name == dead}
    (channels,) = {case.outage.channels for case in these.values()}
    assert set(these) == ({"technical"} if severity is Severity.WARNING else {"technical", "stakeholder"})
    for number in range(timedelta(days=2) // STEP):
        for track, climb in climbed(world, NOW + number * STEP, severity, channels).items():
            if track in these:
                worst = these[track].worst
                assert climb.first <= worst.first
                assert climb.second <= worst.second
                assert climb.last_resort <= worst.last_resort
    for track, case in these.items():
        assert climbed(world, case.first_at, severity, channels)[track].first == case.worst.first
        assert climbed(world, case.second_at, severity, channels)[track].second == case.worst.second


def test_severities_that_are_treated_alike_are_one_case(cases: list[WorstCase]) -> None:
    """Here none are: overrides and starts of tracks differ; each has its own case for everything dead."""
    technical = [case for case in cases if case.track == "technical"]
    assert {case.severities for case in technical} == {(severity,) for severity in SEVERITIES}
    assert [case.outage.name for case in technical] == DEAD * 4


def test_what_can_die(world: World) -> None:
    """Every channel, and every provider of several; a provider of one is its channel, a simulated one cannot die."""
    assert [outage.name for outage in outages(world.ruleset)] == DEAD[1:]
    assert outages(world.ruleset)[-1] == Outage("provider twilio", frozenset({"sms", "call"}))


def cases_of(folder: Path, text: str) -> dict[str, TrackClimb]:
    """Return the climbs of the only track of some rules, by what is dead."""
    ruleset = ruleset_of(folder, text)
    (policy,) = ruleset.policies.values()
    found = WorstCases(Presence(bare_world(ruleset), Stretch(NOW, NOW + timedelta(days=1)))).of(policy)
    return {case.outage.name: case.worst for case in found}


def test_a_hand_off_during_the_climb_can_bring_the_same_person_again(tmp_path: Path) -> None:
    """First and second change places at 09:00: whoever is paged just before is paged again as the second."""
    text = GOOD.replace(
        "          - {page: [person ana], within: 5m}\n",
        "          - {page: [oncall a], within: 5m}\n          - {page: [oncall b], within: 10m}\n",
    )
    text += (
        "schedules:\n"
        '  a: {timezone: UTC, layers: [{rotate: daily, starts: "2026-10-05", people: [ana, bo]}]}\n'
        '  b: {timezone: UTC, layers: [{rotate: daily, starts: "2026-10-05", people: [bo, ana]}]}\n'
    )
    ruleset = ruleset_of(tmp_path, text.replace("[person bo]", "[person ana, person bo]"))
    (policy,) = ruleset.policies.values()
    worst, *_ = WorstCases(Presence(bare_world(ruleset), Stretch(NOW, NOW + timedelta(days=2)))).of(policy)
    assert (worst.worst.second, worst.outage) == (900.0, NOTHING_DEAD)
    assert worst.second_at == datetime(2026, 10, 24, 8, 55, tzinfo=UTC)


def test_a_lone_person_is_never_followed(tmp_path: Path) -> None:
    """Nobody second is `never`; the one is tried by all tiers."""
    worst = cases_of(tmp_path, GOOD.replace("person bo", "person ana"))
    assert {climb.second for climb in worst.values()} == {NEVER}
    assert {climb.tried for climb in worst.values()} == {("ana",)}


def test_people_are_told_apart_by_their_addresses(tmp_path: Path) -> None:
    """The same ladder with other addresses is another climb: Bo has no number for calls."""
    worst = cases_of(tmp_path, GOOD)
    assert worst['channel "call"'].second == 300.0
    assert worst['channel "sms"'].second == NEVER
    assert worst['channel "sms"'].tried == ("ana", "bo")


def test_a_climb_is_run_once_for_everybody_alike(tmp_path: Path) -> None:
    """Fifty policies of fifty people climb like one."""
    people = "".join(f'  u{n}: {{sms: "+346001{n:05}", call: "+346001{n:05}"}}\n' for n in range(50))
    one = GOOD.index("  p:\n"), GOOD.index("contact_plans")
    more = "".join(
        GOOD[one[0] : one[1]]
        .replace("  p:", f"  p{n}:")
        .replace("person ana", f"person u{n}")
        .replace("bo", f"u{49 - n}")
        for n in range(25)
    )
    ruleset = ruleset_of(tmp_path, GOOD[: one[1]] + more + GOOD[one[1] :] + people)
    worst = WorstCases(Presence(bare_world(ruleset), Stretch(NOW, NOW + timedelta(days=1))))
    for policy in ruleset.policies.values():
        assert len(list(worst.of(policy))) == 3
    assert worst.climbs == 6


def test_the_owner_stands_in_for_an_empty_last_resort(tmp_path: Path) -> None:
    """As the engine has it: nobody at the last resort, so the policy's owner is told."""
    text = GOOD.replace("    tracks:", "    owner: person ana\n    tracks:").replace("person ana]", "oncall s]")
    text = text.replace("[person bo]", "[oncall s]")
    text += 'schedules: {s: {timezone: UTC, layers: [{rotate: daily, starts: "2027-01-01", people: [bo]}]}}\n'
    worst = cases_of(tmp_path, text)[""]
    assert (worst.first, worst.last_resort, worst.tried) == (0.0, 0.0, ("ana",))


def test_a_hand_off_too_near_to_the_start_is_looked_at_again_later() -> None:
    """Three minutes in, no incident can be five minutes old; at the same hand-off two hours later, one can."""
    ana, bo = (("ana",),), (("bo",),)
    minutes = ((0, bo), (3, ana), (60, bo), (120, ana))
    pieces = tuple((NOW + timedelta(minutes=minute), who) for minute, who in minutes)
    opened = {stages: at for at, stages in _openings(pieces, (0.0, 240.0, 300.0))}
    assert opened == {
        ((0.0, bo), (240.0, ana)): NOW,
        ((0.0, ana),): NOW + timedelta(minutes=3),
        ((0.0, ana), (300.0, bo)): NOW + timedelta(minutes=55),
        ((0.0, ana), (240.0, bo)): NOW + timedelta(minutes=56),
        ((0.0, bo),): NOW + timedelta(minutes=60),
        ((0.0, bo), (300.0, ana)): NOW + timedelta(minutes=115),
    }


CHANGES = {
    "{page: [oncall first], backup": "{page: [oncall first & available, person dee], prefer: least_paged_24h, backup",
    "{page: [role lead], within: 10m": "{page: [role lead], need: all, within: 10m",
    "slack: U1}": "slack: U1, away: [{from: '2026-10-24 20:00', to: '2026-10-25 06:00'}]}",
    'eve: {sms: "+34600000005"': 'eve: {sms: "+34600000005", plans: {urgent: [{by: sms, after: 1m}, {by: chat}]}',
}


@pytest.mark.parametrize("dead", ["", 'channel "sms"', "provider twilio"])
def test_whoever_a_tier_chooses_does_no_worse(tmp_path: Path, dead: str) -> None:
    """Filters, absences, plans of one's own and preferences: for each person as the least paged one."""
    severity, text = Severity.ERROR, LADDER
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new)
    world = bare_world(ruleset_of(tmp_path, text))
    (policy,) = world.ruleset.policies.values()
    found = WorstCases(Presence(world, Stretch(NOW, NOW + timedelta(days=2)))).of(policy)
    these = {case.track: case for case in found if severity in case.severities and case.outage.name == dead}
    (channels,) = {case.outage.channels for case in these.values()}
    people = world.ruleset.people
    orders = [replace(world, paged={name: 1 for name in people if name != first}) for first in people]
    for number in range(timedelta(days=1) // (3 * STEP)):
        for order in orders:
            for track, climb in climbed(order, NOW + number * 3 * STEP, severity, channels).items():
                if track in these:
                    assert climb.first <= these[track].worst.first
                    assert climb.second <= these[track].worst.second
                    assert climb.last_resort <= these[track].worst.last_resort
    for track, case in these.items():
        seen = [climbed(order, case.second_at, severity, channels)[track].second for order in orders]
        assert max(seen) == case.worst.second


def test_a_plan_of_ones_own_tells_its_person_sooner(tmp_path: Path) -> None:
    """A company that calls after two minutes, and somebody who wants to be called at once."""
    text = GOOD.replace("usual: [{by: sms}, {by: call, after: 2m}]", "usual: [{by: call, after: 2m}]")
    assert cases_of(tmp_path, text)[""].first == 120.0
    own = text.replace('ana: {sms: "+34600000001"', 'ana: {plans: {usual: [{by: call}]}, sms: "+34600000001"')
    assert own != text
    assert cases_of(tmp_path, own)[""].first == 0.0


def test_each_person_of_a_choosing_tier_is_the_first_in_turn(tmp_path: Path) -> None:
    """Bo is paged by the next tier and the last resort too: when he was paged least, nobody else ever hears of it."""
    tier = "{page: [person ana, person bo], within: 5m, prefer: least_paged_24h}"
    text = GOOD.replace(
        "          - {page: [person ana], within: 5m}\n",
        f"          - {tier}\n          - {{page: [person bo], within: 5m}}\n",
    )
    assert text != GOOD
    assert cases_of(tmp_path, text)[""].second == NEVER
    (tmp_path / "r.yaml").unlink(missing_ok=True)
    everybody = text.replace(", prefer: least_paged_24h", "")
    assert cases_of(tmp_path, everybody)[""].second == 0.0
