"""Silences, windows and inhibitions: who sleeps, until which second, and what comes through all of them."""

from datetime import timedelta

import pytest

from escalatord.core.events import Resolve
from escalatord.core.incident import State, Via
from escalatord.engine.intake import RESOLVED_BY_HAND_HOLD_SECONDS
from escalatord.engine.wishes import SilenceReason
from escalatord.sim.bodies import Condition, body
from escalatord.sim.world import NIGHT, World
from tests.fakes.company import company
from tests.fakes.muting import mute, unmute

POLICIES = """
    unmatched: {severity: error, policy: main}
    policies:
      main:
        tracks: {technical: {tiers: [{page: [person ana], within: 9h, plan: text}]}}
        last_resort: {page: [person boss], plan: text}
      network:
        tracks: {technical: {tiers: [{page: [person bo], within: 9h, plan: text}]}}
        last_resort: {page: [person boss], plan: text}
      legal:
        tracks: {compliance: {tiers: [{page: [person lea], within: 9h, plan: mail}], when: severity >= critical}}
        last_resort: {page: [person boss], plan: text}
        compliance: {regime: gdpr, clock_from: awareness, due: 72h}
    services: {vault: {regulated: [pii]}}
    regimes: {pii: legal}
    """
RULES = """
    facts:
      rate: {from: annotation.rate, unit: percent}
    thresholds:
      - {name: errors, match: alertname="Errors", severity: {error: {when: rate > 2%}, critical: {when: rate > 5%}}}
      - {name: down, match: alertname="Down", severity: {critical: {}}}
      - {name: network-down, match: alertname="NetworkDown", severity: {critical: {}}, policy: network}
    exceptions:
      - {name: breach, match: category="security", severity: critical, policy: main, why: it does not wait}
    """
WINDOW = """
    suppress:
      - {kind: maintenance, match: alertname="Errors", from: "2026-10-24 03:00", to: "2026-10-24 04:00",
         timezone: Europe/Madrid, why: CHG-1, by: bo}
    """
INHIBIT = """
    suppress:
      - {kind: inhibit, when: network-down, mute: 'region="{{ region }}"', why: symptom, by: bo}
    """
SHARP_WINDOW = WINDOW.replace("by: bo", "by: bo, apply_to_open: true")
SHARP_INHIBIT = INHIBIT.replace("by: bo", "by: bo, apply_to_open: true")


def night(folder, at=NIGHT, suppress="suppress: []", **sections):
    """Return the company's world, told briskly."""
    return World(company(folder, policies=POLICIES, rules=RULES, suppress=suppress, **sections), folder, at, brisk=True)


def rate(value):
    """Return the annotations of an error rate."""
    return {"rate": str(value)}


@pytest.mark.asyncio
async def test_what_is_silenced_pages_nobody_until_the_second_the_silence_ends(tmp_path):
    """It is taken in, judged and kept with the severity it would have; it still fires at the end, and is paged then."""
    async with night(tmp_path) as world:
        made = await mute(world, 'alertname="Errors"', 90)
        done = await world.fire("Errors", annotations=rate(8))
        (accepted,) = done.accepted
        verdict = accepted.verdict
        assert (accepted.incident, accepted.reason, verdict.severity, verdict.pages) == (
            0,
            "suppressed",
            "critical",
            None,
        )
        assert verdict.suppressed.until == verdict.next_at == made.silence.end
        assert verdict.suppressed.say == "silence 1 (deploy, by ana)"
        await world.pass_time(minutes=89, seconds=59)
        assert world.incidents() == []
        world.expect_nothing()
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "CRIT", after=90 * 60)
        why = world.journal(kind="opened")[0].entry.body["why"]["suppressed"]
        assert why["by"] == "silence 1 (deploy, by ana)"
        assert (why["since"], why["until"]) == (world.began.isoformat(), made.silence.end.isoformat())


