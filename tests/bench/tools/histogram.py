"""A histogram with buckets 1 % wide: small, mergeable, good enough for percentiles of latencies."""

import math

STEP = math.log(1.01)


class Histogram:
    """Counts of values above zero by logarithmic bucket; the unit is the caller's."""

    def __init__(self, buckets: dict[int, int] | None = None) -> None:
        self.buckets = buckets or {}

    @property
    def count(self) -> int:
        """Return how many values were added."""
        return sum(self.buckets.values())

    def add(self, value: float) -> None:
        """Count a value; anything below 1 counts as 1."""
        place = int(math.log(max(value, 1.0)) / STEP)
        self.buckets[place] = self.buckets.get(place, 0) + 1

    def merge(self, other: "Histogram") -> None:
        """Add another histogram's values."""
        for place, times in other.buckets.items():
            self.buckets[place] = self.buckets.get(place, 0) + times

    def quantile(self, share: float) -> float:
        """Return the value below which `share` of all values lie, 0 when there is none."""
        left = share * self.count
        for place in sorted(self.buckets):
            left -= self.buckets[place]
            if left <= 0:
                return math.exp((place + 0.5) * STEP)
        return 0.0

    def as_json(self) -> dict[str, int]:
        """Return the buckets as a JSON object."""
        return {str(place): times for place, times in self.buckets.items()}

    @classmethod
    def from_json(cls, buckets: dict[str, int]) -> "Histogram":
        """Return what `as_json` wrote."""
        return cls({int(place): times for place, times in buckets.items()})
