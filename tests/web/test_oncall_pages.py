"""The on-call page: weeks with gaps, shadows and people together, and two taps that let somebody stand in."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from escalatord.core.schedule import Layer
from escalatord.web.auth import CSRF_FIELD
from escalatord.web.week import HEIGHT, SHADOW_HEIGHT, week
from tests.fakes.duty import duty, hours, layer
from tests.fakes.web_engine import START, Night, night
from tests.fakes.world import RULESET, WORLD

PAGE = "/oncall"
FORM = "/oncall/overrides"


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[Night]:
    """Return a daemon with the shipped rules."""
    async with night(tmp_path) as made:
        yield made


async def page(world: Night, said: str = "") -> str:
    """Return the page."""
    return await (await world.client.get(PAGE + (f"?said={said}" if said else ""))).text()


async def press(world: Night, path: str, **fields: str) -> tuple[int, str]:
    """Press a button of the page just loaded; return the status and where it leads."""
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', await page(world))
    assert csrf is not None
    answer = await world.client.post(path, data={CSRF_FIELD: csrf[1], **fields}, allow_redirects=False)
    return answer.status, answer.headers.get("Location", "")


@pytest.mark.asyncio
async def test_two_taps_let_somebody_stand_in(world: Night):
    """Open the form, press a length: in force, told, listed with a button that takes it back."""
    text = await page(world)
    assert "Somebody else takes over" in text
    assert 'name="for" value="8h"' in text
    assert await press(world, FORM, schedule="payments-primary", person="bo", **{"for": "8h"}) == (
        303,
        f"{PAGE}?said=added",
    )
    text = await page(world, "added")
    assert "In force at once" in text
    assert re.search(
        r"<strong>Bo Lindgren</strong> stands in 2026-10-24 03:11:14 CEST to 2026-10-24 11:11:14 CEST", text
    )
    assert 'action="/oncall/overrides/1/cancel"' in text
    assert await press(world, f"{FORM}/1/cancel") == (303, f"{PAGE}?said=cancelled")
    assert 'action="/oncall/overrides/1/cancel"' not in await page(world, "cancelled")


@pytest.mark.asyncio
async def test_until_the_next_hand_off(world: Night):
    """The button knows when that is; without one within the week there is no such button."""
    found = re.search(
        r'name="schedule" value="platform-primary">.*?name="to" value="([^"]+)"', await page(world), re.DOTALL
    )
    assert found is not None
    assert found[1] == "2026-10-24T06:00:00Z"
    await press(world, FORM, schedule="platform-primary", person="cy", to=found[1])
    (made,) = world.engine.engine.world.overrides
    assert (made.person, made.start, made.end.isoformat()) == ("cy", START, "2026-10-24T06:00:00+00:00")
    assert (
        "until the next hand-off" not in (await page(world)).partition("payments-primary")[2].partition("</section>")[0]
    )


@pytest.mark.asyncio
async def test_at_another_time(world: Night):
    """The fields of the browser are read in the schedule's zone; both are needed, in their order."""
    fields = {"schedule": "payments-primary", "person": "bo", "from": "2026-12-24T08:00", "to": "2026-12-27T08:00"}
    assert (await press(world, FORM, **fields, why="Christmas"))[1] == f"{PAGE}?said=added"
    (made,) = world.engine.engine.world.overrides
    assert (made.start.isoformat(), made.why, made.by) == ("2026-12-24T07:00:00+00:00", "Christmas", "local")
    assert (await press(world, FORM, **{**fields, "to": fields["from"]}))[1] == f"{PAGE}?said=ends_first"
    assert "It would end before it starts." in await page(world, "ends_first")
    assert (await press(world, FORM, **{**fields, "to": "soon"}))[0] == 400


@pytest.mark.asyncio
async def test_forms_of_others_change_nothing(world: Night):
    """Without the token of this browser neither form does anything."""
    for path in (FORM, f"{FORM}/1/cancel"):
        assert (await world.client.post(path, data={"schedule": "managers"})).status == 403
    assert world.engine.commands == []


@pytest.mark.asyncio
async def test_viewers_see_and_do_not_touch(tmp_path: Path):
    """Without the role there is no form."""
    async with night(tmp_path) as made:
        made.give_tokens()
        text = await (await made.client.get(PAGE, headers=made.bearer("viewer"))).text()
        assert "Now: <strong>" in text
        assert "takes over" not in text


@pytest.mark.asyncio
async def test_words_of_strangers_are_not_shown(world: Night):
    """Only our own reasons become a sentence."""
    assert 'role="status"' not in await page(world, "<script>")


def drawn(*layers: Layer, **changes: object) -> dict[str, object]:
    """Return the week of a schedule as the page draws it."""
    return week(replace(duty(*layers), **changes), WORLD, START)


def test_people_together_stand_below_each_other():
    """Each has a row of their own, and a name for those who hear the page."""
    crew = Layer(name="crew", timezone="UTC", rotation=None, people=("ana", "bo"), active=(hours("08:00-20:00"),))
    bars = drawn(crew)["days"][1]["bars"]
    assert [(bar["y"], bar["height"], bar["x"], bar["width"]) for bar in bars] == [
        (0.0, HEIGHT / 2, 333.3, 500.0),
        (HEIGHT / 2, HEIGHT / 2, 333.3, 500.0),
    ]


def test_turns_in_a_row_share_their_row():
    """Who follows somebody stands beside, not below."""
    bars = drawn(layer("ana bo", zone="UTC"))["days"][1]["bars"]
    assert {(bar["y"], bar["height"]) for bar in bars} == {(0.0, HEIGHT)}
    assert len(bars) == 2


def test_shadows_have_a_thin_row():
    """Below those on call, called shadow, and a gap stays a gap."""
    learner = replace(layer("bo", zone="UTC", name="learn"), shadow=True)
    found = drawn(learner)
    (bar,) = found["days"][1]["bars"]
    assert (bar["y"], bar["height"]) == (HEIGHT - SHADOW_HEIGHT, SHADOW_HEIGHT)
    assert bar["say"].endswith("(layer learn, shadow)")
    assert (found["days"][1]["say"], found["shadows"], found["now"]) == ("nobody", [RULESET.people["bo"].name], [])
    assert found["gaps"]


def test_the_next_hand_off_of_nobody_is_none():
    """In a gap, and where nothing changes for a week, nobody can take over until then."""
    assert drawn()["until"] is None
    assert drawn(layer("ana", zone="UTC"))["until"] is None
