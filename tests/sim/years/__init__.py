"""Years on call, simulated: the real engine, store and sender; clock, chance, network and disk replaced.

    python -m tests.sim.years --seed 7 --days 7      # one stretch of time, its trace and its hash
    python -m tests.sim.years --years 100            # many seeds, until one breaks an invariant

One thread, one seed: whatever a run comes to can be seen again, step by step. After every step the invariants of
`invariants` are checked; what breaks one is told with its seed, its step and what happened just before.
"""
