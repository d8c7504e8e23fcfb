"""Simulated phones: what they show, how they fail, what they remember."""

import json
from contextlib import asynccontextmanager

import pytest

from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind
from escalatord.errors import DeliveryError, StoreUnavailableError
from escalatord.notify import simulated
from escalatord.notify.channel import UNKNOWN, Receipt
from escalatord.notify.simulated import PERSON_MESSAGES_MAX, Failure, Switchboard
from tests.fakes.messages import PAGE, message, outside, spec
from tests.fakes.stepped_clock import SteppedClock


class House:
    """A switchboard, its clock, and the receipts that it brought."""

    def __init__(self, path=None):
        self.clock = SteppedClock()
        self.receipts = []
        self.away = 0
        self.path = path
        self.board = Switchboard(clock=self.clock, on_receipt=self.receive, path=path)

    async def receive(self, reference, status, reason, provider_id):
        """Take a receipt, unless the store is away for a while."""
        if self.away:
            self.away -= 1
            raise StoreUnavailableError
        self.receipts.append((reference, status, reason, provider_id))

    def channel(self, kind, *, receipts=True):
        """Return a simulated channel."""
        return simulated.build(spec(kind, "sim", receipts=receipts), outside(self.clock), self.board)

    async def settle_in(self, seconds):
        """Let time pass; return what became known: (status, reason)."""
        before = len(self.receipts)
        await self.clock.pass_time(seconds)
        return [(status, reason) for _, status, reason, _ in self.receipts[before:]]


@asynccontextmanager
async def house(path=None):
    """Open a house and close it."""
    it = House(path)
    try:
        yield it
    finally:
        await it.board.close()


@pytest.mark.asyncio
async def test_text_lies_on_the_phone_and_is_delivered():
    """A text is accepted at once, can be read at once, and its receipt comes a second later."""
    async with house() as it:
        receipt = await it.channel(ChannelKind.SMS).send(PAGE)
        assert (receipt.status, receipt.provider_id) == (Attempt.ACCEPTED, "SIM00000001")
        (lying,) = it.board.messages("ana")
        assert ("sms", PAGE.text, "INC-142", PAGE.link, "K7", "page", False) == (
            lying.channel, lying.text, lying.label, lying.link, lying.code, lying.kind, lying.ringing,
        )  # fmt: skip
        assert await it.settle_in(0.9) == []
        assert await it.settle_in(0.2) == [(Attempt.DELIVERED, "")]
        assert [(PAGE.reference, Attempt.DELIVERED, "", "SIM00000001")] == it.receipts
        assert it.board.messages("ana")[0].status is Attempt.DELIVERED
        assert it.board.persons() == ["ana"]


@pytest.mark.asyncio
async def test_channel_without_receipts_brings_none():
    """Chat says nothing after the hand-over."""
    async with house() as it:
        await it.channel(ChannelKind.CHAT, receipts=False).send(message(person=""))
        assert await it.settle_in(60) == []
        assert it.board.persons() == ["room"]


@pytest.mark.asyncio
async def test_call_rings_out_unheard():
    """A call rings for thirty seconds of the clock, then nobody was reached."""
    async with house() as it:
        await it.channel(ChannelKind.CALL).send(PAGE)
        assert await it.settle_in(29.9) == []
        (ringing,) = it.board.messages("ana")
        assert (True, " ".join(PAGE.speech)) == (ringing.ringing, ringing.text)
        assert await it.settle_in(0.2) == [(Attempt.FAILED_PERMANENT, "no_answer")]
        assert not it.board.messages("ana")[0].ringing


@pytest.mark.asyncio
async def test_call_with_a_key_is_reached_once():
    """A pressed key ends the ringing with one receipt; pressing again, or the end of the ring time, adds none."""
    async with house() as it:
        await it.channel(ChannelKind.CALL).send(PAGE)
        await it.clock.pass_time(10)
        await it.board.press(PAGE.reference)
        await it.board.press(PAGE.reference)
        await it.board.hang_up(PAGE.reference)
        await it.clock.pass_time(60)
        assert [(PAGE.reference, Attempt.DELIVERED, "", "SIM00000001")] == it.receipts
        await it.board.press("unknown")


