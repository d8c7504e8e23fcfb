"""Quantities and durations: what is read, what is refused, what is shown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.units import Quantity, format_duration, parse_duration_seconds, parse_quantity


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (90.0, "90s"),
        (300.0, "5m"),
        (5400.0, "1h30m"),
        (259_200.0, "3d"),
        (604_800.0, "1w"),
        (0.5, "500ms"),
        (694_861.001, "1w1d1h1m1s1ms"),
        (60.0, "  1m "),
    ],
)
def test_duration_is_read_as_prometheus_writes_it(seconds, text):
    """Every Prometheus unit counts, from weeks down to milliseconds."""
    assert seconds == pytest.approx(parse_duration_seconds(text))


@pytest.mark.parametrize("text", ["", " ", "5", "m", "-5m", "5m1h", "1.5h", "five minutes", "5 m", "\u0665m"])
def test_duration_of_another_shape_is_refused_with_a_sentence(text):
    """What is no duration raises a sentence that shows how to write one."""
    with pytest.raises(ValueError, match="is not a duration; write it like 90s"):
        parse_duration_seconds(text)


def test_duration_error_shows_only_the_beginning_of_a_long_text():
    """A hostile text does not come back whole in the error."""
    with pytest.raises(ValueError, match="is not a duration") as caught:
        parse_duration_seconds("x" * 10_000)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("45s", 45), ("1h30m", 5400), ("1d1s", 86_401), ("-5m", -300), ("2s", 1.6), ("8d", 691_200)],
)
def test_duration_is_written_in_the_largest_units(text, seconds):
    """Whole seconds are written from days down, a negative one with its sign."""
    assert text == format_duration(seconds)


@given(st.integers(min_value=0, max_value=10**9))
def test_duration_of_whole_seconds_survives_writing_and_reading(seconds):
    """Reading what was written gives the same number of seconds."""
    assert seconds == parse_duration_seconds(format_duration(seconds))


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (Quantity(5.0, "percent"), "5%"),
        (Quantity(8.2, "percent"), " 8.2 % "),
        (Quantity(0.1, "percent"), "0.1 percent"),
        (Quantity(1000.0), "1000"),
        (Quantity(-3.0), "-3"),
        (Quantity(3.0), "+3"),
        (Quantity(0.5), ".5"),
        (Quantity(1.0), "1."),
        (Quantity(50_000.0, "EUR"), "50000 EUR"),
        (Quantity(5.0, "EUR"), "5EUR"),
        (Quantity(900.0, "seconds"), "15m"),
        (Quantity(5400.0, "seconds"), "1h30m"),
        (Quantity(2.4, "seconds"), "2.4s"),
        (Quantity(5400.0, "seconds"), "1.5 hours"),
        (Quantity(0.25, "seconds"), "250 ms"),
        (Quantity(-300.0, "seconds"), "-5m"),
        (Quantity(1_000_000.0), "1e+06"),
        (Quantity(5.2e-05), "5.2e-05"),
        (Quantity(5.0, "e"), "5e"),
    ],
)
def test_quantity_is_read_with_its_unit(quantity, text):
    """Percent, money, counts, durations and a sender's exponents are read as what they count."""
    assert quantity == parse_quantity(text)


@pytest.mark.parametrize("text", ["", "EUR", "5 %%", "1,000", "NaN", "+Inf", "5 EUR USD", "1" * 129])
def test_quantity_of_another_shape_is_refused_with_a_sentence(text):
    """What is no quantity raises a sentence; a very long text is none."""
    with pytest.raises(ValueError, match="is not a quantity; write a number with its unit") as caught:
        parse_quantity(text)
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize("text", ["9" * 100 + "s", "1e308", "1e999", "9" * 60 + "w"])
def test_quantity_of_any_size_is_read_without_a_crash(text):
    """Huge numbers become huge or infinite floats; nothing overflows."""
    assert parse_quantity(text).value > 1e59
    assert str(parse_quantity(text))


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("5%", Quantity(5.0, "percent")),
        ("99.999%", Quantity(99.999, "percent")),
        ("1000", Quantity(1000.0)),
        ("49999.99 EUR", Quantity(49_999.99, "EUR")),
        ("33333.33 EUR", Quantity(100_000 / 3, "EUR")),
        ("12000000 EUR", Quantity(12e6, "EUR")),
        ("2.4s", Quantity(2.4, "seconds")),
        ("45s", Quantity(45.0, "seconds")),
        ("2m", Quantity(120.4, "seconds")),
        ("infs", Quantity(math.inf, "seconds")),
        ("inf", Quantity(math.inf)),
        ("7 users", Quantity(7, "users")),
    ],
)
def test_quantity_is_shown_shortly_but_not_as_the_limit_it_misses(text, quantity):
    """A shown quantity keeps what tells it from a round limit, and never raises."""
    assert text == str(quantity)


@given(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(["", "percent", "seconds", "EUR"]))
def test_quantity_can_always_be_shown(value, unit):
    """No float makes the text of a quantity raise."""
    assert str(Quantity(value, unit))


@given(st.text(max_size=200))
def test_quantity_reading_raises_only_value_errors(text):
    """Any text is a quantity or is refused; nothing else happens."""
    try:
        quantity = parse_quantity(text)
    except ValueError:
        return
    assert isinstance(quantity.value, float)
