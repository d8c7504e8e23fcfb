"""Storms: one incident instead of two thousand, and one message a minute to each person (R12)."""

import pytest

from escalatord.core.events import Ack
from escalatord.core.incident import NoticeKind, State, Via
from escalatord.notify.simulated import Failure
from escalatord.sim.bodies import Condition, body
from escalatord.sim.world import NIGHT, World
from escalatord.web.incidents_json import detail
from escalatord.web.reading import told
from tests.fakes.company import company

POLICIES = """
    unmatched: {severity: warning, policy: main}
    policies:
      main:
        tracks: {technical: {tiers: [{page: [person ana], within: 2h, plan: text}]}}
        last_resort: {page: [person boss], plan: text}
      network:
        tracks: {technical: {tiers: [{page: [person bo], within: 2h, plan: text}]}}
        last_resort: {page: [person boss], plan: text}
      private:
        tracks: {technical: {tiers: [{page: [person cy], within: 2h, plan: text}]}}
        last_resort: {page: [person boss], plan: text}
        never: [bundle]
    services:
      db-main: {policy: network}
      checkout: {policy: main, depends_on: [db-main]}
      search: {policy: main, depends_on: [db-main]}
      vault: {policy: private}
    """
GROUPS = "groups: {storm: {by: [cluster], window: 60s, over: 10}}\n"
RULES = """
    thresholds:
      - {name: host-down, match: alertname="HostDown", severity: {error: {}}, group_by: [fingerprint]}
    exceptions:
      - {name: breach, match: alertname="Breach", severity: critical, policy: main, why: leaks}
    """
NO_LIMITS = "limits: {per_person: {sms: []}}\n"
BY_THE_MINUTE = "limits: {per_person: {sms: [1/1m]}}\n"


def night(folder, **sections):
    """Return the company's world, told briskly; one page for each incident unless a test limits it."""
    given = {"policies": POLICIES, "groups": GROUPS, "rules": RULES, "limits": NO_LIMITS, **sections}
    return World(company(folder, **given), folder, NIGHT, brisk=True)


async def hosts(world, first, last, **labels):
    """Let hosts fail, one at a time."""
    for number in range(first, last + 1):
        await world.fire("HostDown", host=f"h{number}", **{"cluster": "eu", **labels})


async def at_once(world, count, name="HostDown", **labels):
    """Let many hosts fail in one body; return the conditions."""
    failed = [Condition(labels={"alertname": name, "host": f"h{n}", **labels}) for n in range(count)]
    starts = {each.fingerprint: world.clock.now() for each in failed}
    await world.post("alertmanager", body(failed, "firing", starts, world.clock.now(), "hosts"))
    return failed


def every(world):
    """Return all incidents."""
    return world.store.read(lambda tx: tx.list_incidents(limit=10_000))


def texts(world, person, kind=""):
    """Return the texts that a person got: (seconds, kind)."""
    return [
        (round(world.phones.age_of(m), 3), str(m.kind))
        for m in world.phones.sent
        if m.person == person and m.channel == "sms" and kind in ("", m.kind)
    ]


@pytest.mark.asyncio
async def test_a_storm_is_one_incident_after_the_first_ten(tmp_path):
    """Ten pages, then one bundle that says why it is one, and holds all that follows."""
    async with night(tmp_path) as world:
        await hosts(world, 1, 10)
        for _ in range(10):
            world.expect_sms("ana", "ERR")
        await hosts(world, 11, 11, service="checkout")
        page = world.expect_sms("ana", "Storm in cluster eu, over 10 new incidents in 1m")
        assert page.text.startswith("ERR Storm in cluster eu")
        assert f"Reply {page.code} to ack all, {page.code}L to list" in page.text
        await hosts(world, 12, 22, service="search", rack="r1")
        world.expect_nothing()
        assert len(every(world)) == 11
        bundle = world.incident(11)
        assert (bundle.alerts, bundle.severity, bundle.state) == (12, "error", State.OPEN)
        assert bundle.title == "12 new alerts in 1m, likely cause rack=r1 (2 services)"
        assert bundle.bundle.why == "11 of 12 alerts have rack=r1"
        listed = await world.reply("ana", f"{page.code}L")
        assert listed == f"{page.code} cluster eu: 12 alerts, 2 services: search 11, checkout 1"
        assert "OK: you own" in await world.reply("ana", page.code)
        await hosts(world, 23, 23)
        world.expect_sms("ana", "A new alert joined")


