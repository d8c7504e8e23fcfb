"""What is around the daemon fails: a provider that hangs, providers that refuse, a locked database, unusable rules."""

import asyncio
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.fakes.processes import call
from tests.faults.load import Load
from tests.faults.provider import SUSPENDED, Trouble
from tests.faults.site import ANA, BO, CY, DEE, Row, Site, Wiring, site

ALERTS_PER_SECOND = 8.0
CALM_SECONDS = 2.0
# Tiers of 3 s, less what the delivery of the first may take.
BETWEEN_TIERS_SECONDS_MIN = 1.5
UNHEARD_SECONDS_MAX = 120.0
RELOADED = "escalatord_config_last_reload_successful"
FALLBACK_PLAN = "[{by: sms, if_failed: [sms_backup]}]"
TWO_WAYS = Wiring(channels=("sms", "sms_backup", "sms_yard"), plan=FALLBACK_PLAN, within="2m")


async def provider_hangs(folder: Path, seconds: float) -> Row:
    """Let the first provider take connections and never answer: the fallback goes out, the other lane feels nothing."""
    async with site(folder, TWO_WAYS) as here:
        await here.start()
        shop, yard = here.load(ALERTS_PER_SECOND), here.load(ALERTS_PER_SECOND, "yard")
        posting = [asyncio.create_task(load.run()) for load in (shop, yard)]
        await here.wait(CALM_SECONDS)
        calm = slowest(here, yard, DEE)
        here.provider.trouble = Trouble.HANG
        await here.wait(seconds)
        await here.quiet(shop, (ANA,))
        here.provider.mend()
        await here.quiet(yard, (DEE,))
        await asyncio.gather(*posting)
        await here.stop()
        beside = slowest(here, yard, DEE)
        row = here.reckon(shop, 1, f"other channel: slowest {beside:.2f} s, before {calm:.2f} s", (ANA,))
        assert not here.unpaged(yard, (DEE,))
        return row


async def provider_refuses(folder: Path, seconds: float) -> Row:
    """Let the first provider refuse everything: the next method goes out at once."""
    async with site(folder, TWO_WAYS) as here:
        await here.start()
        here.provider.trouble = Trouble.REFUSE
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        await here.wait(seconds)
        await here.quiet(load, (ANA,))
        await posting
        await here.stop()
        return here.reckon(load, 1, f"{here.provider.refused} requests refused", (ANA,))


async def everybody_refuses(
    folder: Path, seconds: float, *, every: str = "30m", refusal: tuple[int, int] = SUSPENDED
) -> Row:
    """Let every provider refuse everything: the last resort is reached, and reaches a human once they are mended."""
    wiring = Wiring(channels=("sms", "sms_backup"), plan=FALLBACK_PLAN, every=every)
    async with site(folder, wiring) as here:
        await here.start()
        for provider in here.providers.values():
            provider.trouble, provider.refusal = Trouble.REFUSE, refusal
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        await here.wait(1.0)
        load.stop()
        await posting
        await at_last_resort(here, [answered.incident for answered in load.answered])
        await here.wait(seconds)
        for provider in here.providers.values():
            provider.mend()
        mended_at = here.clock.monotonic()
        await here.quiet(load, (CY,), UNHEARD_SECONDS_MAX)
        after = max(here.paged(CY).values(), default=mended_at) - mended_at
        await here.stop()
        return here.reckon(load, 1, f"the last resort was heard {after:.1f} s after the providers were mended", (CY,))


async def at_last_resort(here: Site, numbers: list[int]) -> None:
    """Wait until every incident has come to its last resort."""

    def all_there() -> bool:
        found = call(f"{here.daemon.url}/api/v1/incidents?limit=500")["incidents"]
        states = {one["number"]: one["tracks"][0]["state"] for one in found}
        return all(states.get(number) == "last_resort" for number in numbers)

    await here.until("every incident is at its last resort", all_there, 60)


