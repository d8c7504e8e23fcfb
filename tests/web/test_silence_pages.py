"""The page of what is muted: who, why, until when, how much; one form to mute, one button to end it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from escalatord.web.auth import CSRF_FIELD
from tests.fakes.web_engine import Night, night
from tests.web.test_silences_api import EVIL, SILENCES, WISH, ask, bearer, fire

PAGE = "/silences"


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[Night]:
    """Return a daemon with the shipped rules."""
    async with night(tmp_path) as made:
        yield made


async def page(world: Night, said: str = "", path: str = PAGE) -> str:
    """Return the page."""
    return await (await world.client.get(path + (f"?said={said}" if said else ""))).text()


async def press(world: Night, path: str, **fields: str) -> tuple[int, str]:
    """Press a button of the page just loaded; return the status and where it leads."""
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', await page(world))
    assert csrf is not None
    answer = await world.client.post(path, data={CSRF_FIELD: csrf[1], **fields}, allow_redirects=False)
    return answer.status, answer.headers.get("Location", "")


@pytest.mark.asyncio
async def test_one_form_mutes_and_one_button_ends_it(world: Night):
    """What, why, a length: quiet, listed with how much it holds back, and taken back."""
    assert "Nothing is muted" in await page(world)
    done = await press(world, PAGE, matchers='alertname="DiskWillFill"', why="reindexing", **{"for": "2h"})
    assert done == (303, f"{PAGE}?said=added")
    await fire(world)
    text = await page(world, "added")
    assert "Quiet. Exceptions and statutory clocks still page." in text
    assert re.search(r"<strong>silence 1</strong> <code>alertname=&#34;DiskWillFill&#34;</code>", text)
    assert re.search(r"<strong>1</strong> <span class=\"muted\">alert held back", text)
    assert "silence 1 (reindexing, by local)" in text
    assert "db-1 /var/lib/postgresql is 96% full" in text
    assert "(1) Muted" in text
    assert await press(world, f"{PAGE}/1/expire") == (303, f"{PAGE}?said=expired")
    assert "/silences/1/expire" not in await page(world)


@pytest.mark.asyncio
async def test_planned_work_and_what_is_open(world: Night):
    """The other button and the box: announced as maintenance, for later, also for what is open."""
    fields = {"from": "2026-10-25T22:00", "to": "2026-10-26T04:00", "kind": "maintenance", "apply_to_open": "on"}
    assert (await press(world, PAGE, matchers="cluster=old", why="CHG-1", **fields))[1] == f"{PAGE}?said=added"
    (made,) = world.engine.engine._batch.around.silences().all
    assert (made.label, made.apply_to_open, made.start.isoformat()) == (
        "maintenance 1",
        True,
        "2026-10-25T22:00:00+00:00",
    )
    text = await page(world)
    assert "also what is open" in text
    assert "Cancel</button>" in text


@pytest.mark.asyncio
async def test_the_board_says_that_something_is_muted(world: Night):
    """All quiet is not all: how many alerts, why, by whom."""
    assert "Muted now" not in await page(world, path="/")
    await ask(world, WISH)
    await fire(world)
    text = await page(world, path="/")
    assert "Some alerts fire and are muted." in text
    assert re.search(r"<strong>1 alert</strong> reindexing <span class=\"muted\">· silence by local until", text)


@pytest.mark.asyncio
async def test_an_incident_closed_by_a_mute_says_so(world: Night):
    """Its page and its timeline, in words."""
    await fire(world)
    await ask(world, {**WISH, "apply_to_open": True})
    world.clock.move(seconds=1)
    await world.due()
    text = await page(world, path="/incidents/1")
    assert "Muted while it still fires: silence 1 (reindexing, by local)." in text
    assert "still fires and is muted: silence 1 (reindexing, by local)" in text


@pytest.mark.asyncio
async def test_a_refusal_is_told_and_an_unknown_word_is_not(world: Night):
    """Never a text from the address."""
    assert (await press(world, PAGE, matchers='a!="b"', why="x", **{"for": "2h"}))[1] == f"{PAGE}?said=matches_all"
    assert "It would mute every alert that lacks these labels." in await page(world, "matches_all")
    assert "hello" not in await page(world, "hello")
    assert (await press(world, PAGE, matchers="a", why="x", **{"for": "2h"}))[0] == 400


@pytest.mark.asyncio
async def test_forms_are_ours_and_roles_count(world: Night):
    """Without the token of the page nothing happens; a viewer sees no form and may not post one."""
    world.give_tokens()
    for path in (PAGE, f"{PAGE}/1/expire"):
        answer = await world.client.post(path, data={"matchers": "a=b", "why": "x", "for": "2h"}, allow_redirects=False)
        assert answer.status == 403
        assert (await world.client.post(path, data={}, headers=bearer("viewer"))).status == 403
    seen = await (await world.client.get(PAGE, headers=bearer("viewer"))).text()
    assert "<form" not in seen.partition("<main")[2].partition("</main>")[0]
    assert (await (await world.client.get(SILENCES)).json())["silences"][0]["id"] is None


@pytest.mark.asyncio
async def test_hostile_words_are_shown_as_words(world: Night):
    """No markup of a reason, of matchers or of a title reaches a browser as such."""
    await ask(world, {**WISH, "matchers": 'service=~"search|<img src=x onerror=alert(1)>"', "why": EVIL})
    await fire(world, service="search", alertname=EVIL)
    for path in (PAGE, "/"):
        text = await page(world, path=path)
        assert EVIL not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;" in text
