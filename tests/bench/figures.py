"""What a benchmark found: figures beside their ceilings, as a table and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value. `ceiling` is what the bare thing came to in the same run, None where there is none.

    `ratio` is value ÷ ceiling: of a rate, more is better; of a time or a size, less is.
    """

    name: str
    value: float
    unit: str
    ceiling: float | None = None

    @property
    def ratio(self) -> float | None:
        """Return the share of the ceiling, None without one."""
        return self.value / self.ceiling if self.ceiling else None


@dataclass(slots=True)
class Samples:
    """Values of several rounds by name."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Keep one value."""
        self.values.setdefault(name, []).append(value)

    def figure(self, name: str, unit: str, ceiling: str = "") -> Figure:
        """Return the median of a name beside the median of its ceiling."""
        wall = median(self.values[ceiling]) if ceiling else None
        return Figure(name=name, value=median(self.values[name]), unit=unit, ceiling=wall)


def as_json(figures: Sequence[Figure]) -> str:
    """Return `name → {value, unit, ceiling, ratio}`."""
    found = {
        figure.name: {
            "value": round(figure.value, 3),
            "unit": figure.unit,
            "ceiling": None if figure.ceiling is None else round(figure.ceiling, 3),
            "ratio": None if figure.ratio is None else round(figure.ratio, 3),
        }
        for figure in figures
    }
    return json.dumps(found, indent=2) + "\n"


def as_table(figures: Sequence[Figure]) -> str:
    """Return a Markdown table."""
    lines = ["| what | value | unit | ceiling | value ÷ ceiling |", "|---|---:|---|---:|---:|"]
    for figure in figures:
        ceiling = "" if figure.ceiling is None else _short(figure.ceiling)
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        lines.append(f"| {figure.name} | {_short(figure.value)} | {figure.unit} | {ceiling} | {ratio} |")
    return "\n".join(lines) + "\n"


def write(figures: Sequence[Figure], path: Path) -> None:
    """Write the JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_json(figures))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