@pytest.mark.asyncio
async def test_the_likely_cause_is_what_its_services_depend_on(tmp_path):
    """The database is in trouble itself: the bundle names it, and says by which incident."""
    async with night(tmp_path) as world:
        await world.fire("HostDown", service="db-main")
        world.expect_sms("bo")
        await hosts(world, 1, 10)
        await hosts(world, 11, 13, service="checkout")
        world.phones.forget()
        bundle = world.incident(12)
        assert bundle.bundle.cause == "db-main"
        assert bundle.bundle.why == "checkout depends on db-main, where INC-1 is open"
        assert bundle.title == "3 new alerts in 1m, likely cause db-main (1 service)"


@pytest.mark.asyncio
async def test_each_policy_has_a_bundle_and_what_may_not_be_bundled_has_none(tmp_path):
    """The right people hear: one bundle for Ana, one for Bo; the vault's and exceptions come one by one."""
    async with night(tmp_path) as world:
        await hosts(world, 1, 12)
        await hosts(world, 13, 14, service="db-main")
        await hosts(world, 15, 16, service="vault")
        await world.fire("Breach", host="x", cluster="eu", group="x")
        await world.fire("Breach", host="y", cluster="eu", group="y")
        bundles = {each.policy: each.alerts for each in every(world) if each.bundle is not None}
        assert bundles == {"main": 2, "network": 2}
        assert sum(each.policy == "private" for each in every(world)) == 2
        assert sum(each.rule == "breach" for each in every(world)) == 2
        world.phones.forget()


@pytest.mark.asyncio
async def test_other_values_and_no_values_are_no_storm(tmp_path):
    """Eleven in two clusters, and forty without any: each by itself."""
    async with night(tmp_path) as world:
        await hosts(world, 1, 6, cluster="eu")
        await hosts(world, 7, 11, cluster="us")
        await hosts(world, 20, 59, cluster="")
        assert len(every(world)) == 51
        world.phones.forget()


@pytest.mark.asyncio
async def test_the_storm_is_over_when_few_come_and_a_restart_forgets_nothing(tmp_path):
    """The count is found again after a restart; a minute later one alert is an incident of its own."""
    async with night(tmp_path) as world:
        await hosts(world, 1, 10)
        await world.restart(down_seconds=5)
        await hosts(world, 11, 11)
        assert world.incident(11).bundle is not None
        await world.restart(down_seconds=40)
        await hosts(world, 12, 12)
        assert world.incident(11).alerts == 2
        await world.pass_time(seconds=61)
        await hosts(world, 13, 13)
        assert world.incident(12).bundle is None
        world.phones.forget()


@pytest.mark.asyncio
async def test_a_bundle_ends_with_its_last_alert(tmp_path):
    """A bundle is an incident: it recovers when all of it has."""
    async with night(tmp_path) as world:
        await hosts(world, 1, 13)
        await world.pass_time(seconds=1)
        for number in (11, 12):
            await world.resolve("HostDown", host=f"h{number}", cluster="eu")
        assert world.incident(11).state is State.OPEN
        await world.resolve("HostDown", host="h13", cluster="eu")
        assert world.incident(11).state is State.RESOLVED
        world.phones.forget()


