"""The reference pages of the rules language, one for each section, made from its JSON Schema."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Node: TypeAlias = Mapping[str, Any]

REF = "#/$defs/"
EXAMPLES_SHOWN_MAX = 2
TYPES = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
HEAD = "Made from the schema by `escalatord schema --pages docs/reference`; what it means is told in [rules.md]"


def pages(schema: Node) -> dict[str, str]:
    """Return the text of each page by its file name: an index, and a page for each section."""
    sections: Node = schema["properties"]
    rows = [
        f"| [`{name}`]({name}.md) | {_cell(section.get('description', ''))} |" for name, section in sections.items()
    ]
    index = [
        "# The rules language, section by section",
        f"{HEAD}(../rules.md).",
        "\n".join(["| section | what it says |", "|---|---|", *rows]),
    ]
    found = {f"{name}.md": _page(name, section, schema["$defs"]) for name, section in sections.items()}
    return {"index.md": "\n\n".join(index) + "\n", **found}


def _page(name: str, section: Node, parts: Mapping[str, Node]) -> str:
    blocks = [f"# `{name}`", f"{_sentence(section)} {HEAD}(../rules.md#{name}).", f"Takes {_takes(section)}."]
    for part in _reached(section, parts):
        blocks += [f"## {_called(part)}", _sentence(parts[part]), _table(parts[part])]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _reached(node: Node, parts: Mapping[str, Node]) -> list[str]:
    """Return the parts that a section is made of, each once, in the order in which a reader meets them."""
    found: dict[str, None] = {}
    waiting = list(_refs(node))
    while waiting:
        part = waiting.pop(0)
        if part not in found:
            found[part] = None
            waiting[:0] = [ref for ref in _refs(parts[part]) if ref not in found]
    return list(found)


def _refs(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "$ref":
                yield str(value).removeprefix(REF)
            else:
                yield from _refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refs(value)


def _table(part: Node) -> str:
    keys: Node = part.get("properties", {})
    if not keys:
        return f"Takes {_takes(part)}."
    required = set(part.get("required", ()))
    rows = []
    for key, node in keys.items():
        told = (_cell(_takes(node)), _default(node, key in required), _cell(node.get("description", "")))
        rows.append(f"| `{key}` | {' | '.join(told)} |")
    return "\n".join(["| key | takes | default | meaning |", "|---|---|---|---|", *rows])


def _takes(node: Node) -> str:
    """Return in words what a value may be."""
    if "$ref" in node:
        part = node["$ref"].removeprefix(REF)
        return f"[{_called(part)}](#{_called(part).replace(' ', '-')})"
    if "const" in node or "enum" in node:
        return ", ".join(f"`{each}`" for each in node.get("enum", [node.get("const")]))
    several = node.get("anyOf") or node.get("oneOf")
    if several:
        return " or ".join(dict.fromkeys(_takes(each) for each in several if each.get("type") != "null"))
    if node.get("type") == "array":
        return f"a list of {_takes(node.get('items', {}))}"
    inner = [*node.get("patternProperties", {}).values()]
    if isinstance(node.get("additionalProperties"), Mapping):
        inner.append(node["additionalProperties"])
    if node.get("type") == "object":
        return f"a map from names to {_takes(inner[0])}" if inner else "keys and values"
    examples = ", ".join(f"`{each}`" for each in node.get("examples", ())[:EXAMPLES_SHOWN_MAX])
    word = TYPES.get(str(node.get("type", "")), "any value")
    return f"{word} like {examples}" if examples else word


def _default(node: Node, is_required: bool) -> str:  # noqa: FBT001 - one of two words
    if is_required:
        return "must be given"
    value = node.get("default")
    return "" if value in (None, [], {}) else f"`{json.dumps(value)}`"


def _called(part: str) -> str:
    """Return a part's name in words: `LastResortPart` is a last resort."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", part.removesuffix("Part")).lower()


def _sentence(node: Node) -> str:
    text = " ".join(str(node.get("description", "")).split())
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
