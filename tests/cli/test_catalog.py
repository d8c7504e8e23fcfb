"""`escalatord catalog import`: what it writes, what it shows, and what it refuses."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from escalatord.cli import cli
from escalatord.config.catalog import CATALOG_BYTES_MAX, CatalogError, read
from escalatord.config.load import load
from tests.fakes.rule_sets import GOOD, written

BACKSTAGE = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: shop
  annotations:
    escalatord/revenue-per-hour: 120000 EUR
    escalatord/segments: retail; enterprise
    escalatord/policy: p
    other.io/policy: x
  links: [{url: https://runbooks.example.com/shop, title: The Runbook}, {url: https://x.example.com, title: Board}]
spec: {type: service, owner: group:default/web, dependsOn: ["resource:default/db", component:queue]}
---
kind: Resource
metadata: {name: db}
spec: {owner: user:ana}
---
kind: Component
metadata: {name: queue}
spec: {owner: web}
---
kind: Group
metadata: {name: web}
---
kind: Component
metadata: {name: "no name of ours"}
"""
TEAMS = "teams: {web: [ana], platform: [bo]}\n"
TABLE = """\
name,owner,revenue_per_hour,segments,depends_on
shop,team web,90000 EUR,retail,db
db,person ana,,,
"""


def run(folder: Path, content: str, *options: str, name: str = "catalog-info.yaml") -> Result:
    """Import a catalog into the rules of a folder."""
    rules = folder / "rules"
    if not rules.exists():
        rules.mkdir()
        written(rules, good=GOOD + TEAMS)
    (folder / name).write_text(content)
    return CliRunner().invoke(cli, ["catalog", "import", str(folder / name), "--rules", str(rules), *options])


def services(folder: Path) -> dict[str, object]:
    """Return what the services file holds."""
    return yaml.safe_load((folder / "rules" / "services.yaml").read_text())["services"]


def test_backstage_becomes_services(tmp_path: Path) -> None:
    """Components and resources with owners, dependencies, runbook and our annotations; the rules load with them."""
    result = run(tmp_path, BACKSTAGE)
    assert (result.exit_code, result.stdout) == (
        0,
        f"+ shop\n+ db\n+ queue\n{tmp_path}/rules/services.yaml: 3 new, 0 changed, 0 gone\n",
    )
    assert result.stderr == 'skipped: "no name of ours" cannot be a name here\n'
    assert services(tmp_path) == {
        "shop": {
            "owner": "team web",
            "policy": "p",
            "revenue_per_hour": "120000 EUR",
            "segments": ["retail", "enterprise"],
            "depends_on": ["db", "queue"],
            "runbook": "https://runbooks.example.com/shop",
        },
        "db": {"owner": "person ana"},
        "queue": {"owner": "team web"},
    }
    assert set(load(tmp_path / "rules", environ={}).ruleset.services) == {"shop", "db", "queue"}


def test_a_table_changes_what_it_speaks_of(tmp_path: Path) -> None:
    """An empty cell or a column that is not there leaves what the file has; each change is shown."""
    run(tmp_path, BACKSTAGE)
    result = run(tmp_path, TABLE, "--force", name="services.csv")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:-1] == [
        "- queue",
        "~ shop: revenue_per_hour 120000 EUR → 90000 EUR",
        "~ shop: segments retail, enterprise → retail",
        "~ shop: depends_on db, queue → db",
    ]
    assert services(tmp_path)["shop"]["runbook"] == "https://runbooks.example.com/shop"
    again = run(tmp_path, TABLE, name="services.csv")
    assert again.stdout == f"{tmp_path}/rules/services.yaml: 0 new, 0 changed, 0 gone\n"


def test_a_diff_writes_nothing(tmp_path: Path) -> None:
    """It says what would be, and leaves everything as it is."""
    result = run(tmp_path, BACKSTAGE, "--diff")
    assert result.exit_code == 0
    assert result.stdout.endswith("would write " + f"{tmp_path}/rules/services.yaml: 3 new, 0 changed, 0 gone\n")
    assert not (tmp_path / "rules" / "services.yaml").exists()


