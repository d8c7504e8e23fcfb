"""The world itself: it must fail where a story and its telling differ."""

import pytest

from tests.fakes.company import night, one_tier


@pytest.mark.asyncio
async def test_a_message_that_nobody_expected_fails_the_story(tmp_path):
    """Leaving a world with an unexpected page raises and shows it."""
    with pytest.raises(AssertionError, match=r"nobody expected:\n +0\.000 s +sms +ana"):
        async with night(tmp_path) as world:
            await world.fire("DiskFull")


@pytest.mark.asyncio
async def test_a_message_that_was_not_sent_fails_the_story(tmp_path):
    """Expecting the wrong person, word or second raises; an expected message is used up."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        for wrong in ({"contains": "Reply Z9"}, {"after": 1}, {"kind": "remind"}):
            with pytest.raises(AssertionError, match="no sms to ana"):
                world.expect_sms("ana", **wrong)
        with pytest.raises(AssertionError, match="no call to ana"):
            world.expect_call("ana")
        world.expect_sms("ana", "DiskFull", after=0, kind="page")
        with pytest.raises(AssertionError, match="no sms to ana"):
            world.expect_sms("ana")


@pytest.mark.asyncio
async def test_a_failing_story_is_not_hidden_by_its_messages(tmp_path):
    """What a story raises leaves the world as it is, unexpected messages or not."""

    async def story():
        async with night(tmp_path) as world:
            await world.fire("DiskFull")
            world.incident(7)

    with pytest.raises(KeyError):
        await story()


@pytest.mark.asyncio
async def test_a_loop_of_the_daemon_that_ends_fails_the_story(tmp_path, monkeypatch):
    """A defect that kills the sender is told at the next step and does not look like silence."""
    async with night(tmp_path) as world:

        async def broken():
            raise ZeroDivisionError("planted")

        monkeypatch.setattr(world.sender, "_round", broken)
        with pytest.raises(ZeroDivisionError, match="planted"):
            await world.fire("DiskFull")


@pytest.mark.asyncio
async def test_the_same_story_is_the_same_run(tmp_path):
    """Two worlds with the same story have the same messages, to the microsecond and the letter."""
    told = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        async with night(folder) as world:
            await world.fire("DiskFull")
            await world.pass_time(minutes=12)
            told.append([(m.at, m.person, m.channel, m.text, m.reference) for m in world.phones.sent])
            world.phones.forget()
    assert told[0] == told[1]
    assert len(told[0]) == 3


@pytest.mark.asyncio
async def test_a_commit_loop_that_ends_fails_the_story_at_once(tmp_path, monkeypatch):
    """A command that nobody will ever answer is told, and does not hang the test."""
    async with night(tmp_path) as world:

        def broken(*_args):
            raise ZeroDivisionError("planted")

        monkeypatch.setattr(world.engine._batch, "commit", broken)
        with pytest.raises(ZeroDivisionError, match="planted"):
            await world.fire("DiskFull")


@pytest.mark.asyncio
async def test_a_simulated_room_is_answered_by_what_is_typed_there(tmp_path):
    """A chat without accounts takes the code instead of a button, as /sim does."""
    channels = "channels: {chat: {provider: sim}, sms: {provider: sim}, call: {provider: sim}, mail: {provider: sim},"
    rules = {"channels": channels + " sms_backup: {provider: sim}}", "policies": one_tier("chat")}
    async with night(tmp_path, **rules) as world:
        await world.fire("DiskFull")
        world.expect_chat("ana", after=0)
        assert "you own K7" in await world.click("ana")
        assert world.incident().acknowledged_by == "ana"
        world.phones.forget()
