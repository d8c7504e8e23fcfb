"""What the README and the docs say, done: their commands run, their YAML loads, their links lead somewhere."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from escalatord.config.load import load
from tests.fakes.company import night
from tests.fakes.processes import ROOT, call, free_port, wait_until

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
LEFT_BEHIND = shutil.ignore_patterns(".git", ".venv", "build", ".*_cache", ".hypothesis", "__pycache__", "*.db*")
COMMANDS_SECONDS_MAX = 60


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """Return the commands of the console blocks, without their comments."""
    lines = [line[2:] for block in blocks(text, "console") for line in block.splitlines() if line.startswith("$ ")]
    return [shlex.join(shlex.split(line, comments=True)) if ">" not in line else line for line in lines]


def left_behind(folder, names):
    """Return what of a folder is not copied: our own tests neither, but those beside the rules are rules' business."""
    return {*LEFT_BEHIND(folder, names), *({"tests"} if Path(folder) == ROOT else ())}


@pytest.fixture
def copy(tmp_path):
    """Return a fresh copy of the checkout whose .venv runs the copy's own code with this test's interpreter."""
    fresh = tmp_path / "escalatord"
    shutil.copytree(ROOT, fresh, ignore=left_behind)
    programs = fresh / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, arguments in (("python", ""), ("escalatord", " -m escalatord")):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec env PYTHONPATH="{fresh}" "{sys.executable}"{arguments} "$@"\n')
        script.chmod(0o755)
    for stamp in (".run", ".dev"):
        (programs / stamp).touch()
    return fresh


def test_the_commands_of_the_readme_work(copy):
    """`make demo` starts, is asked everything that the README asks, pages somebody, and ends politely."""
    told = commands(README)
    assert told[:2] == ["make demo", "make test"]
    port = free_port()
    environ = {
        **os.environ,
        "PATH": f"{copy}/.venv/bin:{os.environ['PATH']}",
        "ESCALATORD_URL": f"http://127.0.0.1:{port}",
        "ARGS": f"--port {port}",
    }
    with (copy / "demo.log").open("wb") as log:
        demo = subprocess.Popen(
            ["make", "demo"], cwd=copy, env=environ, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        said = (copy / "demo.log").read_text
        wait_until("the demonstration is ready", lambda: "ready in" in said())
        wait_until("the demonstration pages Ana", lambda: call(f"{environ['ESCALATORD_URL']}/api/v1/incidents/1"))
        for command in told[2:]:
            done = subprocess.run(
                ["bash", "-euc", command],
                cwd=copy,
                env=environ,
                capture_output=True,
                text=True,
                timeout=COMMANDS_SECONDS_MAX,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        found = call(f"{environ['ESCALATORD_URL']}/api/v1/incidents/1")
        assert (found["state"], found["acknowledged_by"]) == ("acknowledged", "ana")
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        demo.wait(20)
    assert "Traceback" not in said()


def test_what_ci_runs_is_what_the_readme_says():
    """`make test` and `make lint`, and nothing else, decide."""
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make test", "make lint"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_the_readme_asks_for_nothing_but_what_is_there(copy):
    """Every verb of escalatord that a page names exists."""
    verbs = {verb for page in PAGES for verb in re.findall(r"(?:\$ |`)escalatord ([a-z][a-z-]+)", _page(page))}
    done = subprocess.run(
        [copy / ".venv/bin/escalatord", "--help"], cwd=copy, capture_output=True, text=True, check=True
    )
    known = set(re.findall(r"^  ([a-z][a-z-]+)  ", done.stdout, re.MULTILINE))
    assert {"serve", "check", "ack"} <= verbs
    assert verbs - known == set()


def test_the_alertmanager_lines_are_an_alertmanagers():
    """The first YAML block names one receiver that posts to a source that exists, resolves included."""
    config = yaml.safe_load(blocks(README, "yaml")[0])
    (receiver,) = config["receivers"]
    (hook,) = receiver["webhook_configs"]
    assert config["route"]["receiver"] == receiver["name"]
    assert hook["send_resolved"] is True
    source = hook["url"].rpartition("/in/")[2]
    assert load(ROOT / "rules").ruleset.sources[source].adapter == "alertmanager"


def test_the_lines_for_real_phones_are_rules_that_load(tmp_path):
    """The second YAML block takes the place of the simulated channels; every secret is a file."""
    rules = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", rules)
    real = yaml.safe_load(blocks(README, "yaml")[1])
    shipped = yaml.safe_load((rules / "channels.yaml").read_text(encoding="utf-8"))
    assert real["channels"].keys() == shipped["channels"].keys()
    (rules / "channels.yaml").write_text(yaml.safe_dump({**shipped, **real}), encoding="utf-8")
    for name in re.findall(r"file:([\w-]+)", blocks(README, "yaml")[1]):
        (rules / name).write_text("a-secret-of-this-test\n", encoding="utf-8")
    channels = load(rules).ruleset.channels
    assert {spec.provider for spec in channels.values()} == {"slack", "twilio", "smtp"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """Every relative link of a page points to a file or folder of the checkout."""
    text = re.sub(r"^```.*?^```", "", _page(page), flags=re.MULTILINE | re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target]
    assert [target for target in targets if not ((ROOT / page).parent / target).exists()] == []


def test_decisions_are_numbered_and_whole():
    """Each decision names its context, options, outcome and cost; numbers follow one another."""
    paths = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in paths] == list(range(1, len(paths) + 1))
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]}: ")
        assert [word for word in ("Context", "Options", "Outcome", "Cost") if f"**{word}.**" not in text] == []


@pytest.mark.asyncio
async def test_the_story_of_the_docs_is_true(tmp_path):
    """The example of docs/scenarios.md passes as it stands there."""
    (story,) = blocks(_page("docs/scenarios.md"), "python")
    scope = {"night": night}
    exec(story, scope)  # noqa: S102 - our own page, and the point of this test
    await scope["test_tiers_climb_on_time"](tmp_path)


def _page(name: str) -> str:
    return Path(ROOT / name).read_text(encoding="utf-8")
