"""Who is away, over HTTP and on the on-call page: noted at once, told as what it is, hostile words shown as words."""

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from escalatord.core.policy import FilterKind, Target, TargetFilter, TargetKind
from escalatord.core.roster import resolve
from escalatord.engine.wishes import AbsenceReason
from escalatord.web.absences import DONE, SAID, STATUS, WHY_NOT
from escalatord.web.auth import CSRF_FIELD
from tests.fakes.web_engine import START, Night, night

AWAY = "/api/v1/away"
ANA = {"person": "ana"}
AVAILABLE = Target(TargetKind.TEAM, "payments", (TargetFilter(FilterKind.AVAILABLE),))


@pytest_asyncio.fixture
async def plain(tmp_path: Path) -> AsyncIterator[Night]:
    """Return a daemon with the shipped rules, used from this machine."""
    async with night(tmp_path) as made:
        yield made


async def ask(world: Night, path: str, content: dict[str, object], **headers: str) -> tuple[int, dict[str, object]]:
    """Post JSON and return status and answer."""
    answer = await world.client.post(path, json=content, headers=headers)
    return answer.status, await answer.json()


def available(world: Night) -> list[str]:
    """Return who of the payments team a tier that asks for available people would page."""
    found = resolve((AVAILABLE,), world.engine.engine.world, START, ("sms",))
    return [candidate.person for candidate in found.people]


@pytest.mark.asyncio
async def test_an_absence_counts_from_the_next_page_on(plain: Night):
    """A time of day is the next one in the person's zone; what was noted is told back."""
    status, content = await ask(plain, AWAY, {**ANA, "to": "18:00", "why": " the\ndentist "})
    assert (status, content["reason"]) == (201, "added")
    assert content["away"] == [
        {
            "person": "ana", "name": "Ana Ruiz", "start": "2026-10-24T01:11:14Z", "end": "2026-10-24T16:00:00Z",
            "why": "the dentist", "by": "local",
        }
    ]  # fmt: skip
    assert content["say"] == "Away: Ana Ruiz from 2026-10-24 03:11:14 CEST to 2026-10-24 18:00:00 CEST."
    assert available(plain) == ["bo", "mia"]
    found = await (await plain.client.get(AWAY)).json()
    assert found["away"] == content["away"]
    assert (await (await plain.client.get(f"{AWAY}?person=bo")).json())["away"] == []


@pytest.mark.parametrize(
    ("content", "end"),
    [
        ({"for": "4h"}, "2026-10-24T05:11:14Z"),
        ({"to": "2026-10-24 12:00"}, "2026-10-24T10:00:00Z"),
        ({"to": "03:00"}, "2026-10-25T02:00:00Z"),
        ({"from": "2026-10-25 01:30", "to": "2:30"}, "2026-10-25T01:30:00Z"),
        ({"to": "2026-10-24T05:00:00Z"}, "2026-10-24T05:00:00Z"),
    ],
)
@pytest.mark.asyncio
async def test_times_are_the_persons(plain: Night, content: dict[str, str], end: str):
    """How long, a date, or the next time of day; of an hour that happens twice the later one."""
    _, answer = await ask(plain, AWAY, {**ANA, **content})
    assert answer["away"][0]["end"] == end


@pytest.mark.asyncio
async def test_who_is_back_is_back_at_once(plain: Night):
    """A second time there is nothing to take back, and of whoever never was away neither."""
    await ask(plain, AWAY, {**ANA, "for": "8h"})
    status, content = await ask(plain, f"{AWAY}/ana/cancel", {})
    assert (status, content["reason"], available(plain)) == (200, "cancelled", ["ana", "bo", "mia"])
    assert content["say"].startswith("No longer away: Ana Ruiz from")
    for person in ("ana", "nobody", "%00", "x" * 300):
        status, content = await ask(plain, f"{AWAY}/{person}/cancel", {})
        assert (status, content["error"]) == (409, "not_away")


@pytest.mark.parametrize(
    ("content", "status", "error"),
    [
        ({"for": "8h"}, 400, "E102"),
        (ANA, 400, "E102"),
        ({**ANA, "for": "soon"}, 400, "E101"),
        ({**ANA, "to": "25:00"}, 400, "E101"),
        ({**ANA, "from": 7, "for": "8h"}, 400, "E101"),
        ({**ANA, "to": "2026-10-24T01:11:14Z"}, 400, "ends_first"),
        ({**ANA, "from": "2026-01-01 00:00", "to": "2026-02-01 00:00"}, 400, "past"),
        ({**ANA, "for": "400d"}, 400, "too_long"),
        ({**ANA, "to": "2028-01-01 00:00"}, 400, "too_long"),
        ({"person": "nobody", "for": "8h"}, 404, "unknown_person"),
        ({**ANA, "for": "8h", "why": "x" * 3000}, 400, "E103"),
    ],
)
@pytest.mark.asyncio
async def test_what_cannot_be_is_refused_with_a_sentence(plain: Night, content, status, error):
    """The error is stable, the sentence is for humans, and everybody is there as before."""
    found, answer = await ask(plain, AWAY, content)
    assert (found, answer["error"]) == (status, error)
    assert answer["say"].strip()
    assert available(plain) == ["ana", "bo", "mia"]