@pytest.mark.asyncio
async def test_a_silence_holds_through_a_hundred_flaps(tmp_path):
    """It is kept by what it matches, not by an alert: nobody hears of a hundred beginnings and ends."""
    async with night(tmp_path) as world:
        await mute(world, 'alertname=~"Err.*"', 600)
        for _ in range(100):
            await world.fire("Errors", annotations=rate(8))
            await world.pass_time(minutes=3)
            await world.resolve("Errors")
        assert world.incidents() == []
        await world.pass_time(hours=12)


@pytest.mark.asyncio
async def test_what_has_ended_by_then_pages_nobody(tmp_path):
    """The end of a silence looks at what still fires, and at nothing else; what began for another reason pages."""
    async with night(tmp_path) as world:
        await mute(world, 'alertname="Errors"', 30)
        await world.fire("Errors", annotations=rate(8))
        await world.fire("Down")
        world.expect_sms("ana", "CRIT")
        await world.pass_time(minutes=10)
        await world.resolve("Errors")
        await world.pass_time(hours=1)
        assert len(world.incidents()) == 1


@pytest.mark.asyncio
async def test_a_silence_that_is_expired_lets_go_at_once(tmp_path):
    """In the same second what it held back is paged; the journal says who made and who ended it."""
    async with night(tmp_path) as world:
        await mute(world, 'alertname="Errors"', 90)
        await world.fire("Errors", annotations=rate(3))
        await world.pass_time(minutes=10)
        done = await unmute(world)
        assert (done.reason, done.firing) == (SilenceReason.EXPIRED, 1)
        world.expect_sms("ana", "ERR", after=600)
        assert (await unmute(world)).reason is SilenceReason.UNKNOWN_SILENCE
        told = [(row.entry.kind, row.entry.actor, row.entry.body["matchers"]) for row in world.journal(0)]
        assert told == [("silence_added", "ana", 'alertname="Errors"'), ("silence_expired", "bo", 'alertname="Errors"')]


@pytest.mark.asyncio
async def test_two_silences_are_one_until_the_later_ends(tmp_path):
    """What one covers when the other ends stays quiet; expiring the longer one leaves the shorter."""
    async with night(tmp_path) as world:
        await mute(world, 'alertname="Errors"', 30)
        await mute(world, 'region="eu"', 60, after=20)
        done = await world.fire("Errors", annotations=rate(3), region="eu")
        assert done.accepted[0].verdict.suppressed.until == world.began + timedelta(minutes=80)
        await world.pass_time(minutes=25)
        await unmute(world, 2)
        assert world.incidents() == []
        await world.pass_time(minutes=4, seconds=59)
        assert world.incidents() == []
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "ERR", after=30 * 60)


@pytest.mark.asyncio
async def test_what_is_open_goes_on(tmp_path):
    """A silence that begins later changes nothing of an open incident: it gets worse, pages again, is called off."""
    async with night(tmp_path) as world:
        await world.fire("Errors", annotations=rate(3))
        world.expect_sms("ana", "ERR")
        done = await mute(world, 'alertname="Errors"', 600)
        assert (done.firing, done.paging) == (1, 1)
        await world.pass_time(minutes=10)
        await world.fire("Errors", annotations=rate(8))
        world.expect_sms("ana", "CRIT", after=600)
        stored = world.store.read(lambda tx: tx.alerts_of(1)[0])
        verdict = world.store.read(lambda tx: tx.verdict_of("alertmanager", stored.alert.fingerprint))
        assert (stored.suppressed, verdict["suppressed"]) == (None, None)
        assert "does not apply to what is open" in verdict["reasons"][-1]["say"]
        # another one is no part of it: it does not join
        await world.fire("Errors", annotations=rate(8), pod="other")
        assert (len(world.incidents()), world.incident().alerts) == (1, 1)
        await world.resolve("Errors")
        world.expect_sms("ana", "STAND DOWN")