@pytest.mark.asyncio
async def test_two_thousand_incidents_of_one_person_are_a_text_a_minute(tmp_path):
    """The first at once, all others in one message a minute later, by one code for all of them."""
    async with night(tmp_path, groups="", limits=BY_THE_MINUTE) as world:
        await hosts(world, 1, 1)
        world.expect_sms("ana", "ERR")
        await at_once(world, 2000, cluster="us")
        await world.pass_time(seconds=59.9)
        world.expect_nothing()
        await world.pass_time(seconds=0.2)
        digest = world.expect_sms("ana", "ERR 2000 incidents page you. Worst:", after=60, kind="digest")
        assert f"Reply {digest.code} to ack all, {digest.code}L to list" in digest.text
        assert len(digest.text) <= 160
        written = world.journal(2, kind="told_together")
        assert [row.entry.body["message"] for row in written] == [digest.reference]
        await world.pass_time(seconds=2)
        assert {row.state for row in world.store.read(lambda tx: tx.outbox_of(77))} == {"delivered"}
        assert world.incident(77).first_paged_at is not None
        assert await world.reply("ana", digest.code) == f"{digest.code}: 2000 yours (03:12:16)."
        assert {each.acknowledged_by for each in every(world) if each.number != 1} == {"ana"}
        assert world.figure("escalatord_pages_limited_total", channel="sms", how="bundled") == 2000
        # nobody else was paged, and nothing is left behind
        assert world.store.read(lambda tx: tx.outbox_lanes()) == []


@pytest.mark.asyncio
async def test_a_storm_with_criticals_in_it(tmp_path):
    """Thousands of warnings and five criticals in a minute: those within ten seconds, all else a text a minute."""
    critical = """
        thresholds:
          - {name: core, match: alertname="CoreDown", severity: {critical: {}}, group_by: [fingerprint]}
          - {name: host-down, match: alertname="HostDown", severity: {warning: {}}, group_by: [fingerprint]}
        """
    async with night(tmp_path, groups="", limits=BY_THE_MINUTE, rules=critical) as world:
        for second in range(60):
            await at_once(world, 30, second=str(second))
            if second % 12 == 7:
                await world.fire("CoreDown", core=str(second))
            await world.pass_time(seconds=1)
        await world.pass_time(minutes=5)
        rows = [row for each in every(world) for row in world.store.read(lambda tx, n=each.number: tx.outbox_of(n))]
        begun = {each.number: each.opened_at for each in every(world)}
        waits = {
            row.incident: (row.sent_at - begun[row.incident]).total_seconds() for row in rows if row.kind == "page"
        }
        assert len(waits) == len(begun) == 1805
        assert max(waits.values()) <= 60.1
        criticals = [each.number for each in every(world) if each.severity == "critical"]
        assert max(waits[number] for number in criticals) <= 10
        # a critical takes along all that waits: five texts for five criticals, and no more than one a minute besides
        assert len(texts(world, "ana")) <= 1 + len(criticals) + 2
        world.phones.forget()


@pytest.mark.asyncio
async def test_ten_thousand_warnings_in_a_minute(tmp_path):
    """A text a minute, everything told within the minute, five criticals in ten seconds (R12, I8)."""
    critical = """
        thresholds:
          - {name: core, match: alertname="CoreDown", severity: {critical: {}}, group_by: [fingerprint]}
          - {name: host-down, match: alertname="HostDown", severity: {warning: {}}, group_by: [fingerprint]}
        """
    async with night(tmp_path, groups=GROUPS, limits=BY_THE_MINUTE, rules=critical) as world:
        for second in range(20):
            await at_once(world, 500, second=str(second), cluster="eu")
            if second % 4 == 1:
                await world.fire("CoreDown", core=str(second))
            await world.pass_time(seconds=3)
        await world.pass_time(minutes=3)
        incidents = every(world)
        assert sum(each.alerts for each in incidents) == 10_005
        assert len(incidents) == 10 + 1 + 5
        paged = [m for m in world.phones.sent if m.person == "ana"]
        assert len(paged) <= 1 + 5 + 4
        for each in incidents:
            assert each.first_paged_at is not None
            waited = (each.first_paged_at - each.opened_at).total_seconds()
            assert waited <= (11 if each.severity == "critical" else 61)
        world.phones.forget()