def test_many_services_do_not_go_by_accident(tmp_path: Path) -> None:
    """An export that was cut off is refused; --force says that it is meant."""
    run(tmp_path, BACKSTAGE)
    before = services(tmp_path)
    result = run(tmp_path, "name,owner\nshop,team web\n", name="x.csv")
    assert result.exit_code == 1
    assert "refused: 0 new, 0 changed, 2 gone of 3; if that is meant, say --force" in result.stderr
    assert services(tmp_path) == before


def test_rules_that_would_be_wrong_are_not_written(tmp_path: Path) -> None:
    """An owner nobody knows, a dependency that is not there: said with place, and the file stays."""
    result = run(tmp_path, "name,owner,depends_on\nshop,team nobody,nothing\n", name="x.csv")
    assert result.exit_code == 1
    assert 'E020 there is no "nobody" in teams' in result.stderr
    assert 'E020 there is no "nothing" in services' in result.stderr
    assert not (tmp_path / "rules" / "services.yaml").exists()


def test_mistakes_that_were_there_before_are_not_the_catalogs(tmp_path: Path) -> None:
    """Rules that are broken elsewhere can still take services."""
    run(tmp_path, BACKSTAGE)
    (tmp_path / "rules" / "more.yaml").write_text("roles: {r: [person nobody]}\n")
    assert run(tmp_path, BACKSTAGE).exit_code == 0


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("x.yaml", b"", "it is empty"),
        ("x.yaml", b"kind: Component\nmetadata: {name: '!'}", 'no service in it: "!" cannot be a name'),
        ("x.yaml", b"a: [", "it is not YAML"),
        ("x.yaml", b"a: !!python/object:x {}", "it is not YAML"),
        ("x.yaml", b"[" * 5000, "it is not YAML"),
        ("x.yaml", b"\xff", "not text in UTF-8"),
        ("x.yaml", b" " * (CATALOG_BYTES_MAX + 1), "larger than 5 MiB"),
        ("x.csv", b"", "the first line must name the columns"),
        ("x.csv", b"service\nshop\n", "the first line must name the columns"),
        ("x.csv", b"name,tier\nshop,1\n", 'there is no column "tier"'),
        ("x.csv", b'name\n"shop\n', "it is no table"),
    ],
)
def test_a_catalog_that_cannot_be_read_is_a_sentence(name: str, raw: bytes, says: str) -> None:
    """Nothing else is raised, whatever the file holds."""
    with pytest.raises(CatalogError, match=says):
        read(name, raw)


def test_the_first_of_two_counts() -> None:
    """A name that stands twice is told."""
    found = read("x.csv", b"name,owner\nshop,team a\nshop,team b\n")
    assert (found.services, found.skipped) == (
        {"shop": {"owner": "team a"}},
        ('"shop" stands twice; the first counts',),
    )


def test_odd_entities_are_taken_as_far_as_they_go() -> None:
    """Fields of other shapes are nothing; what is left is a service."""
    found = read(
        "x.yaml",
        b"kind: component\nmetadata: {name: a, links: [x, {url: 1}], annotations: [x]}\nspec: {dependsOn: x}\n",
    )
    assert found.services == {"a": {}}


@pytest.mark.parametrize("to", ["../services.yaml", "services.txt"])
def test_only_a_file_of_the_rules_is_written(tmp_path: Path, to: str) -> None:
    """--to is a name beside the other rules."""
    assert run(tmp_path, BACKSTAGE, "--to", to).exit_code == 2


def test_a_file_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    """Services that share a file with policies are not overwritten, nor is a file that cannot be read."""
    run(tmp_path, BACKSTAGE, "--diff")
    shared = run(tmp_path, BACKSTAGE, "--to", "good.yaml")
    assert shared.exit_code == 3
    assert "also holds channels, contact_plans" in shared.stderr
    (tmp_path / "rules" / "services.yaml").write_text("services: [")
    assert "escalatord check says why" in run(tmp_path, BACKSTAGE).stderr
