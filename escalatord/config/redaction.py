"""What of a rule set must never be shown: no log line may hold it."""

from collections.abc import Iterator

from escalatord.config.feeds import is_remote
from escalatord.config.secrets import Secret
from escalatord.core.ruleset import Ruleset


def secrets_of(ruleset: Ruleset) -> Iterator[str]:
    """Yield every secret of a rule set, in the clear."""
    for spec in ruleset.channels.values():
        for value in spec.settings.values():
            if isinstance(value, Secret):
                yield value.reveal()
    if ruleset.prometheus is not None and isinstance(ruleset.prometheus.bearer, Secret):
        yield ruleset.prometheus.bearer.reveal()
    feeds = (schedule.feed for schedule in ruleset.schedules.values() if schedule.feed is not None)
    yield from (feed.address for feed in feeds if is_remote(feed.address))
