"""The command line as a whole: every verb is listed and explained, and only what is called is imported."""

import subprocess
import sys

import pytest

from escalatord import __version__
from escalatord.cli import VERBS

# what a verb that talks to a daemon must not pay for
HEAVY = ("aiohttp", "sqlalchemy", "twilio", "pydantic", "structlog")
CLIENT_VERBS = (
    "override",
    "swap",
    "calendar",
    "ls",
    "show",
    "ack",
    "snooze",
    "raise",
    "explain",
    "status",
    "watch",
    "oncall",
    "fire",
)


def test_help_lists_every_verb_and_the_exit_codes(run) -> None:
    """`escalatord -h` shows each verb with its line, and what the exit codes mean."""
    shown = run("-h").output
    for name, verb in VERBS.items():
        assert f"  {name} " in shown
        assert verb.say in shown
    assert "4" in shown
    assert "daemon not reachable" in " ".join(shown.split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(run, verb: str) -> None:
    """`--help` of every verb ends in an example that calls it."""
    result = run(verb, "--help")
    assert result.exit_code == 0
    assert f"Usage: escalatord {verb}" in result.output
    assert f"escalatord {verb}" in result.output.partition("Example:")[2]


# click keeps the help option of a command that was run on its own, as the tests of these two do
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in {"check", "schema"}])
def test_short_help_is_the_same(run, verb: str) -> None:
    """`-h` says what `--help` says."""
    assert run(verb, "-h").output == run(verb, "--help").output


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb not in {"serve", "demo", "token", "catalog", "check", "schema"}]
)
def test_every_verb_that_answers_can_answer_in_json(run, verb: str) -> None:
    """Verbs that print something for reading offer `--json`."""
    assert "--json" in run(verb, "--help").output


def test_version_is_told(run) -> None:
    """`--version` is one line."""
    assert run("--version").output == f"escalatord {__version__}\n"


def test_unknown_verb_is_a_usage_error(run) -> None:
    """A verb that is none exits with 2."""
    assert run("wake-everybody").exit_code == 2


def test_client_verbs_import_neither_server_nor_database_nor_provider() -> None:
    """Verbs one types at 3 a.m. start at once: nothing heavy is imported for any of them."""
    modules = sorted({VERBS[verb].place.partition(":")[0] for verb in CLIENT_VERBS})
    program = (
        "import sys\n"
        + "".join(f"import escalatord.cli.{module}\n" for module in modules)
        + f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


def test_help_of_the_whole_imports_no_verb() -> None:
    """The list of verbs comes from the table alone."""
    program = (
        "import sys\nfrom escalatord.cli import cli\n"
        "cli(['-h'], standalone_mode=False)\n"
        "print([name for name in sys.modules if name.startswith('escalatord.cli.')])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.splitlines()[-1] == "[]"
