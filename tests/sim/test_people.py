"""Scripted people: what they are written as, and that they answer like real ones."""

import pytest

from escalatord.core.incident import State, Via
from escalatord.sim.people import Cast, Deed, Script, parse_people
from tests.fakes.company import night, one_tier

CALL_THEN_TEXT = "contact_plans: {text: [{by: sms}], rings: [{by: call}, {by: sms, after: 10m}], mail: [{by: mail}]}"


def test_scripts_are_read_as_they_are_said():
    """One person a part, in words that a reader of the rules would use."""
    told = parse_people("mia: no answer; bo: acks by call after 40s; cy: busy;ana:  Acks ; lea: passes on by chat;")
    assert told == {
        "mia": Script(deed=Deed.NOTHING),
        "bo": Script(deed=Deed.ACK, by="call", after_seconds=40),
        "cy": Script(deed=Deed.BUSY),
        "ana": Script(deed=Deed.ACK),
        "lea": Script(deed=Deed.PASS_ON, by="chat"),
    }
    assert parse_people("") == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mia", "says nothing of anybody"),
        ("mia: sings", "is nothing that people do here"),
        ("mia: acks by pigeon", "is nothing that people do here"),
        ("mia: acks after soon", "soon"),
        ("mia: acks; mia: busy", "named twice"),
    ],
)
def test_what_cannot_be_understood_is_said(text, why):
    """A script that means nothing is refused in a sentence."""
    with pytest.raises(ValueError, match=why):
        parse_people(text)


@pytest.mark.parametrize(
    ("plan", "script", "via"),
    [
        ("text", "ana: acks after 40s", Via.SMS),
        ("text", "ana: acks by link after 40s", Via.LINK),
        ("ring", "ana: acks by call after 40s", Via.CALL),
        ("chat", "ana: acks by chat after 40s", Via.CHAT),
        ("mail", "ana: acks by link after 40s", Via.LINK),
    ],
)
@pytest.mark.asyncio
async def test_people_ack_by_their_channel_at_their_time(tmp_path, plan, script, via):
    """Forty seconds after the page the incident is theirs, by the way that was said."""
    async with night(tmp_path, policies=one_tier(plan)) as world:
        cast = Cast(world, parse_people(script))
        await world.fire("DiskFull")
        await world.pass_time(seconds=39)
        assert world.incident().state is State.OPEN
        await world.pass_time(seconds=2)
        incident = world.incident()
        assert (incident.acknowledged_by, incident.acknowledged_via) == ("ana", via)
        assert (incident.acknowledged_at - world.began).total_seconds() == 40
        await world.pass_time(minutes=20)
        await cast.close()
        assert [message.kind for message in world.phones.sent if message.person == "ana"] == ["page"]
        world.phones.forget()


@pytest.mark.asyncio
async def test_a_night_of_the_company_runs_by_itself(tmp_path):
    """Ana does not answer, Bo passes on, Cy acks: three tiers, one owner, at the seconds that follow from it."""
    async with night(tmp_path) as world:
        cast = Cast(world, parse_people("ana: no answer; bo: passes on after 30s; cy: acks by sms after 10s"))
        await world.fire("DiskFull")
        await world.pass_time(minutes=20)
        world.expect_sms("ana", after=0)
        world.expect_sms("bo", after=300)
        world.expect_sms("cy", after=330)
        world.expect_sms("ana", "was acked by Cy", after=340)
        world.expect_sms("bo", "was acked by Cy", after=340)
        assert world.incident().acknowledged_by == "cy"
        await cast.close()


@pytest.mark.parametrize(("script", "after"), [("ana: busy", 1), ("ana: voicemail", 8)])
@pytest.mark.asyncio
async def test_a_busy_line_and_a_mailbox_reach_nobody(tmp_path, script, after):
    """The call fails as the provider would say it, and the next step follows then."""
    async with night(tmp_path, policies=one_tier("rings"), plans=CALL_THEN_TEXT) as world:
        cast = Cast(world, parse_people(script))
        await world.fire("DiskFull")
        await world.pass_time(seconds=20)
        world.expect_call("ana", after=0)
        world.expect_sms("ana", after=after)
        await cast.close()
