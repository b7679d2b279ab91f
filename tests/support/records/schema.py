"""What the schema of records says, and what of it AWS documents."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parents[3] / "functions" / "whosthere" / "ingest" / "record.schema.json"


def closed(schema):
    """The same schema, in which every object has no field but those that are named."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    below = {name: closed(one) for name, one in schema.items()}
    return {**below, "additionalProperties": False} if "properties" in schema else below


def schema():
    return json.loads(SCHEMA.read_text())


def complaints(record):
    """What is wrong with a record, read strictly."""
    validator = Draft202012Validator(closed(schema()))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(record)]
