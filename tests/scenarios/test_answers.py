"""How humans answer, by every way there is, and what everybody else is told."""

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from escalatord.core.events import Ack, Resolve
from escalatord.core.incident import State, Via
from escalatord.respond.link import LinkState
from escalatord.sim.world import EXTERNAL_URL, LINK_KEY
from escalatord.web.app import build_app
from escalatord.web.parts import WebParts
from tests.fakes.company import night, one_tier

PAIR = """
    unmatched: {severity: error, policy: main}
    policies:
      main:
        tracks: {technical: {tiers: [{page: [person ana, person bo], within: 10m, plan: text}]}}
        last_resort: {page: [person boss], plan: text}
    """


@pytest.mark.asyncio
async def test_a_text_with_the_code_acks_and_the_story_ends_with_a_stand_down(tmp_path):
    """Ana acks by text: nobody else is ever paged, and when the alert resolves nothing more is asked of anybody."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull", host="db-1")
        await world.pass_time(seconds=87)
        world.expect_sms("ana", "Reply K7 to ack")
        told = await world.reply("ana", "k7 on my way")
        assert told is not None
        assert told.startswith("OK: you own K7")
        assert world.incident().acknowledged_by == "ana"
        assert world.journal(kind="noted")[0].entry.body["text"] == "on my way"
        assert (
            world.figure("escalatord_time_to_acknowledge_seconds_sum", policy="main", severity="error", tier="1") == 87
        )
        await world.pass_time(minutes=10)
        await world.resolve("DiskFull", host="db-1")
        world.expect_sms("ana", "STAND DOWN")
        assert world.incident().state is State.RESOLVED


@pytest.mark.asyncio
async def test_everybody_who_was_woken_is_stood_down_and_nobody_else(tmp_path):
    """An alert that recovers while the second tier is paged: Ana and Bo may sleep, Cy never hears of it."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=6)
        world.expect_sms("ana")
        world.expect_sms("bo")
        await world.resolve("DiskFull")
        world.expect_sms("ana", "STAND DOWN: K7", after=360)
        world.expect_sms("bo", "Good night", after=360)
        labels = {"policy": "main", "severity": "error", "outcome": "resolved_unacked"}
        assert world.figure("escalatord_incidents_closed_total", **labels) == 1
        await world.pass_time(hours=1)


@pytest.mark.parametrize("words", ["ok", "ACK", "1", "on it", "K 7.", "ack k7"])
@pytest.mark.asyncio
async def test_with_one_open_page_plain_words_ack(tmp_path, words):
    """Half asleep is understood: with exactly one open page a plain yes is enough."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        await world.reply("ana", words)
        assert world.incident().acknowledged_by == "ana"


@pytest.mark.asyncio
async def test_with_two_open_pages_a_plain_yes_asks_which(tmp_path):
    """An ambiguous answer acks nothing and is asked back; ALL acks both."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.fire("CpuBusy")
        world.expect_sms("ana", "K7")
        world.expect_sms("ana", "L9")
        told = await world.reply("ana", "ok")
        assert told is not None
        assert told.startswith("2 open pages: K7 ")
        assert [incident.state for incident in world.incidents()] == [State.OPEN, State.OPEN]
        await world.reply("ana", "all")
        assert {incident.acknowledged_by for incident in world.incidents()} == {"ana"}


@pytest.mark.asyncio
async def test_what_is_not_understood_acks_nothing(tmp_path):
    """Words that are no answer get the open codes back, and change nothing."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        told = await world.reply("ana", "who is this")
        assert told is not None
        assert "Nothing acked" in told
        assert world.incident().state is State.OPEN


@pytest.mark.asyncio
async def test_a_stranger_gets_no_answer_and_is_written_down_without_their_number(tmp_path):
    """A text from an unknown number changes nothing; the journal has its last two digits."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        assert await world.sms.receive("+15550109921", "K7") is None
        assert world.incident().state is State.OPEN
        assert [row.entry.body["who"] for row in world.journal(0, "stranger")] == ["…21"]


