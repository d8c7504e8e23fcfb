"""What every test stands on: chance that can be replayed, and no deadlines on a wall clock."""

from hypothesis import settings

settings.register_profile("default", deadline=None)
settings.load_profile("default")
