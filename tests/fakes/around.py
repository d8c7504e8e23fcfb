"""What rules look at beside an alert, as a test wants it."""

from escalatord.core.around import Answer, Beginning, OpenCause, Tally
from escalatord.core.mutes import Silences
from tests.fakes.rulesets import START


class Around:
    """Counts, causes and answers that were put there."""

    def __init__(self, *, firing=0, begun=(), causes=None, answers=None, silences=()):
        self.tallied = Tally(firing=firing, begun=[Beginning(at, labels) for at, labels in begun])
        self.open = {
            name: [OpenCause(incident=number, rule=rule, labels=labels) for number, rule, labels in found]
            for name, found in (causes or {}).items()
        }
        self.answers = {query: Answer(value, at) for query, (value, at) in (answers or {}).items()}
        self.silenced = Silences(silences)

    def tally(self, rule, record):
        """Return the same counts for every rule."""
        return self.tallied

    def causes(self, name):
        """Return what is open."""
        return self.open.get(name, ())

    def answer(self, query):
        """Return what was answered."""
        return self.answers.get(query)

    def silences(self):
        """Return what was silenced."""
        return self.silenced


def answered(value, at=START, query="q"):
    """Return surroundings in which one query was answered."""
    return Around(answers={query: (value, at)})
