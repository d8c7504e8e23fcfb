"""The reference pages are those of the present schema."""

from pathlib import Path

import pytest

from escalatord.config.reference import pages
from escalatord.config.schema import SECTIONS, json_schema

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
PAGES = pages(json_schema())


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_as_the_schema_says(name):
    """Made again, each page comes out as it lies there: run `escalatord schema --pages docs/reference` when not."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]


def test_every_section_has_its_page_and_nothing_lies_about():
    """One for each section and an index, and no others."""
    assert {path.name for path in FOLDER.iterdir()} == {"index.md", *(f"{name}.md" for name in SECTIONS)}


def test_a_page_names_every_key_of_what_it_is_about():
    """Keys of nested parts too, with what they take, their default and their meaning."""
    page = PAGES["policies.md"]
    assert "| `within` | text like `90s`, `5m` | must be given | how long it has to ack |" in page
    assert "## tier" in page
    assert "| `milestones` |" in page
    assert "`least_paged_24h`" in page
