"""Reaching somebody: channels that fail, hang, lie or say nothing, and what is tried next."""

import pytest

from escalatord.core.incident import TrackState
from escalatord.errors import DeliveryReason
from escalatord.notify.simulated import Failure
from tests.fakes.company import night, one_tier

BOTH = """
    contact_plans:
      text: [{by: sms}]
      both: [{by: sms, if_failed: [call]}, {by: chat}]
      calls: [{by: call}, {by: sms, after: 10m}]
    """


@pytest.mark.asyncio
async def test_no_ack_goes_from_chat_to_text_to_call(tmp_path):
    """A plan's steps follow one another while nobody acks, each at its own time."""
    async with night(tmp_path, policies=one_tier("usual")) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=3)
        world.expect_chat("ana", "Ana is being paged", after=0)
        world.expect_sms("ana", "Reply K7 to ack", after=60)
        world.expect_call("ana", "Press 4 if you have it", after=180)


@pytest.mark.asyncio
async def test_an_ack_stops_the_steps_that_have_not_gone_out(tmp_path):
    """After an ack by chat the text and the call of the same plan never leave."""
    async with night(tmp_path, policies=one_tier("usual")) as world:
        await world.fire("DiskFull")
        await world.pass_time(seconds=20)
        world.expect_chat("ana")
        await world.click("ana")
        await world.pass_time(minutes=10)


@pytest.mark.asyncio
async def test_a_refused_text_takes_the_backup_at_once_and_then_the_call(tmp_path):
    """Each provider that refuses costs no time: the next way of the same step starts in the same second."""
    async with night(tmp_path, policies=one_tier("safe")) as world:
        world.phones.fail("sms", Failure.REFUSE)
        world.phones.fail("sms_backup", Failure.REFUSE)
        await world.fire("DiskFull")
        world.expect_call("ana", after=0)
        await world.press("ana", "4")
        failed = [row.entry.body["channel"] for row in world.journal(kind="delivery") if row.entry.body["why"]]
        assert failed == ["sms", "sms_backup"]


@pytest.mark.asyncio
async def test_an_undelivered_text_takes_the_next_way_when_that_is_known(tmp_path):
    """The provider takes the text and says two seconds later that it did not arrive: the backup goes out then."""
    async with night(tmp_path, policies=one_tier("safe")) as world:
        world.phones.fail("sms", Failure.UNDELIVERED)
        await world.fire("DiskFull")
        await world.pass_time(seconds=5)
        assert world.expect_sms("ana", after=0).reason == DeliveryReason.UNDELIVERED
        assert world.expect_sms("ana", after=2).name == "sms_backup"


@pytest.mark.asyncio
async def test_accepted_is_not_delivered(tmp_path):
    """A text without any receipt counts as not delivered after `failed_after`."""
    async with night(tmp_path, policies=one_tier("safe")) as world:
        world.phones.fail("sms", Failure.NO_RECEIPT)
        await world.fire("DiskFull")
        await world.pass_time(seconds=70)
        assert world.expect_sms("ana", after=0).name == "sms"
        assert world.expect_sms("ana", after=60).name == "sms_backup"


@pytest.mark.asyncio
async def test_a_provider_in_trouble_is_tried_again_a_few_times_and_meanwhile_the_next_way_is_used(tmp_path):
    """A temporary failure starts the fallback at once; the page is not lost when the provider comes back."""
    async with night(tmp_path, policies=one_tier("safe")) as world:
        world.phones.fail("sms", Failure.ERROR)
        await world.fire("DiskFull")
        assert world.expect_sms("ana", after=0).name == "sms_backup"
        world.phones.fail("sms", None)
        await world.pass_time(seconds=2)
        assert world.expect_sms("ana", after=1).name == "sms"


