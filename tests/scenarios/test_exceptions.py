"""Immediate escalation regardless of thresholds, and cases that nobody may read about."""

import json

import pytest
from structlog.testing import capture_logs

from escalatord.core.events import Resolve, Snooze
from escalatord.core.incident import Reason, State, TrackState, Via
from tests.fakes.company import SECTIONS, night

CANARY = "zanzibar-ledger-of-4711-customers"
POLICIES = """
    unmatched: {severity: error, policy: main}
    policies:
      main:
        tracks:
          technical:
            tiers:
              - {page: [person ana], within: 5m, plan: text}
              - {page: [person bo], within: 5m, plan: text}
              - {page: [person cy], within: 5m, plan: text}
        last_resort: {page: [person boss], plan: text}
      legal:
        compliance: {regime: gdpr, clock_from: awareness, due: 3h, remind: [1h, 2h]}
        tracks:
          compliance:
            tiers:
              - {page: [person lea], within: 30m, plan: text}
              - {page: [person boss], within: 30m, plan: text}
        last_resort: {page: [person boss], plan: text}
        ack_holds: {default: 12h}
        never: [snooze, bundle, auto_resolve]
        class: confidential
    """
EXCEPTIONS = """
    exceptions:
      - {name: breach, match: category="security", severity: critical, policy: main, also: [legal], why: GDPR clock}
      - {name: all-hands, match: alertname="AllDown", severity: critical, policy: main, start_at: all, why: everybody}
      - {name: second-line, match: alertname="Mismatch", severity: critical, policy: main, start_at: 2, why: money}
    thresholds:
      - {name: never, match: alertname=~".+", severity: {error: {}}, unless: [{match: 'alertname=~".+"', why: quiet}]}
    """
EVERY_WAY = """
    contact_plans:
      text: [{by: sms}, {by: chat}, {by: mail}, {by: call}]
    """


@pytest.mark.asyncio
async def test_an_exception_pages_although_every_threshold_is_excused(tmp_path):
    """A rule that keeps everything quiet cannot keep an exception quiet."""
    async with night(tmp_path, policies=POLICIES, exceptions=EXCEPTIONS) as world:
        await world.fire("DiskFull")
        world.expect_nothing()
        await world.fire("Mismatch")
        world.expect_sms("bo", "CRIT")
        assert world.figure("escalatord_exceptions_total", policy="main") == 1
        await world.reply("bo", "ok")


@pytest.mark.asyncio
async def test_all_tiers_at_once(tmp_path):
    """`start_at: all` pages everybody of every tier in the same second; one ack ends it for all."""
    async with night(tmp_path, policies=POLICIES, exceptions=EXCEPTIONS) as world:
        await world.fire("AllDown")
        for person in ("ana", "bo", "cy"):
            world.expect_sms(person, after=0)
        await world.reply("cy", "ok")
        world.expect_sms("ana", "was acked by Cy")
        world.expect_sms("bo", "was acked by Cy")


@pytest.mark.asyncio
async def test_an_exception_opens_its_own_incident_beside_one_that_is_held(tmp_path):
    """The same group already has an incident that Ana holds: the exception is not swallowed by it."""
    async with night(tmp_path, policies=POLICIES, exceptions=EXCEPTIONS.partition("    thresholds")[0]) as world:
        await world.fire("DiskFull", group="everything")
        world.expect_sms("ana")
        await world.reply("ana", "ok")
        await world.fire("Mismatch", group="everything")
        world.expect_sms("bo", "CRIT")
        await world.reply("bo", "ok")
        assert len(world.incidents()) == 2