@pytest.mark.asyncio
async def test_apply_to_open_takes_it_out_and_says_so(tmp_path):
    """The incident closes as suppressed, its people are told who muted it, and at the end it is a new incident."""
    async with night(tmp_path) as world:
        await world.fire("Errors", annotations=rate(8))
        world.expect_sms("ana", "CRIT")
        await world.pass_time(minutes=5)
        await mute(world, 'alertname="Errors"', 60, apply_to_open=True)
        said = world.expect_sms("ana", "STAND DOWN", after=300)
        assert "still fires and is muted since 03:16 (open 5m): silence 1 (deploy, by ana)" in said.text
        incident = world.incident()
        assert (incident.state, incident.recovered_at, incident.muted_by) == (
            State.RESOLVED,
            None,
            "silence 1 (deploy, by ana)",
        )
        closed = {"policy": "main", "severity": "critical"}
        assert world.figure("escalatord_incidents_closed_total", outcome="suppressed", **closed) == 1
        assert world.figure("escalatord_incidents_closed_total", outcome="resolved_unacked", **closed) == 0
        await world.fire("Errors", annotations=rate(9))  # news of it wakes nobody
        await world.pass_time(minutes=59, seconds=59)
        assert len(world.incidents()) == 1
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "CRIT", after=65 * 60)
        assert len(world.incidents()) == 2


@pytest.mark.asyncio
async def test_apply_to_open_leaves_the_others_of_an_incident(tmp_path):
    """Of two alerts one is muted: the incident goes on for the other, and recovers with it."""
    async with night(tmp_path) as world:
        await world.fire("Errors", annotations=rate(8), group="g", pod="a")
        world.expect_sms("ana", "CRIT")
        await world.fire("Errors", annotations=rate(3), group="g", pod="b")
        await mute(world, 'pod="a"', 60, apply_to_open=True)
        assert (world.incident().state, sum(world.incident().firing)) == (State.OPEN, 1)
        assert [row.entry.body["why"] for row in world.journal(kind="suppressed")] == ["silence 1 (deploy, by ana)"]
        await world.resolve("Errors", group="g", pod="b")
        world.expect_sms("ana", "recovered")
        assert world.incident().muted_by == ""
        await world.pass_time(minutes=60)
        world.expect_sms("ana", "CRIT")


@pytest.mark.asyncio
async def test_planned_work_takes_out_what_is_open_when_it_begins(tmp_path):
    """Announced for later: what was paged before is called off in the second in which it begins."""
    async with night(tmp_path) as world:
        await world.fire("Errors", annotations=rate(8))
        world.expect_sms("ana", "CRIT")
        await mute(world, 'alertname="Errors"', 30, after=20, apply_to_open=True)
        await world.fire("Errors", annotations=rate(9), pod="late", group="late")
        world.expect_sms("ana", "CRIT")
        await world.pass_time(minutes=19, seconds=59)
        world.expect_nothing()
        await world.pass_time(seconds=1)
        for _ in range(2):
            world.expect_sms("ana", "STAND DOWN", after=1200)
        await world.pass_time(minutes=30)
        for _ in range(2):
            world.expect_sms("ana", "CRIT", after=3000)


@pytest.mark.asyncio
async def test_an_ack_does_not_keep_what_is_muted_from_closing(tmp_path):
    """Somebody has it: they are told that it is muted, and whoever counts sees that nothing recovered."""
    async with night(tmp_path) as world:
        await world.fire("Errors", annotations=rate(8))
        page = world.expect_sms("ana", "CRIT")
        assert "OK: you own" in await world.reply("ana", page.code)
        await mute(world, 'alertname="Errors"', 60, apply_to_open=True)
        world.expect_sms("ana", "is muted")
        assert world.journal(kind="resolved")[0].entry.body["outcome"] == "suppressed"