@pytest.mark.asyncio
async def test_call_declined_is_not_reached():
    """Hanging up without a key is a failure at once."""
    async with house() as it:
        await it.channel(ChannelKind.CALL).send(PAGE)
        await it.board.hang_up(PAGE.reference)
        assert [(status, reason) for _, status, reason, _ in it.receipts] == [(Attempt.FAILED_PERMANENT, "no_key")]


@pytest.mark.parametrize(
    ("mode", "reason", "permanent"), [(Failure.REFUSE, "client_error", True), (Failure.ERROR, "server_error", False)]
)
@pytest.mark.asyncio
async def test_channel_refuses_as_told_and_is_mended(mode, reason, permanent):
    """A scripted failure holds for its channel until it is mended; nothing reaches the phone meanwhile."""
    async with house() as it:
        channel = it.channel(ChannelKind.SMS)
        it.board.fail("sms", mode)
        with pytest.raises(DeliveryError) as caught:
            await channel.send(PAGE)
        assert (reason, permanent) == (caught.value.reason, caught.value.permanent)
        assert it.board.messages("ana") == []
        assert await channel.lookup(PAGE) is UNKNOWN
        assert (await it.channel(ChannelKind.MAIL).send(message(reference="m"))).provider_id
        it.board.fail("sms", None)
        assert (await channel.send(PAGE)).provider_id


@pytest.mark.parametrize(
    ("mode", "seconds", "reason"),
    [(Failure.UNDELIVERED, 2, "undelivered"), (Failure.BUSY, 1, "busy"), (Failure.VOICEMAIL, 8, "no_key")],
)
@pytest.mark.asyncio
async def test_message_fails_later_as_told(mode, seconds, reason):
    """Some failures are known only after the hand-over, each at its time and with its reason."""
    async with house() as it:
        it.board.fail("", mode)
        assert (await it.channel(ChannelKind.CALL).send(PAGE)).status is Attempt.ACCEPTED
        assert await it.settle_in(seconds - 0.1) == []
        assert [(Attempt.FAILED_PERMANENT, reason)] == await it.settle_in(0.2)


@pytest.mark.asyncio
async def test_channel_hangs_as_told():
    """A hanging channel answers only when the sender has long given up."""
    async with house() as it:
        it.board.fail("sms", Failure.HANG)
        sending = it.board.take(spec(ChannelKind.SMS, "sim"), PAGE)
        sending.send(None)
        await it.clock.pass_time(3599)
        assert it.board.messages("ana") == []
        sending.close()


@pytest.mark.asyncio
async def test_receipt_is_brought_again_while_the_store_is_away():
    """A receipt that nobody could take is not lost."""
    async with house() as it:
        it.away = 3
        await it.channel(ChannelKind.SMS).send(PAGE)
        assert await it.settle_in(15) == []
        assert await it.settle_in(2) == [(Attempt.DELIVERED, "")]


@pytest.mark.asyncio
async def test_talk_is_kept_beside_the_messages():
    """What the human said and what we answered can be read in order."""
    async with house() as it:
        it.board.say("ana", "sms", "K7", mine=True)
        it.board.say("ana", "sms", "OK: you own K7", mine=False)
        assert [(each.text, each.mine) for each in it.board.replies("ana")] == [("K7", True), ("OK: you own K7", False)]
        assert it.board.revision == 2


@pytest.mark.asyncio
async def test_phone_keeps_only_the_latest_messages():
    """A phone's memory has an end; the newest stay."""
    async with house() as it:
        channel = it.channel(ChannelKind.MAIL, receipts=False)
        for number in range(PERSON_MESSAGES_MAX + 5):
            await channel.send(message(reference=str(number)))
        kept = it.board.messages("ana")
        assert (len(kept), kept[0].reference, kept[-1].reference) == (PERSON_MESSAGES_MAX, "5", "504")