@pytest.mark.asyncio
async def test_the_second_page_waits_for_the_minute_and_comes_alone(tmp_path):
    """One more within the minute: it comes when the minute is over, as the page it is."""
    async with night(tmp_path, groups="", limits=BY_THE_MINUTE) as world:
        await hosts(world, 1, 1)
        world.expect_sms("ana", "ERR", after=0)
        await world.pass_time(seconds=20)
        await hosts(world, 2, 2)
        waiting = world.store.read(lambda tx: tx.outbox_of(2))
        assert [(row.result, (row.due_at - world.began).total_seconds()) for row in waiting] == [("limited", 60.0)]
        await world.restart(down_seconds=10)
        await world.pass_time(seconds=29)
        world.expect_nothing()
        await world.pass_time(seconds=1)
        page = world.expect_sms("ana", "ERR", after=60)
        assert page.kind == NoticeKind.PAGE


@pytest.mark.asyncio
async def test_exceptions_and_what_is_critical_do_not_wait(tmp_path):
    """The minute is used up: an exception comes at once, a critical within seconds, and takes along what waits."""
    rules = """
        thresholds:
          - {name: core, match: alertname="CoreDown", severity: {critical: {}}, group_by: [fingerprint]}
        exceptions:
          - {name: breach, match: alertname="Breach", severity: critical, policy: main, why: leaks}
        """
    async with night(tmp_path, groups="", limits=BY_THE_MINUTE, rules=rules) as world:
        await hosts(world, 1, 1)
        await hosts(world, 2, 2, group="two")
        world.expect_sms("ana", "ERR", after=0)
        await world.pass_time(seconds=2)
        await world.fire("Breach")
        world.expect_sms("ana", "CRIT", after=2)
        await world.fire("CoreDown")
        await world.pass_time(seconds=5)
        digest = world.expect_sms("ana", "CRIT 2 incidents page you. Worst: ", after=7)
        assert "CoreDown" in digest.text
        await world.pass_time(minutes=2)


@pytest.mark.asyncio
async def test_call_offs_go_together_and_reminders_are_left_out(tmp_path):
    """Past the limit nobody is reminded of what they know, and forty ends are one text."""
    reminding = POLICIES.replace("within: 2h, plan: text}]}}", "within: 2h, remind: [30s], plan: text}]}}", 1)
    async with night(tmp_path, policies=reminding, groups="", limits=BY_THE_MINUTE) as world:
        await hosts(world, 1, 1)
        world.expect_sms("ana", "ERR")
        await world.pass_time(seconds=31)
        world.expect_nothing()
        (row,) = world.journal(kind="limited")
        assert row.entry.body["notice"] == "remind"
        await at_once(world, 40, cluster="us")
        await world.pass_time(seconds=30)
        world.expect_sms("ana", "40 incidents page you", after=60)
        ended = [Condition(labels={"alertname": "HostDown", "host": f"h{n}", "cluster": "us"}) for n in range(40)]
        starts = {each.fingerprint: world.clock.now() for each in ended}
        await world.pass_time(seconds=1)
        await world.post("alertmanager", body(ended, "resolved", starts, world.clock.now(), "hosts"))
        await world.pass_time(seconds=60)
        off = world.expect_sms("ana", "STAND DOWN: 40 incidents are over", after=120)
        assert "Good night" in off.text


@pytest.mark.asyncio
async def test_a_digest_that_fails_goes_on_by_the_next_channel_of_each_plan(tmp_path):
    """The texts cannot be delivered: what was told together is told together by the next way."""
    plan = POLICIES.replace("plan: text", "plan: safe")
    async with night(
        tmp_path, policies=plan, groups="", limits=BY_THE_MINUTE.replace("[1/1m]", "[1/1m], call: [1/1m]")
    ) as world:
        await hosts(world, 1, 1)
        world.expect_sms("ana", "ERR")
        await at_once(world, 5, cluster="us")
        world.phones.fail("sms", Failure.REFUSE)
        world.phones.fail("sms_backup", Failure.REFUSE)
        await world.pass_time(seconds=62)
        call = world.expect_call("ana", "5 incidents page you")
        assert call.ringing
        said = await world.press("ana", "4")
        assert "is yours" in said
        assert {each.acknowledged_by for each in every(world) if each.number > 1} == {"ana"}