@pytest.mark.asyncio
async def test_each_further_try_comes_at_its_own_second(tmp_path):
    """Tries follow after one, three and nine seconds, and none waits for the next look around."""
    async with night(tmp_path, policies=one_tier("text")) as world:
        world.phones.fail("sms", Failure.ERROR)
        await world.fire("DiskFull")

        def tries():
            (row,) = [row for row in world.store.read(lambda tx: tx.outbox_of(1)) if row.person == "ana"]
            return row.claims

        told = []
        for _ in range(14):
            told.append(tries())
            await world.pass_time(seconds=1)
        assert told == [1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4]
        world.phones.forget()


@pytest.mark.asyncio
async def test_a_hung_channel_delays_no_other_and_is_given_up_after_its_time(tmp_path):
    """Texts hang: the chat message leaves in the same second, and the call replaces the text ten seconds later."""
    async with night(tmp_path, policies=one_tier("both"), plans=BOTH) as world:
        world.phones.fail("sms", Failure.HANG)
        await world.fire("DiskFull")
        world.expect_chat("ana", after=0)
        await world.pass_time(seconds=9)
        world.expect_nothing()
        await world.pass_time(seconds=5)
        world.expect_call("ana", after=10)
        await world.press("ana", "4")


@pytest.mark.asyncio
async def test_nobody_is_reached_by_anything_so_the_next_tier_starts_now(tmp_path):
    """When every way to everybody of a tier has failed, its window is not waited out."""
    async with night(tmp_path, plans=BOTH.replace("text: [{by: sms}]", "text: [{by: sms}, {by: chat}]")) as world:
        world.phones.fail("sms", Failure.REFUSE)
        world.phones.fail("chat", Failure.REFUSE)
        await world.fire("DiskFull")
        await world.pass_time(seconds=1)
        reasons = [row.entry.body["reason"] for row in world.journal(kind="tier_entered")]
        assert reasons == ["opened", "not_reached", "not_reached"]
        assert world.incident().main.state is TrackState.LAST_RESORT
        world.phones.fail("sms", None)
        await world.pass_time(minutes=2)
        world.expect_sms("boss", "last resort", after=60)


@pytest.mark.parametrize("mode", [Failure.VOICEMAIL, Failure.BUSY], ids=["a mailbox answers", "the line is busy"])
@pytest.mark.asyncio
async def test_a_call_without_a_key_never_counts(tmp_path, mode):
    """A mailbox or a busy line is not a person: the next step is pulled forward to that second."""
    async with night(tmp_path, policies=one_tier("calls"), plans=BOTH) as world:
        world.phones.fail("call", mode)
        await world.fire("DiskFull")
        await world.pass_time(seconds=10)
        world.expect_call("ana", after=0)
        world.expect_sms("ana", after=8 if mode is Failure.VOICEMAIL else 1)
        assert not world.incident().first_acked_at


@pytest.mark.asyncio
async def test_a_call_that_is_hung_up_pulls_the_next_step_forward(tmp_path):
    """Declining a call is an answer to nothing: the text that was planned for later goes out now."""
    async with night(tmp_path, policies=one_tier("calls"), plans=BOTH) as world:
        await world.fire("DiskFull")
        await world.pass_time(seconds=4)
        world.expect_call("ana", after=0)
        await world.hang_up("ana")
        world.expect_sms("ana", after=4)


@pytest.mark.asyncio
async def test_stop_starts_the_next_method_at_once(tmp_path):
    """STOP means that this phone gets no more texts: the call starts in that second, and later pages skip the text."""
    plans = BOTH.replace("both: [{by: sms, if_failed: [call]}, {by: chat}]", "both: [{by: sms, if_failed: [call]}]")
    async with night(tmp_path, policies=one_tier("both"), plans=plans) as world:
        await world.fire("DiskFull")
        await world.pass_time(seconds=30)
        world.expect_sms("ana", after=0)
        assert await world.reply("ana", "STOP") is None
        world.expect_call("ana", after=30)
        await world.press("ana", "4")
        await world.fire("CpuBusy")
        world.expect_call("ana", after=30)
        await world.press("ana", "4")
        assert await world.reply("ana", "start") is None
        await world.fire("NetDown")
        world.expect_sms("ana", after=30)
        assert [row.entry.kind for row in world.journal(0)] == ["unreachable", "reachable"]