@pytest.mark.asyncio
async def test_restarted_process_knows_what_was_sent(tmp_path):
    """After a kill the switchboard finds every message, its end, and the talk in its file."""
    path = tmp_path / "sim.jsonl"
    async with house(path) as it:
        await it.channel(ChannelKind.SMS).send(PAGE)
        await it.clock.pass_time(2)
        await it.channel(ChannelKind.SMS).send(message(reference="second"))
        it.board.say("ana", "sms", "K7\ud800", mine=True)
        async with house(path) as again:
            channel = again.channel(ChannelKind.SMS)
            known = await channel.lookup(PAGE)
            assert Receipt(status=Attempt.DELIVERED, provider_id="SIM00000001") == known
            second = await channel.lookup(message(reference="second"))
            assert Receipt(status=Attempt.ACCEPTED, provider_id="SIM00000002") == second
            assert await channel.lookup(message(reference="third")) is UNKNOWN
            assert it.board.messages("ana") == again.board.messages("ana")
            assert it.board.replies("ana") == again.board.replies("ana")
            assert (await channel.send(message(reference="third"))).provider_id == "SIM00000003"


@pytest.mark.asyncio
async def test_call_that_outlived_its_process_rang_out(tmp_path):
    """A call that rang when the process was killed can still be answered in its time, and is unheard after it."""
    path = tmp_path / "sim.jsonl"
    async with house(path) as it:
        await it.channel(ChannelKind.CALL).send(PAGE)
    async with house(path) as again:
        await again.clock.pass_time(29)
        assert again.board.find(PAGE.reference).ringing
        await again.clock.pass_time(1)
        assert not again.board.find(PAGE.reference).ringing
        found = await again.channel(ChannelKind.CALL).lookup(PAGE)
        assert (found.status, found.reason) == (Attempt.FAILED_PERMANENT, "no_answer")


@pytest.mark.asyncio
async def test_torn_or_foreign_lines_are_passed_over(tmp_path):
    """The half line of a killed process costs that line only, and the next one starts fresh."""
    path = tmp_path / "sim.jsonl"
    async with house(path) as it:
        await it.channel(ChannelKind.SMS).send(PAGE)
    whole = path.read_text()
    path.write_text(
        "[1]\n{}\n" + whole + '{"event":"settled","reference":"nobody","status":"delivered","reason":""}\n' + whole[:60]
    )
    async with house(path) as again:
        await again.channel(ChannelKind.SMS).send(message(reference="second"))
        assert [PAGE.reference, "second"] == [each.reference for each in again.board.messages("ana")]
    assert json.loads(path.read_text().splitlines()[-1])["reference"] == "second"


@pytest.mark.asyncio
async def test_file_does_not_grow_for_ever(tmp_path, monkeypatch):
    """A file at its limit starts again with the latest messages, which a restart still finds."""
    monkeypatch.setattr(simulated, "FILE_LINES_MAX", 10)
    path = tmp_path / "sim.jsonl"
    async with house(path) as it:
        for number in range(40):
            await it.channel(ChannelKind.MAIL, receipts=False).send(message(reference=str(number)))
        assert len(path.read_text().splitlines()) <= 10
    async with house(path) as again:
        assert again.board.find("39") is not None


@pytest.mark.asyncio
async def test_closing_leaves_no_task_behind():
    """Whatever still rings is cancelled when the switchboard closes, and closing twice is fine."""
    async with house() as it:
        channel = it.channel(ChannelKind.CALL)
        await channel.send(PAGE)
        await channel.close()
        assert it.board.messages("ana")[0].ringing, "one channel's end is not the switchboard's"
        await it.board.close()
        await it.clock.pass_time(60)
        assert it.receipts == []


@pytest.mark.asyncio
async def test_message_sent_twice_lies_there_twice_and_settles_once():
    """A copy can be seen and counted on the phone; its reference has one end."""
    async with house() as it:
        channel = it.channel(ChannelKind.SMS)
        await channel.send(PAGE)
        await channel.send(PAGE)
        assert len(it.board.messages("ana")) == 2
        assert await it.settle_in(5) == [(Attempt.DELIVERED, "")]


@pytest.mark.asyncio
async def test_switchboard_forgets_the_oldest_people_and_references(monkeypatch):
    """Its memory has an end in every direction."""
    monkeypatch.setattr(simulated, "PERSONS_MAX", 3)
    monkeypatch.setattr(simulated, "REFERENCES_MAX", 3)
    async with house() as it:
        for number in range(5):
            page = message(person=f"p{number}", reference=str(number))
            await it.channel(ChannelKind.MAIL, receipts=False).send(page)
        assert it.board.persons() == ["p2", "p3", "p4"]
        assert [it.board.find(str(number)) is None for number in range(5)] == [True, True, False, False, False]