@pytest.mark.asyncio
async def test_what_recovers_before_its_digest_is_never_told(tmp_path):
    """Half of what waits is over when the minute is: it is in no message, and nobody is stood down from it."""
    async with night(tmp_path, groups="", limits=BY_THE_MINUTE) as world:
        await hosts(world, 1, 1)
        world.expect_sms("ana", "ERR")
        await at_once(world, 4, cluster="us")
        await world.pass_time(seconds=1)
        ended = [Condition(labels={"alertname": "HostDown", "host": f"h{n}", "cluster": "us"}) for n in range(2)]
        starts = {each.fingerprint: world.clock.now() for each in ended}
        await world.post("alertmanager", body(ended, "resolved", starts, world.clock.now(), "hosts"))
        await world.pass_time(seconds=59)
        world.expect_sms("ana", "ERR 2 incidents page you")


@pytest.mark.asyncio
async def test_past_the_cap_of_a_day_only_what_is_critical_costs_money(tmp_path):
    """Ten texts are paid for: the eleventh goes by mail, a critical still by text, and the operator is told once."""
    channels = """
        channels:
          sms: {provider: sim, cost: 0.10 EUR}
          mail: {provider: sim}
          chat: {provider: sim}
          sms_backup: {provider: sim, cost: 0.10 EUR}
          call: {provider: sim, cost: 0.30 EUR}
        """
    rules = """
        thresholds:
          - {name: core, match: alertname="CoreDown", severity: {critical: {}}}
          - {name: host-down, match: alertname="HostDown", severity: {error: {}}, group_by: [fingerprint]}
        """
    limits = "limits: {per_person: {sms: []}, spend: {per_day: 1 EUR, past: only_critical}}\n"
    async with night(tmp_path, channels=channels, rules=rules, groups="", limits=limits) as world:
        await hosts(world, 1, 10)
        assert len(texts(world, "ana")) == 10
        await hosts(world, 11, 12)
        await world.pass_time(seconds=1)
        assert len(texts(world, "ana")) == 10
        own = [each for each in every(world) if each.source == "escalatord"]
        assert [each.title for each in own] == ["The cap of 1 EUR a day for messages is reached"]
        mails = [m for m in world.phones.sent if m.channel == "mail" and m.person == "ana"]
        assert len(mails) == 3
        assert world.figure("escalatord_pages_limited_total", channel="sms", how="moved") == 3
        await world.fire("CoreDown")
        assert len(texts(world, "ana")) == 11
        await world.reply("ana", "ALL")
        await world.pass_time(hours=23)
        before = len(texts(world, "ana"))
        await hosts(world, 13, 13)
        assert len(texts(world, "ana")) == before + 1
        world.phones.forget()


@pytest.mark.asyncio
@pytest.mark.parametrize("taken", [True, False], ids=["the provider had it", "the provider never got it"])
async def test_a_kill_in_the_middle_of_a_digest(tmp_path, taken):
    """Killed while it was being sent: its provider is asked, it is sent again only when unknown there, and all told."""
    async with night(tmp_path, groups="", limits=BY_THE_MINUTE) as world:
        await hosts(world, 1, 1)
        world.expect_sms("ana", "ERR")
        await at_once(world, 7, cluster="us")
        await world.pass_time(seconds=59)
        world.phones.fail("sms", Failure.NO_RECEIPT if taken else Failure.HANG)
        await world.pass_time(seconds=1.5)
        await world.restart(down_seconds=5)
        world.phones.fail("sms", None)
        await world.pass_time(minutes=2)
        digests = [m for m in world.phones.sent if m.kind == NoticeKind.DIGEST and m.person == "ana"]
        assert len(digests) == 1
        for number in range(2, 9):
            row = world.store.read(lambda tx, n=number: tx.outbox_get(f"i{n}-1-0"))
            assert row.state in ("accepted", "delivered")
        assert "7 yours" in await world.reply("ana", digests[0].code)
        world.phones.forget()