async def database_is_locked(folder: Path, seconds: float) -> Row:
    """Hold SQLite's write lock from another process: nothing ends, nothing is lost, everything is late by no more."""
    async with site(folder) as here:
        await here.start()
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        await here.until("Bo is paged", lambda: bool(here.paged(BO)))
        # Autocommit: BEGIN and ROLLBACK are ours to say.
        with closing(sqlite3.connect(here.daemon.database, isolation_level=None, timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            await here.wait(seconds)
            other.execute("ROLLBACK")
        await here.wait(CALM_SECONDS)
        await here.quiet(load)
        await posting
        assert load.refused == {}, "a sender was told not to try again"
        assert await here.stop() == 0, here.said()
        answered = max(one.answered_at - one.posted_at for one in load.answered)
        return here.reckon(load, 1, f"senders got {load.answers[503]} answers of 503, waited {answered:.1f} s at most")


async def stopped_and_continued(folder: Path, seconds: float) -> Row:
    """Stop the process (as a suspended machine): then one page for each incident, marked late, and no burst."""
    async with site(folder) as here:
        await here.start()
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        await here.wait(1.0)
        load.stop()
        await posting
        await here.until("Ana knows all", lambda: not here.unpaged(load, (ANA,)))
        waiting = here.unpaged(load, (BO,))
        assert waiting, "some have not climbed yet"
        here.signal(signal.SIGSTOP)
        await here.wait(seconds)
        here.signal(signal.SIGCONT)
        again_at = here.clock.monotonic()
        await here.quiet(load)
        bo, cy, texts = here.paged(BO), here.paged(CY), here.heard(BO)
        after = max(bo[number] for number in waiting) - again_at
        for number in waiting:
            assert len(texts[number]) == 1, texts[number]
            assert "LATE" in texts[number][0], texts[number]
            assert cy[number] - bo[number] > BETWEEN_TIERS_SECONDS_MIN, "the tier after the present one came with it"
        assert all(len(told) == 1 for told in here.heard(ANA).values()), "nobody is paged twice for one tier"
        await here.stop()
        return here.reckon(load, 1, f"overdue pages left {after:.2f} s after it went on")


async def told_to_stop(folder: Path, times: int) -> Row:
    """Stop the daemon politely under load, again and again: exit code 0 in time, nothing lost, nothing twice.

    The provider cannot be asked: whatever the end of the process cut off would show as a copy.
    """
    async with site(folder) as here:
        here.provider.trouble = Trouble.FORGET
        await here.start()
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        longest = 0.0
        for _ in range(times):
            await here.wait(1.0)
            began = here.clock.monotonic()
            code = await here.stop()
            longest = max(longest, here.clock.monotonic() - began)
            assert code == 0, f"exit code {code}\n{here.said()}"
            await here.start()
        await here.quiet(load)
        await posting
        assert load.refused == {}, "a sender was told not to try again"
        await here.stop()
        return here.reckon(load, times, f"longest stop {longest:.2f} s")


def broken_rules(whole: str, count: int) -> list[str]:
    """Return rules that cannot be used: cut off, misspelt, pointing nowhere, binary."""
    broken: list[Callable[[int], str]] = [
        lambda n: whole[: len(whole) * (n % 7 + 1) // 9] + "\n  {",
        lambda n: whole.replace("within", f"withn{n}"),
        lambda n: whole.replace("person ana", f"person nobody{n}"),
        lambda n: whole + f"\nunknown_section_{n}: []\n",
        lambda n: "\x00" * (n + 1),
    ]
    return [broken[n % len(broken)](n) for n in range(count)]


async def rules_are_broken(folder: Path, times: int) -> Row:
    """Reload unusable rules under load: the old ones stay in force, the metric says so, incidents go on."""
    wiring = Wiring()
    async with site(folder, wiring) as here:
        await here.start()
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        path = folder / "rules" / "rules.yaml"
        whole = path.read_text()
        for text in broken_rules(whole, times):
            path.write_text(text)
            await reloaded(here, 0.0)
            path.write_text(whole)
            await reloaded(here, 1.0)
        await here.quiet(load)
        await posting
        assert load.refused == {}, "a sender was told not to try again"
        assert await here.stop() == 0, here.said()
        return here.reckon(load, times)


async def reloaded(here: Site, expected: float) -> None:
    """Have the daemon read its rules, and wait until the metric says what came of it."""
    here.signal(signal.SIGHUP)
    for _ in range(100):
        if await here.metric(RELOADED) == expected:
            return
        await here.wait(0.05)
    raise AssertionError(f"{RELOADED} does not become {expected}\n{here.said()}")


def slowest(here: Site, load: Load, address: str) -> float:
    """Return the longest time from an answer to the text about it, in seconds."""
    first = here.paged(address)
    return max([0.0, *(first[one.incident] - one.answered_at for one in load.answered if one.incident in first)])