MECHANISMS = {
    "silence": ("suppress: []", True),
    "window": (WINDOW.replace('alertname="Errors"', 'region="eu"'), False),
    "inhibit": (INHIBIT, False),
    "sharp window": (SHARP_WINDOW.replace('alertname="Errors"', 'region="eu"'), False),
    "sharp inhibit": (SHARP_INHIBIT, False),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", MECHANISMS)
async def test_an_exception_comes_through_every_mute(tmp_path, name):
    """Whatever mutes its labels, and also what is open: it pages, it stays, and its neighbour sleeps."""
    text, silenced = MECHANISMS[name]
    async with night(tmp_path, suppress=text) as world:
        await world.fire("NetworkDown", region="eu")
        opened = not name.endswith("window")
        if opened:
            world.expect_sms("bo", "CRIT")
        if silenced:
            await mute(world, 'region="eu"', 600, apply_to_open=True)
            world.expect_sms("bo", "STAND DOWN")
        await world.fire("Down", region="eu")
        await world.fire("Errors", region="eu", category="security")
        world.expect_sms("ana", "CRIT")
        assert world.incidents()[0].rule == "breach"
        assert len(world.incidents()) == 1 + opened
        if silenced:
            await mute(world, 'category="security"', 600, apply_to_open=True)
        await world.pass_time(minutes=10)
        assert world.incidents()[0].state is State.OPEN


@pytest.mark.asyncio
async def test_a_window_of_the_rules_closes_to_the_second(tmp_path):
    """Until 04:00 in Madrid nobody is told; at 04:00:00 Ana is."""
    async with night(tmp_path, suppress=WINDOW) as world:
        await world.fire("Errors", annotations=rate(8))
        await world.pass_time(minutes=48, seconds=45)
        assert world.incidents() == []
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "CRIT", after=48 * 60 + 46)


@pytest.mark.asyncio
async def test_a_window_taken_out_of_the_rules_is_over(tmp_path):
    """A reload without it pages what it held back at once; a reload with it touches nothing that is open."""
    async with night(tmp_path, suppress=WINDOW) as world:
        await world.fire("Errors", annotations=rate(8))
        await world.reload(company(tmp_path, policies=POLICIES, rules=RULES, suppress="suppress: []"))
        world.expect_sms("ana", "CRIT")
        await world.reload(company(tmp_path, policies=POLICIES, rules=RULES, suppress=WINDOW))
        await world.pass_time(minutes=5)
        assert world.incident().state is State.OPEN


@pytest.mark.asyncio
async def test_a_sharp_window_put_into_the_rules_takes_out_what_is_open(tmp_path):
    """`apply_to_open` in new rules: the reload calls people off."""
    async with night(tmp_path) as world:
        await world.fire("Errors", annotations=rate(8))
        world.expect_sms("ana", "CRIT")
        await world.reload(company(tmp_path, policies=POLICIES, rules=RULES, suppress=SHARP_WINDOW))
        world.expect_sms("ana", "muted since 03:11")


@pytest.mark.asyncio
@pytest.mark.parametrize("text", [WINDOW, INHIBIT], ids=["window", "inhibition"])
async def test_a_mute_that_went_while_we_were_away_is_over(tmp_path, text):
    """The daemon comes back with other rules: what the old ones muted is looked at at the start."""
    async with night(tmp_path, suppress=text) as world:
        if text is INHIBIT:
            await world.fire("NetworkDown", region="eu")
            world.expect_sms("bo", "CRIT")
        await world.fire("Errors", annotations=rate(8), region="eu")
        await world.stop()
        company(tmp_path, policies=POLICIES, rules=RULES, suppress="suppress: []")
        world.ruleset = World(world.rules, tmp_path).ruleset
        await world.start()
        world.expect_sms("ana", "CRIT")


