"""The resource on which an action of our services is authorized, by a published table.

`resource_types.json` is cfn-lint's table of AWS's Service Authorization Reference, for Rekognition
and Kinesis Video Streams: the resource types of each action and the ARN format of each type. An
action without a type is authorized on `*`. In an environment with cfn-lint,

    python -m local.security.resource_types

rewrites the file.
"""

import functools
import json
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

SERVICES = ("kinesisvideo", "rekognition")
TABLE = Path(__file__).with_suffix(".json")
TAGGED = {"kinesisvideo": "ResourceARN", "rekognition": "ResourceArn"}
NAME = "/.*"  # how the table ends an ARN's form

Parameters = Mapping[str, Any]
Service = Mapping[str, Mapping[str, Any]]


def published() -> dict[str, Service]:
    """Return our services' part of cfn-lint's table, operations in lower case."""
    source = files("cfnlint").joinpath("data", "AdditionalSpecs", "Policies.json")
    everything = json.loads(source.read_text())
    return {name: _cut(everything[name]) for name in SERVICES}


def _cut(service: Service) -> Service:
    actions, resources = service["Actions"], service["Resources"]
    return {
        "actions": {name: of.get("Resources", []) for name, of in actions.items()},
        "resources": {name: of["ARNFormats"] for name, of in resources.items()},
    }


def text(table: Mapping[str, Service]) -> str:
    """Return the table as JSON, each list on one line."""
    spread = json.dumps(table, indent=1)
    return re.sub(r"\[[^\]]*\]", lambda found: " ".join(found[0].split()), spread) + "\n"


@functools.cache
def _table() -> dict[str, Service]:
    table: dict[str, Service] = json.loads(TABLE.read_text())
    return table


def resource_of(
    action: str,
    parameters: Parameters,
    *,
    region: str,
    account: str,
    stream_arn: Callable[[str], str | None] | None = None,
) -> str:
    """Return the ARN on which an action is authorized, `*` if the table has no resource type."""
    service, _, operation = action.partition(":")
    types = _table()[service]["actions"].get(operation.lower(), [])
    if not types:
        return "*"
    if len(types) > 1:  # only tags: whatever has them is named by its ARN
        return str(parameters.get(TAGGED[service]) or "*")
    kind = types[0]
    if kind == "stream" and parameters.get("StreamARN"):
        return str(parameters["StreamARN"])
    name = _name(kind, parameters)
    if kind == "stream" and stream_arn and (known := stream_arn(name)):
        return known
    [form] = _table()[service]["resources"][kind]
    filled = form.replace("${Partition}", "aws").replace("${Region}", region)
    arn = filled.replace("${Account}", account).removesuffix(NAME) + f"/{name}"
    # A stream's ARN ends in its creation time; one that doesn't exist has none yet.
    return f"{arn}/0" if kind == "stream" else arn


def _name(kind: str, parameters: Parameters) -> str:
    """Return the name of the resource of a type that a request refers to."""
    if kind == "stream":
        return str(parameters.get("StreamName", ""))
    if kind == "streamprocessor":
        return str(parameters.get("Name", ""))
    return str(parameters.get("CollectionId") or _searched(parameters))


def _searched(parameters: Parameters) -> str:
    """Return the collection that a new stream processor searches; the request may be malformed."""
    for member in ("Settings", "FaceSearch"):
        parameters = parameters.get(member, {})
        if not isinstance(parameters, Mapping):
            return ""
    return str(parameters.get("CollectionId", ""))


if __name__ == "__main__":
    TABLE.write_text(text(published()))
