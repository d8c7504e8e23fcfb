"""Working calendars: their hours and holidays, expanded from the package `holidays` (the extra of that name).

Public holidays are expanded when rules are loaded, from the year before to two years after; a reload at New Year keeps
them coming. The package is imported only when a calendar names a country.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from importlib import import_module

from escalatord.config.addresses import Wiring
from escalatord.config.fields_hours import Country
from escalatord.config.schema_people import CalendarPart
from escalatord.config.sections import Entry, Sections
from escalatord.core.calendar import Calendar
from escalatord.core.values import replace
from escalatord.errors import Finding

YEARS_BACK = 1
YEARS_AHEAD = 2
FIX_EXTRA = "install it: pip install 'escalatord[holidays]'"


def expand(sections: Sections, wiring: Wiring, now: datetime) -> None:
    """Put every valid calendar into `wiring`, with its holidays around the instant `now`."""
    for entry in sections.valid("calendars"):
        part: CalendarPart = entry.part
        hours = part.hours if part.days is None else tuple(replace(each, days=part.days) for each in part.hours)
        holidays = sorted(_holidays(entry, now.year, wiring.findings))
        wiring.calendars[entry.name] = Calendar(
            name=entry.name, timezone=part.timezone, hours=hours, holidays=dict(holidays)
        )


def _holidays(entry: Entry, year: int, findings: list[Finding]) -> Iterator[tuple[date, str]]:
    """Yield the days off of a calendar with their names; what cannot be expanded becomes a finding."""
    for index, given in enumerate(entry.part.holidays):
        if not isinstance(given, Country):
            yield given, "day off"
            continue
        try:
            yield from public_holidays(given, range(year - YEARS_BACK, year + YEARS_AHEAD + 1)).items()
        except ModuleNotFoundError:
            say = f"the holidays of {given} need a package that is not installed"
            findings.append(entry.find("E050", say, "holidays", index, fix=FIX_EXTRA))
        except LookupError as error:
            fix = "write a country as ISO 3166 does (ES), or one of its regions (ES-MD)"
            findings.append(entry.find("E051", str(error), "holidays", index, fix=fix))


def public_holidays(country: Country, years: range) -> Mapping[date, str]:
    """Return the public holidays of a country in some years.

    Raise ModuleNotFoundError without the extra, LookupError with a sentence for a country or region nobody knows.
    """
    package = import_module("holidays")
    try:
        found = package.country_holidays(country.country, subdiv=country.region or None, years=years)
    except NotImplementedError:
        raise LookupError(f'nobody knows the holidays of "{country}"') from None
    return {day: str(name) for day, name in found.items()}