def test_every_reason_has_a_status_or_is_done():
    """No reason is left without words."""
    assert set(AbsenceReason) == DONE | set(STATUS) == set(SAID)
    assert set(STATUS) == set(WHY_NOT)


@pytest.mark.asyncio
async def test_wishes_are_by_role_and_by_name(guarded: Night):
    """A viewer looks; a responder notes in their own name; only an admin in somebody else's."""
    content = {**ANA, "for": "8h"}
    assert (await ask(guarded, AWAY, content, **guarded.bearer("viewer")))[0] == 403
    assert (await ask(guarded, f"{AWAY}/ana/cancel", {}, **guarded.bearer("viewer")))[0] == 403
    _, made = await ask(guarded, AWAY, content, **guarded.bearer("responder"))
    assert made["away"][0]["by"] == "a-responder"
    assert (await ask(guarded, AWAY, {**content, "by": "cy"}, **guarded.bearer("responder")))[0] == 403
    _, made = await ask(guarded, AWAY, {**content, "by": "cy"}, **guarded.bearer("admin"))
    assert made["away"][0]["by"] == "cy"
    answer = await guarded.client.get(AWAY, headers=guarded.bearer("viewer"))
    assert len((await answer.json())["away"]) == 2


@pytest.mark.asyncio
async def test_a_body_that_is_too_large_is_refused_before_it_is_read(plain: Night):
    """No wish needs more than a form."""
    answer = await plain.client.post(AWAY, data=io.BytesIO(b"{" + b" " * 2_000_000))
    assert answer.status == 413


# ---------------------------------------------------------------------------------------------------------- page


async def page(world: Night, query: str = "") -> str:
    """Return the on-call page."""
    return await (await world.client.get(f"/oncall{query}")).text()


async def press(world: Night, path: str, **fields: str) -> tuple[int, str]:
    """Press a button of the page just loaded; return the status and where it leads."""
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', await page(world))
    assert csrf is not None
    answer = await world.client.post(path, data={CSRF_FIELD: csrf[1], **fields}, allow_redirects=False)
    return answer.status, answer.headers.get("Location", "")


@pytest.mark.asyncio
async def test_the_page_notes_lists_and_takes_back(plain: Night):
    """Two taps; it says whom it does not silence."""
    assert "Nobody." in await page(plain)
    assert await press(plain, "/oncall/away", person="ana", **{"for": "8h"}, why="dentist") == (
        303,
        "/oncall?away=added",
    )
    text = await page(plain, "?away=added")
    assert "Other pages still go to them" in text
    assert re.search(r"<strong>Ana Ruiz</strong> 2026-10-24 03:11:14 CEST to 2026-10-24 11:11:14 CEST", text)
    assert "(dentist)" in text
    assert await press(plain, "/oncall/away/ana/cancel") == (303, "/oncall?away=cancelled")
    assert "(dentist)" not in await page(plain, "?away=cancelled")
    assert await press(plain, "/oncall/away/ana/cancel") == (303, "/oncall?away=not_away")
    assert 'class="said bad"' in await page(plain, "?away=not_away")


@pytest.mark.asyncio
async def test_forms_of_others_change_nothing(plain: Night):
    """Without the token of this browser neither form does anything."""
    for path in ("/oncall/away", "/oncall/away/ana/cancel"):
        assert (await plain.client.post(path, data=ANA)).status == 403
    assert plain.engine.commands == []


@pytest.mark.asyncio
async def test_hostile_reasons_are_words(plain: Night):
    """What somebody types is shown, never run; what is in the address is not shown at all."""
    await ask(plain, AWAY, {**ANA, "for": "8h", "why": "<script>alert(1)</script>{{7*7}}"})
    text = await page(plain, "?away=%3Cscript%3E")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in text
    assert 'role="status"' not in text


@pytest.mark.asyncio
async def test_viewers_see_and_do_not_touch(guarded: Night):
    """Without the role there is no form."""
    await ask(guarded, AWAY, {**ANA, "for": "8h"}, **guarded.bearer("responder"))
    text = await (await guarded.client.get("/oncall", headers=guarded.bearer("viewer"))).text()
    assert "Ana Ruiz" in text
    assert "Somebody is away" not in text
    assert "/oncall/away/ana/cancel" not in text
