"""`make sim`: years on call from the command line; exit 1 when an invariant broke."""

import argparse
import logging
import sys
import time

import structlog

from tests.sim.years.run import simulate
from tests.sim.years.trace import tell

DAYS_OF_A_YEAR = 365.0
DAYS_EACH = 14.0


def main() -> int:
    """Run one seed with its trace, or as many seeds as years need."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--days", type=float, default=DAYS_EACH, help="days on call for each seed")
    parser.add_argument("--years", type=float, default=0.0, help="so many years, seed after seed, without a trace")
    parser.add_argument("--quiet", action="store_true", help="no trace of a single seed")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began, days, code = time.monotonic(), 0.0, 0
    seeds = 1 if not chosen.years else max(1, round(chosen.years * DAYS_OF_A_YEAR / chosen.days))
    totals = [0] * 6
    for seed in range(chosen.seed, chosen.seed + seeds):
        outcome = simulate(seed, chosen.days, echo=seeds == 1 and not chosen.quiet)
        days += chosen.days
        counts = (
            outcome.incidents,
            outcome.pages,
            outcome.answers,
            outcome.posts,
            outcome.lives - 1,
            sum(outcome.faults.values()),
        )
        totals = [one + other for one, other in zip(totals, counts, strict=True)]
        if outcome.broken:
            code = 1
            tell(outcome.report)
        if seeds == 1:
            tell(f"hash {outcome.digest}")
        elif seed % 20 == 0:
            tell(f"seed {seed}: {days / DAYS_OF_A_YEAR:.1f} years in {time.monotonic() - began:.0f} s")
    words = ("incidents", "pages", "answers", "posts", "deaths", "faults")
    told = ", ".join(f"{count} {word}" for count, word in zip(totals, words, strict=True))
    tell(f"{days / DAYS_OF_A_YEAR:.2f} years in {time.monotonic() - began:.1f} s: {told}")
    return code


if __name__ == "__main__":
    sys.exit(main())