@pytest.mark.asyncio
async def test_an_ack_after_the_tier_moved_counts_and_the_next_one_may_sleep(tmp_path):
    """Ana answers a minute after Bo was paged: she owns it, is told that she was late, and Bo is off the hook."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=6)
        world.expect_sms("ana")
        world.expect_sms("bo")
        told = await world.reply("ana", "K7")
        assert told is not None
        assert "You now own K7" in told
        world.expect_sms("bo", "was acked by Ana")
        assert world.journal(kind="acknowledged")[0].entry.body["late"] is True
        assert world.figure("escalatord_acknowledgements_total", via="sms", result="late") == 1


@pytest.mark.asyncio
async def test_bo_has_it_go_back_to_sleep(tmp_path):
    """Two are paged and one acks: the other is told by text, and hears it again by text and on the link's page."""
    async with night(tmp_path, policies=PAIR) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        world.expect_sms("bo")
        await world.pass_time(seconds=44)
        await world.reply("bo", "K7")
        world.expect_sms("ana", "was acked by Bo at 03:11:58 (sms). You are off the hook", after=44)
        told = await world.reply("ana", "K7")
        assert told is not None
        assert "off the hook" in told
        page = await world.look("ana")
        assert (page.state, page.owner) == (LinkState.SOMEONE_ELSE, "Bo Lindgren")
        assert world.figure("escalatord_acknowledgements_total", via="sms", result="duplicate") == 1


@pytest.mark.asyncio
async def test_key_four_acks_and_a_second_call_says_who_has_it(tmp_path):
    """Pressing 4 acks; a phone that still rings elsewhere says who has it and to go back to sleep."""
    async with night(tmp_path, policies=PAIR.replace("plan: text}]}}", "plan: ring}]}}")) as world:
        await world.fire("DiskFull")
        world.expect_call("ana", "Press 4 if you have it")
        world.expect_call("bo")
        await world.pass_time(seconds=8)
        assert (await world.press("bo", "4")).startswith("Thank you.")
        assert world.incident().acknowledged_via is Via.CALL
        world.expect_sms("ana", "was acked by Bo")
        await world.pass_time(seconds=10)
        assert "Bo acknowledged this 10 seconds ago. Go back to sleep." in await world.press("ana", "4")


@pytest.mark.asyncio
async def test_key_eight_passes_on_at_once(tmp_path):
    """Pressing 8 is not an ack: the next tier is paged in the same second, for the reason passed on."""
    policies = one_tier("ring").replace("plan: ring}]", "plan: ring}, {page: [person bo], within: 5m, plan: text}]")
    async with night(tmp_path, policies=policies) as world:
        await world.fire("DiskFull")
        await world.pass_time(seconds=12)
        world.expect_call("ana")
        assert "passed on" in await world.press("ana", "8")
        world.expect_sms("bo", "Ana passed it on", after=12)
        assert world.journal(kind="tier_entered")[-1].entry.body["reason"] == "passed_on"
        assert not world.incident().first_acked_at


@pytest.mark.asyncio
async def test_a_late_pass_on_changes_nothing(tmp_path):
    """Passing on what has moved on already must not push it past the one who is paged now."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=5, seconds=30)
        world.expect_sms("ana")
        world.expect_sms("bo")
        await world.reply("ana", "K7N")
        assert world.incident().main.tier == 2


@pytest.mark.asyncio
async def test_a_link_by_text_acks_with_one_press_and_can_be_undone(tmp_path):
    """Looking changes nothing, the button acks, and undo pages the tier again without giving it more time."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        assert (await world.look("ana")).state is LinkState.NOT_ACKED
        assert world.incident().state is State.OPEN
        page = await world.follow("ana", "ack")
        assert page.state is LinkState.YOURS
        assert world.incident().acknowledged_via is Via.LINK
        await world.pass_time(seconds=20)
        await world.follow("ana", "undo")
        world.expect_sms("ana", after=20)
        assert world.incident().state is State.OPEN


@pytest.mark.asyncio
async def test_a_link_by_mail_needs_the_number_that_the_mail_shows(tmp_path):
    """A scanner that presses a wrong button acks nothing and burns the link; the human answers another way."""
    async with night(tmp_path, policies=one_tier("mail")) as world:
        await world.fire("DiskFull")
        mail = world.expect_mail("ana")
        page = await world.look("ana")
        assert mail.number in page.numbers[1:2]
        burned = await world.follow("ana", "ack", number=page.numbers[0])
        assert burned.state is LinkState.BURNED
        assert (await world.follow("ana", "ack", number=mail.number)).state is LinkState.BURNED
        assert world.incident().state is State.OPEN
        await world.fire("CpuBusy")
        second = world.expect_mail("ana")
        assert (await world.follow("ana", "ack", number=second.number)).state is LinkState.YOURS


