"""The template as CloudFormation gets it: loops expanded, SAM transform run, offline."""

import copy
import functools
import json
import pathlib
import re
from typing import Any
from unittest import mock

import yaml
from samcli.lib.cfn_language_extensions import expand_language_extensions
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

ROOT = pathlib.Path(__file__).parents[3]
PARAMETERS = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "whosthere",
}


def template_text() -> dict[str, Any]:
    """template.yaml as it is written, intrinsics in their long form."""
    return yaml_parse((ROOT / "template.yaml").read_text())


def definition(machine: str = "session") -> dict[str, Any]:
    """A state machine's definition as it is written."""
    return yaml.safe_load((ROOT / "statemachine" / f"{machine}.asl.yaml").read_text())


def transformed(**parameters: str) -> dict[str, Any]:
    """The template after both transforms; its parameters at their defaults but for those given."""
    return copy.deepcopy(_transformed(tuple(sorted(parameters.items()))))


@functools.cache
def _transformed(parameters: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    values = PARAMETERS | dict(parameters)
    template = expand_language_extensions(template_text(), values, enabled=True).expanded_template
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if "DefinitionUri" in properties:  # the transform takes no local file
            name = pathlib.Path(properties.pop("DefinitionUri")).name.removesuffix(".asl.yaml")
            properties["Definition"] = definition(name)
        for local_path in ("CodeUri", "ContentUri"):
            if local_path in properties:
                properties[local_path] = "s3://bucket/key"
    template.get("Globals", {}).get("Function", {})["CodeUri"] = "s3://bucket/key"
    # the translator asks for a session's region even though nothing is called
    with mock.patch("boto3.session.Session.region_name", "us-east-1"):
        return transform(template, values, _NoManagedPolicies())


class _NoManagedPolicies:
    """No policy of ours is a managed one's name, so none is looked up."""

    def load(self) -> dict[str, str]:
        return {}


def resources(kind: str, **parameters: str) -> dict[str, dict[str, Any]]:
    """Resources of that CloudFormation type, by logical id, after the transforms."""
    found = transformed(**parameters)["Resources"]
    return {name: body for name, body in found.items() if body["Type"] == kind}


def text(value: Any) -> str:
    """A resource or principal in one line: intrinsics as ${...}."""
    if isinstance(value, str):
        # sam's own expansion joins what it cannot resolve as Python writes it.
        return re.sub(r"\{'Fn::GetAtt': \['(\w+)', '(\w+)'\]\}", r"${\1.\2}", value)
    if "Fn::Sub" in value:
        return str(value["Fn::Sub"])
    if "Ref" in value:
        return f"${{{value['Ref']}}}"
    if "Fn::GetAtt" in value:
        parts = value["Fn::GetAtt"]
        return "${" + (parts if isinstance(parts, str) else ".".join(parts)) + "}"
    return json.dumps(value)
