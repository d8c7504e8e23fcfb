"""The language as a JSON Schema, and its reference page."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from escalatord.config import (
    schema,
    schema_noise,
    schema_people,
    schema_rules,
    schema_suppress,
    schema_templates,
    schema_wiring,
)
from escalatord.config.schema import SECTIONS, RulesFile, json_schema
from escalatord.config.schema_base import Part

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "rules.md").read_text()


def parts() -> Iterator[type[BaseModel]]:
    """Yield every model of the language."""
    for module in (
        schema,
        schema_noise,
        schema_people,
        schema_rules,
        schema_suppress,
        schema_templates,
        schema_wiring,
    ):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Part) and value.__module__ == module.__name__:
                yield value


def keys() -> list[str]:
    """Return every key of the language."""
    return sorted({info.alias or name for part in parts() for name, info in part.model_fields.items()})


def allows(shape: dict[str, Any], value: object, whole: dict[str, Any]) -> bool:
    """Return whether a value fits a JSON Schema, as far as our schemas go."""
    if "$ref" in shape:
        return allows(whole["$defs"][shape["$ref"].rsplit("/", 1)[1]], value, whole)
    for union in ("anyOf", "oneOf"):
        if union in shape:
            return any(allows(one, value, whole) for one in shape[union])
    if "const" in shape or "enum" in shape:
        return value in shape.get("enum", [shape.get("const")])
    match shape.get("type"):
        case "object":
            if not isinstance(value, dict):
                return False
            known, other = shape.get("properties", {}), shape.get("additionalProperties", True)
            for pattern, one in shape.get("patternProperties", {}).items():
                known = {**known, **{key: one for key in value if re.search(pattern, key)}}
            if not set(shape.get("required", ())) <= set(value):
                return False
            return all(
                allows(known[key], inner, whole)
                if key in known
                else bool(other) and (other is True or allows(other, inner, whole))
                for key, inner in value.items()
            )
        case "array":
            return isinstance(value, list) and all(allows(shape["items"], inner, whole) for inner in value)
        case "string":
            return isinstance(value, str) and re.search(shape.get("pattern", ""), value) is not None
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
    return True


def test_the_schema_names_itself_and_every_section() -> None:
    """Editors need a dialect and an id; every section is described."""
    shown = json_schema()
    assert shown["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert shown["$id"].startswith("urn:")
    assert set(shown["properties"]) == set(SECTIONS)
    assert shown["additionalProperties"] is False
    assert all("description" in section for section in shown["properties"].values())


@pytest.mark.parametrize("file", sorted((ROOT / "rules").glob("*.yaml")), ids=lambda file: file.name)
def test_the_schema_accepts_the_shipped_rules(file: Path) -> None:
    """What loads is also right to an editor."""
    whole = json_schema()
    assert allows(whole, yaml.safe_load(file.read_text()), whole)


@pytest.mark.parametrize(
    "text",
    ["polices: {}", "people: {ana: {sms: 5}}", "policies: {p: {}}", "teams: {t: ana}", "channels: {a: {provider: x}}"],
)
def test_the_schema_refuses_what_check_refuses(text: str) -> None:
    """The common mistakes are underlined while typing."""
    whole = json_schema()
    assert not allows(whole, yaml.safe_load(text), whole)


def test_both_spellings_are_in_the_schema() -> None:
    """A team may be a list or a mapping, to the editor too."""
    whole = json_schema()
    for text in (
        "teams: {t: [ana]}",
        "teams: {t: {members: [ana]}}",
        "sources: {a: {adapter: generic, auth: loopback}}",
    ):
        assert allows(whole, yaml.safe_load(text), whole)


@pytest.mark.parametrize("section", SECTIONS)
def test_the_reference_has_a_section_for(section: str) -> None:
    """One heading per top-level key."""
    assert re.search(rf"^## `{section}`", PAGE, re.MULTILINE)


@pytest.mark.parametrize("key", keys())
def test_the_reference_explains(key: str) -> None:
    """Every key of the language stands in the page."""
    assert re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", PAGE)


@pytest.mark.parametrize("number", range(len(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))))
def test_every_example_of_the_reference_is_in_the_language(number: int) -> None:
    """Examples cannot rot: each is checked against the schema."""
    example = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[number]
    whole = json_schema()
    assert allows(whole, yaml.safe_load(example), whole), example


def test_no_part_takes_unknown_keys() -> None:
    """A key that nothing reads is refused everywhere."""
    for part in parts():
        assert part.model_config["extra"] == "forbid"
        assert part.model_config["strict"] is True
    assert RulesFile in set(parts())