@pytest.mark.asyncio
async def test_a_chat_button_acks_for_those_who_are_known(tmp_path):
    """A click of a linked account acks; one of an unknown account is told to link it and changes nothing."""
    async with night(tmp_path, policies=one_tier("chat")) as world:
        await world.fire("DiskFull")
        message = world.expect_chat("ana")
        stranger = await world.chat.click("U0NOBODY", "ack", f"{message.reference}|1")
        assert "Link your account" in stranger.text
        assert world.incident().state is State.OPEN
        await world.click("ana")
        assert world.incident().acknowledged_via is Via.CHAT


@pytest.mark.asyncio
async def test_the_web_acks_like_everybody_else(tmp_path):
    """The JSON API over real HTTP acks, says who has it now, and takes a resolve; a webhook comes in the same way."""
    async with night(tmp_path) as world:
        parts = WebParts(
            engine=world.engine,
            secret=LINK_KEY,
            external_url=EXTERNAL_URL,
            sms=world.sms,
            keypad=world.keypad,
            links=world.links,
            chat=world.chat,
        )
        async with TestClient(TestServer(build_app(parts))) as client:
            body = {"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "DiskFull"}}]}
            taken = await client.post("/in/alertmanager", json=body)
            assert taken.status == 202
            await world.settle()
            world.expect_sms("ana")
            done = await client.post("/api/v1/incidents/1/ack", json={"person": "cy"})
            assert done.status == 200, await done.text()
            await world.settle()
            world.expect_sms("ana", "was acked by Cy")
            assert world.incident().acknowledged_by == "cy"
            page = await client.get("/api/v1/incidents/1", headers={aiohttp.hdrs.ACCEPT: "application/json"})
            assert (await page.json())["state"] == "acknowledged"


@pytest.mark.asyncio
async def test_a_snooze_holds_and_pages_again(tmp_path):
    """A snooze by link holds the incident for an hour, and pages the same tier when it ends."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        await world.follow("ana", "snooze")
        await world.pass_time(minutes=59)
        world.expect_nothing()
        await world.pass_time(minutes=2)
        world.expect_sms("ana", after=3600)
        await world.reply("ana", "K7")


@pytest.mark.asyncio
async def test_an_ack_that_nobody_renews_runs_out(tmp_path):
    """After its hold the owner is asked; without an answer in ten minutes the tier is paged again and climbs on."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        await world.reply("ana", "K7")
        await world.pass_time(hours=1, minutes=16)
        world.expect_sms("ana", "still firing 1h after your ack. Reply K7 to keep it", after=3600)
        world.expect_sms("ana", "K7", after=4200, kind="page")
        world.expect_sms("bo", after=4500)
        assert world.incident().state is State.OPEN


@pytest.mark.asyncio
async def test_an_ack_that_is_renewed_holds_again(tmp_path):
    """Answering the question keeps it for another hold, without a page to anybody."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        await world.reply("ana", "K7")
        await world.pass_time(hours=1, minutes=3)
        world.expect_sms("ana", kind="ack_question", after=3600)
        await world.reply("ana", "K7")
        await world.pass_time(minutes=50)
        world.expect_nothing()
        await world.pass_time(minutes=15)
        world.expect_sms("ana", kind="ack_question", after=3780 + 3600)
        await world.reply("ana", "K7")


@pytest.mark.asyncio
async def test_undo_by_text_pages_the_tier_again(tmp_path):
    """K7U takes an ack back: Ana is paged again in that second."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(seconds=10)
        world.expect_sms("ana", after=0)
        await world.reply("ana", "K7")
        await world.pass_time(minutes=2)
        await world.reply("ana", "K7U")
        world.expect_sms("ana", after=130)
        await world.pass_time(minutes=6)
        world.expect_sms("bo")


@pytest.mark.asyncio
async def test_resolved_by_hand_and_still_firing_opens_again_and_says_so(tmp_path):
    """A human closes what still fires: it is left in peace for a quarter of an hour, then a new incident opens."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        await world.say(Ack(person="ana", via=Via.WEB))
        await world.say(Resolve(person="ana", via=Via.WEB))
        await world.pass_time(minutes=14)
        world.expect_nothing()
        await world.pass_time(minutes=2)
        world.expect_sms("ana", after=900)
        assert [incident.state for incident in world.incidents()] == [State.OPEN, State.RESOLVED]