@pytest.mark.asyncio
@pytest.mark.parametrize("down_minutes", [5, 50])
async def test_a_silence_outlives_the_process(tmp_path, down_minutes):
    """What it held back is paged when it ends, or at the start when it ended meanwhile."""
    async with night(tmp_path) as world:
        await mute(world, 'alertname="Errors"', 30)
        await world.fire("Errors", annotations=rate(8))
        await world.restart(down_seconds=down_minutes * 60)
        if down_minutes == 5:
            await world.fire("Errors", annotations=rate(8), pod="other", group="other")
        await world.pass_time(minutes=max(0, 30 - down_minutes))
        for _ in world.incidents():
            world.expect_sms("ana", "CRIT")
        assert len(world.incidents()) == (2 if down_minutes == 5 else 1)


@pytest.mark.asyncio
async def test_a_symptom_is_quiet_while_its_cause_is_open(tmp_path):
    """In the cause's region; when the cause's alert ends, the symptom is judged in that second."""
    async with night(tmp_path, suppress=INHIBIT) as world:
        await world.fire("NetworkDown", region="eu")
        world.expect_sms("bo", "CRIT")
        await world.fire("NetworkDown", region="us", group="other")
        world.expect_sms("bo", "CRIT")
        done = await world.fire("Down", region="eu")
        by = done.accepted[0].verdict.suppressed
        assert (by.kind, by.until, by.incident) == ("inhibit", None, 1)
        assert by.say == "inhibit (symptom, by bo), until INC-1 is over"
        await world.fire("Down", region="asia", group="asia")
        world.expect_sms("ana", "CRIT")
        await world.pass_time(hours=3)
        await world.resolve("NetworkDown", region="eu")
        world.expect_sms("bo", "STAND DOWN")
        world.expect_sms("ana", "CRIT", after=3 * 3600)


@pytest.mark.asyncio
async def test_a_cause_closed_by_hand_mutes_nobody(tmp_path):
    """Whoever resolves the cause says that the symptom is something of its own."""
    async with night(tmp_path, suppress=INHIBIT) as world:
        await world.fire("NetworkDown", region="eu")
        world.expect_sms("bo", "CRIT")
        await world.fire("Down", region="eu")
        await world.say(Resolve(person="bo", via=Via.WEB))
        world.expect_sms("ana", "CRIT")
        await world.resolve("NetworkDown", region="eu")


@pytest.mark.asyncio
async def test_a_cause_without_the_label_mutes_nothing(tmp_path):
    """`{{ region }}` of an alert that has no region is no region at all, not every alert without one."""
    async with night(tmp_path, suppress=INHIBIT) as world:
        await world.fire("NetworkDown")
        world.expect_sms("bo", "CRIT")
        await world.fire("Down")
        world.expect_sms("ana", "CRIT")


@pytest.mark.asyncio
async def test_a_body_of_cause_and_symptom_is_one_page(tmp_path):
    """Whatever their order in one message."""
    async with night(tmp_path, suppress=INHIBIT) as world:
        told = [
            Condition(labels={"alertname": name, "region": "eu"}, annotations={}) for name in ("Down", "NetworkDown")
        ]
        starts = {each.fingerprint: world.began for each in told}
        await world.post("alertmanager", body(told, "firing", starts, world.began, "ticks"))
        world.expect_sms("bo", "CRIT")
        assert [incident.rule for incident in world.incidents()] == ["network-down"]


@pytest.mark.asyncio
async def test_a_sharp_inhibition_takes_its_symptoms_out(tmp_path):
    """Symptoms that were paged before their cause are called off when it opens, and paged when it ends."""
    async with night(tmp_path, suppress=SHARP_INHIBIT) as world:
        await world.fire("Down", region="eu")
        world.expect_sms("ana", "CRIT")
        await world.fire("Down", region="us", group="us")
        world.expect_sms("ana", "CRIT")
        await world.fire("NetworkDown", region="eu")
        world.expect_sms("bo", "CRIT")
        world.expect_sms("ana", "muted since 03:11")
        await world.pass_time(minutes=7)
        await world.resolve("NetworkDown", region="eu")
        world.expect_sms("bo", "STAND DOWN")
        world.expect_sms("ana", "CRIT", after=420)