@pytest.mark.asyncio
async def test_a_breach_runs_a_compliance_track_that_only_a_decision_ends(tmp_path):
    """Acking the technical track, or the sender's resolve, leaves the legal one climbing; closing needs a decision."""
    async with night(tmp_path, policies=POLICIES, exceptions=EXCEPTIONS) as world:
        await world.fire("Exfiltration", category="security")
        world.expect_sms("ana", after=0)
        world.expect_sms("lea", after=0)
        await world.reply("ana", "ok")
        await world.pass_time(minutes=31)
        world.expect_sms("boss", after=1800)
        await world.reply("lea", "ok")
        world.expect_sms("boss", "was taken")
        await world.resolve("Exfiltration", category="security")
        world.expect_sms("ana", "is closed", kind="stand_down")
        incident = world.incident()
        assert incident.state is not State.RESOLVED
        assert [track.state for track in incident.tracks] == [TrackState.ENDED, TrackState.ACKNOWLEDGED]
        refused = await world.say(Resolve(person="lea", via=Via.WEB))
        assert refused.reason is Reason.RESOLVE_NEEDS_DECISION
        await world.pass_time(hours=2, minutes=40)
        for hour in (1, 2, 3):
            world.expect_sms("lea", kind="statutory", after=3600 * hour)
        done = await world.say(Resolve(person="lea", via=Via.WEB, decision="notified the authority, case 12/2026"))
        assert done.reason is Reason.RESOLVED
        world.expect_sms("boss", "is closed", kind="stand_down")
        assert world.journal(kind="resolved")[0].entry.body["decision"] == "notified the authority, case 12/2026"
        assert world.store.read(lambda tx: tx.verify(1)) is True


@pytest.mark.asyncio
async def test_an_exception_cannot_be_snoozed(tmp_path):
    """Sleep is refused for an exception, on any track, and it climbs on."""
    async with night(tmp_path, policies=POLICIES, exceptions=EXCEPTIONS) as world:
        await world.fire("Mismatch")
        world.expect_sms("bo")
        refused = await world.say(Snooze(person="bo", via=Via.WEB, seconds=3600))
        assert refused.reason is Reason.SNOOZE_REFUSED
        await world.pass_time(minutes=6)
        world.expect_sms("cy", after=300)
        await world.reply("cy", "ok")
        world.expect_sms("bo", "was acked by Cy")


@pytest.mark.asyncio
async def test_nothing_of_a_confidential_case_leaves_by_any_way(tmp_path):
    """A canary in every field of the alert is in no text, call, chat message, mail, page, log line or figure."""
    sections = {"policies": POLICIES, "exceptions": EXCEPTIONS, "plans": EVERY_WAY}
    with capture_logs() as logs:
        async with night(tmp_path, **sections) as world:
            words = {
                "summary": f"stolen: {CANARY}",
                "description": CANARY,
                "runbook_url": f"https://x.example/{CANARY}",
            }
            await world.fire(CANARY, category="security", service=CANARY, host=CANARY, annotations=words)
            said = [await world.press("ana", "9"), await world.reply("ana", "K7L"), await world.reply("ana", "hm")]
            page = await world.look("lea")
            await world.pass_time(hours=4)
            await world.resolve(CANARY, category="security", service=CANARY, host=CANARY)
            await world.say(Resolve(person="lea", via=Via.WEB, decision="told"))
            sent = [(message.title, message.text) for message in world.phones.sent]
            assert {message.channel for message in world.phones.sent} == {"sms", "chat", "mail", "call"}
            exposed = world.metrics.expose()[0].decode()
            everything = json.dumps([sent, said, str(page), logs, exposed], default=str)
            world.phones.forget()
    assert "CONFIDENTIAL case" in everything
    assert CANARY not in everything
    assert "zanzibar" not in everything.lower()


@pytest.mark.asyncio
async def test_no_phone_number_is_in_a_log_line_or_in_the_journal(tmp_path):
    """A night of failures and strangers writes down nobody's number."""
    numbers = [f"3460000000{digit}" for digit in range(1, 6)]
    with capture_logs() as logs:
        async with night(tmp_path) as world:
            await world.fire("DiskFull")
            await world.sms.receive("+15550109921", "hello")
            await world.reply("ana", "stop")
            await world.pass_time(minutes=16)
            rows = world.journal() + world.journal(0)
            written = json.dumps([[row.entry.body for row in rows], logs], default=str)
            world.phones.forget()
    assert SECTIONS["people"].count(numbers[0]) == 2
    assert [number for number in [*numbers, "5550109921"] if number in written] == []
