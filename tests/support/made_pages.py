"""Write the parts of docs/ that are made from the code: settings, commands, permissions, costs.

    PYTHONPATH=.:functions .whosthere/project/bin/python -m tests.support.made_pages

A made part lies between two comments of its page; the prose around it is written by hand.
"""

import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from bench import costs
from cli.__main__ import GROUPS, main
from cli.demo.comparison import ALLOWED
from tests.support.stack import sam
from whosthere.costs.prices import price_table

DOCS = sam.ROOT / "docs"
SCHEMA = sam.ROOT / "functions" / "whosthere" / "settings.schema.json"
PART = re.compile(r"(<!-- made from (?P<source>\S+):.*?-->\n).*?(<!-- end -->)", re.DOTALL)
COLUMNS = "98"  # the width of a terminal for which the help is printed
STACK = ":us-east-1:111122223333:"  # as tests.support.stack.sam fills the template

type Row = tuple[str, ...]
type Json = Mapping[str, Any]


def table(head: Row, rows: Iterator[Row]) -> str:
    """Return a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def settings() -> str:
    """Return the table of the session's settings, from the JSON Schema."""
    properties = _schema()["settings"]["properties"]
    return table(("setting", "default", "values", "meaning"), _setting_rows(properties))


def session_input() -> str:
    """Return the table of a session's input, from the JSON Schema."""
    properties = _schema()["input"]["properties"]
    rows = ((f"`{name}`", _values(one), _meaning(one)) for name, one in properties.items())
    return table(("field", "values", "meaning"), rows)


def parameters() -> str:
    """Return the table of the stack's parameters, from the template."""
    rows = (
        (
            f"`{name}`",
            f"`{one.get('Default', '')}`" if one.get("Default", "") != "" else "",
            ", ".join(f"`{value}`" for value in one.get("AllowedValues", ())),
            one["Description"],
        )
        for name, one in sam.template_text()["Parameters"].items()
    )
    return table(("parameter", "default", "values", "meaning"), rows)


def commands() -> str:
    """Return the help of the command and of each verb, as a terminal shows it."""
    parts = [_block(_printed([]))]
    for group, verbs in GROUPS.items():
        parts.append(f"## {group.capitalize()}")
        for verb in verbs:
            parts += [f"### `./whosthere {verb}`", _block(_printed([verb, "--help"]))]
    return "\n\n".join(parts)


def permissions() -> str:
    """Return what each role may do, from the template after the SAM transform."""
    parts = []
    for name, role in sorted(sam.resources("AWS::IAM::Role").items()):
        rows = table(("actions", "resource", "condition"), _statement_rows(name, role))
        parts += [f"## {name}", f"Assumed by {_principals(role)}.", rows]
    return "\n\n".join(parts)


def prices() -> str:
    """Return the table of prices, with where each was read."""
    rows = (
        (
            one.what,
            f"${one.dollars:.10f}".rstrip("0").rstrip(".") if one.dollars is not None else "?",
            one.unit,
            one.sure,
            f"{one.source}, {one.date}",
        )
        for one in price_table("us-east-1").prices.values()
    )
    return table(("what", "dollars for one", "unit", "how sure", "source"), rows)


def examples() -> str:
    """Return the worked examples of a month."""
    return table(("a month of", "what", "how much", "dollars"), iter(costs.rows(costs.examples())))


def idle() -> str:
    """Return what a month costs in which no session runs."""
    return table(("a month of", "what", "how much", "dollars"), iter(costs.rows(costs.idle())))


def allowed_differences() -> str:
    """Return in what two engines may differ, as `./whosthere compare` prints it."""
    return table(("difference", "reason"), ((one.what, one.why) for one in ALLOWED))


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "input": session_input,
    "parameters": parameters,
    "commands": commands,
    "permissions": permissions,
    "prices": prices,
    "examples": examples,
    "idle": idle,
    "comparison": allowed_differences,
}


def renewed(page: str) -> str:
    """Return a page's text with its made parts as the code has them now."""

    def made(found: re.Match[str]) -> str:
        return f"{found[1]}\n{PARTS[found['source']]()}\n\n{found[3]}"

    return PART.sub(made, page)


def made_pages() -> list[Path]:
    """Return the pages that have made parts."""
    return [path for path in sorted(DOCS.glob("*.md")) if PART.search(path.read_text())]


def _schema() -> Json:
    found: Json = json.loads(SCHEMA.read_text())["$defs"]
    return found


def _setting_rows(properties: Json, prefix: str = "") -> Iterator[Row]:
    for name, one in properties.items():
        if "properties" in one:
            yield f"`{prefix}{name}`", "", "an object of the following", _meaning(one)
            yield from _setting_rows(one["properties"], f"{prefix}{name}.")
        else:
            default = json.dumps(one["default"])
            yield f"`{prefix}{name}`", f"`{default}`", _values(one), _meaning(one)


def _values(one: Json) -> str:
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    if "items" in one:
        return f"a list of {_values(one['items'])}"
    if "$ref" in one:
        return {"camera": "a camera", "settings": "settings"}[one["$ref"].rpartition("/")[2]]
    if one["type"] == "string":
        return "text"
    kind = "a whole number" if one["type"] == "integer" else "a number"
    if "minimum" in one:
        return f"{kind} from {one['minimum']} to {one['maximum']}"
    return f"{kind} above {one['exclusiveMinimum']}, at most {one['maximum']}"


def _meaning(one: Json) -> str:
    return str(one.get("description", ""))


def _printed(arguments: list[str]) -> str:
    with (
        mock.patch.dict(os.environ, {"COLUMNS": COLUMNS}),
        redirect_stdout(io.StringIO()) as out,
        suppress(SystemExit),  # argparse leaves by it after a help
    ):
        main(arguments)
    return out.getvalue().strip()


def _block(text: str) -> str:
    return f"```text\n{text}\n```"


def _principals(role: Json) -> str:
    statements = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    found = [value for one in statements for value in one["Principal"].values()]
    return ", ".join(f"`{sam.text(value)}`" for value in found)


def _statement_rows(name: str, role: Json) -> Iterator[Row]:
    for managed in role["Properties"].get("ManagedPolicyArns", ()):
        yield f"AWS's managed policy `{sam.text(managed)}`", "", ""
    extra = sam.resources("AWS::IAM::Policy").values()
    policies = [
        *role["Properties"].get("Policies", ()),
        *(one["Properties"] for one in extra if {"Ref": name} in one["Properties"]["Roles"]),
    ]
    for policy in policies:
        for one in policy["PolicyDocument"]["Statement"]:
            condition = f"`{sam.text(one['Condition'])}`" if "Condition" in one else ""
            resources = _as_list(one["Resource"])
            yield (
                "<br>".join(f"`{action}`" for action in _as_list(one["Action"])),
                "<br>".join(f"`{_shortened(sam.text(each))}`" for each in resources),
                condition,
            )


def _shortened(resource: str) -> str:
    return resource.replace(STACK, "::")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    for made_page in made_pages():
        made_page.write_text(renewed(made_page.read_text()))