@pytest.mark.asyncio
async def test_what_starts_a_statutory_clock_is_not_muted(tmp_path):
    """Of the vault, under GDPR from critical on: an error sleeps, and pages in the second it becomes critical."""
    async with night(tmp_path) as world:
        await mute(world, 'service="vault"', 600)
        await world.fire("Errors", annotations=rate(3), service="vault")
        assert world.incidents() == []
        await world.fire("Errors", annotations=rate(8), service="vault")
        world.expect_sms("ana", "CRIT")
        world.expect_mail("lea")
        reasons = world.journal(kind="opened")[0].entry.body["why"]["reasons"]
        assert reasons[-1]["say"] == "policy legal starts a compliance track, which nothing suppresses"
        await unmute(world)
        await mute(world, 'service="vault"', 600, apply_to_open=True)
        assert world.incident().state is State.OPEN


@pytest.mark.asyncio
async def test_a_compliance_track_stays_until_somebody_decides(tmp_path):
    """When the alert has become less bad and is muted, the technical track ends; the clock runs on."""
    async with night(tmp_path) as world:
        await world.fire("Errors", annotations=rate(8), service="vault")
        world.expect_sms("ana", "CRIT")
        world.expect_mail("lea")
        await world.fire("Errors", annotations=rate(3), service="vault")
        await mute(world, 'service="vault"', 60, apply_to_open=True)
        world.expect_sms("ana", "still fires and is muted")
        states = {track.name: track.state.value for track in world.incident().tracks}
        assert states == {"technical": "ended", "compliance": "running"}
        assert world.incident().muted_by
        await world.pass_time(minutes=60)
        world.expect_sms("ana", after=3600)
        assert (world.incident().muted_by, world.incident().recovered_at) == ("", None)


@pytest.mark.asyncio
async def test_what_a_human_closed_stays_in_peace_and_muted(tmp_path):
    """Resolved by hand and then silenced: it comes back when both the peace and the silence are over."""
    async with night(tmp_path) as world:
        await world.fire("Errors", annotations=rate(8))
        world.expect_sms("ana", "CRIT")
        await world.say(Resolve(person="ana", via=Via.WEB))
        await mute(world, 'alertname="Errors"', 60)
        await world.pass_time(seconds=RESOLVED_BY_HAND_HOLD_SECONDS)
        await world.pass_time(minutes=44, seconds=59)
        assert len(world.incidents()) == 1
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "CRIT", after=3600)


@pytest.mark.asyncio
async def test_the_figures_say_how_much_is_muted(tmp_path):
    """By the way of muting, never by content: now, and in all."""
    name, total = "escalatord_suppressed_alerts", "escalatord_alerts_suppressed_total"
    async with night(tmp_path, suppress=INHIBIT) as world:
        assert (world.figure(name, kind="silence"), world.figure(total, kind="maintenance")) == (0, 0)
        await mute(world, 'alertname="Errors"', 30)
        await world.fire("NetworkDown", region="eu")
        world.expect_sms("bo", "CRIT")
        for pod in "abc":
            await world.fire("Errors", annotations=rate(8), pod=pod, group=pod)
        await world.fire("Errors", annotations=rate(9), pod="a")  # news of the same episode
        await world.fire("Down", region="eu")
        assert [world.figure(name, kind=kind) for kind in ("silence", "inhibit", "maintenance")] == [3, 1, 0]
        assert [world.figure(total, kind=kind) for kind in ("silence", "inhibit", "maintenance")] == [3, 1, 0]
        held = await world.engine.held_by(["silence/1", "rules/1", "silence/9"])
        assert held == {"silence/1": 3, "rules/1": 1, "silence/9": 0}
        await world.resolve("Errors", pod="a")
        assert world.figure(name, kind="silence") == 2
        await world.pass_time(minutes=30)
        assert (world.figure(name, kind="silence"), world.figure(total, kind="silence")) == (0, 3)
        for _ in range(2):
            world.expect_sms("ana", "CRIT")
