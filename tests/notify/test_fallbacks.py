"""Templates that failed: counted each time, journaled once an hour, never in a page's way."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from escalatord.engine.commands import Remark
from escalatord.errors import StoreUnavailableError
from escalatord.notify import fallbacks
from escalatord.notify.fallbacks import Fallbacks
from escalatord.notify.render import Fallback

NOW = datetime(2026, 10, 24, 1, 11, tzinfo=UTC)
FAILED = Fallback(template="management", wording="sms en, line 2", why="it says nothing")


class Journal:
    """An engine that keeps remarks, or cannot."""

    def __init__(self, *, away: bool = False) -> None:
        self.remarks = []
        self.away = away

    async def submit(self, command: Remark) -> None:
        """Keep it."""
        if self.away:
            raise StoreUnavailableError("planted")
        self.remarks.append(command)


@pytest.mark.asyncio
async def test_every_failure_is_counted_and_one_an_hour_is_journaled():
    """Per template; a clock set back by an hour counts as an hour."""
    journal, counted = Journal(), []
    kept = Fallbacks(journal, counted.append)
    for minutes in (0, 1, 59, 60, 61, -10):
        kept.note(FAILED, "i1-1-0", NOW + timedelta(minutes=minutes))
    kept.note(Fallback(template="other", why="x"), "i1-1-1", NOW)
    await kept.write_down()
    await kept.write_down()
    assert counted == ["management"] * 6 + ["other"]
    assert [remark.body["template"] for remark in journal.remarks] == ["management"] * 3 + ["other"]
    assert journal.remarks[0] == Remark(
        kind="template_failed",
        body={"template": "management", "wording": "sms en, line 2", "why": "it says nothing"},
    )


@pytest.mark.asyncio
async def test_the_built_in_words_are_no_template():
    """A mistake of ours in them is logged; there is no template to count."""
    journal, counted = Journal(), []
    kept = Fallbacks(journal, counted.append)
    with capture_logs() as logs:
        kept.note(Fallback(template="", why="KeyError"), "i1-1-0", NOW)
    await kept.write_down()
    assert (journal.remarks, counted) == ([], [])
    assert logs[0]["template"] == "built-in"


@pytest.mark.asyncio
async def test_a_store_that_is_away_holds_nothing_up():
    """What cannot be journaled is in the log."""
    kept = Fallbacks(Journal(away=True), lambda _name: None)
    kept.note(FAILED, "i1-1-0", NOW)
    with capture_logs() as logs:
        await kept.write_down()
    assert logs[0]["event"] == "a failed template is not in the journal"
    assert logs[0]["why"] == "it says nothing"


@pytest.mark.asyncio
async def test_what_is_remembered_is_bounded(monkeypatch):
    """Past the limit the template that failed longest ago is forgotten."""
    monkeypatch.setattr(fallbacks, "TEMPLATES_MAX", 2)
    journal = Journal()
    kept = Fallbacks(journal, lambda _name: None)
    for name in ("a", "b", "c", "a"):
        kept.note(Fallback(template=name, why="x"), "i1-1-0", NOW)
    await kept.write_down()
    assert [remark.body["template"] for remark in journal.remarks] == ["a", "b", "c", "a"]