@pytest.mark.asyncio
async def test_a_digest_that_nobody_needs_any_more_is_not_tried_again(tmp_path):
    """It failed for now; meanwhile somebody acked all of it on the board: it is taken back, and so is all in it."""
    async with night(tmp_path, groups="", limits=BY_THE_MINUTE) as world:
        await hosts(world, 1, 1)
        world.expect_sms("ana", "ERR")
        await at_once(world, 3, cluster="us")
        world.phones.fail("sms", Failure.ERROR)
        await world.pass_time(seconds=60.5)
        for number in (2, 3, 4):
            await world.say(Ack(person="bo", via=Via.WEB), number)
        world.phones.fail("sms", None)
        await world.pass_time(minutes=3)
        assert [m for m in world.phones.sent if m.kind == NoticeKind.DIGEST] == []
        rows = [row for n in (2, 3, 4) for row in world.store.read(lambda tx, n=n: tx.outbox_of(n))]
        assert {row.state for row in rows if row.kind in ("page", "digest")} == {"withdrawn"}
        world.phones.forget()


@pytest.mark.asyncio
async def test_half_of_a_digest_acked_meanwhile_falls_out_of_it(tmp_path):
    """It failed for now; one of two was acked: the next try tells of the other, by the same code."""
    async with night(tmp_path, groups="", limits=BY_THE_MINUTE) as world:
        await hosts(world, 1, 1)
        world.expect_sms("ana", "ERR")
        await at_once(world, 2, cluster="us")
        world.phones.fail("sms", Failure.ERROR)
        await world.pass_time(seconds=60.5)
        await world.say(Ack(person="bo", via=Via.WEB), 2)
        world.phones.fail("sms", None)
        await world.pass_time(minutes=1)
        digest = world.expect_sms("ana", "1 incident pages you", kind="digest")
        assert "1 yours, 1 held by others" in await world.reply("ana", digest.code)
        world.phones.forget()


@pytest.mark.asyncio
async def test_explain_says_how_much_of_each_limit_is_used(tmp_path):
    """The budget of whoever is being paged, and what waits and until when."""
    async with night(tmp_path, groups="", limits=BY_THE_MINUTE.replace("[1/1m]", "[1/1m, 5/15m]")) as world:
        await hosts(world, 1, 2)
        view, story = await told(world.engine, 2)
        seen = detail(view, story)
        assert seen["explanation"]["budgets"][0] == "ana: sms 1 of 1 in 1m, 1 of 5 in 15m"
        assert [m["say"] for m in seen["messages"]] == [
            "sms to Ana Ruiz: waiting (over a limit: goes out with others at 01:12:14 UTC)"
        ]
        await world.pass_time(minutes=2)
        world.phones.forget()


@pytest.mark.asyncio
async def test_without_limits_written_a_storm_is_still_readable(tmp_path):
    """The dam: at most ten texts in the first minute, then one a minute, and everything told within a minute."""
    async with night(tmp_path, groups="", limits="") as world:
        for second in range(60):
            await at_once(world, 20, second=str(second))
            await world.pass_time(seconds=1)
        await world.pass_time(minutes=2)
        at = [seconds for seconds, _kind in texts(world, "ana")]
        assert sum(seconds < 1 for seconds in at) <= 10
        assert len([seconds for seconds in at if seconds >= 1]) <= 3
        for each in every(world):
            assert (each.first_paged_at - each.opened_at).total_seconds() <= 60.1
        world.phones.forget()
