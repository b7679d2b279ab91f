"""The settings of a stack as its next session reads them: value, default, and source."""

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cli.aws.target import Target
from cli.errors import InputError
from whosthere import settings, settings_file
from whosthere.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

type Values = dict[str, Any]
PREVIOUS_KEY = "settings.previous.json"
DEFAULT, STACK_WIDE, CAMERA = "default", "settings.json", "settings.json, cameras.{}"
# S3, PutObject: If-Match does not match, or another write is under way.
CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One setting: its dotted key, the value that counts, and the place that it comes from."""

    key: str
    value: Any
    default: Any
    source: str


def setting_rules() -> dict[str, Mapping[str, Any]]:
    """Return the rule of every setting in the JSON Schema, by its dotted key."""
    return dict(_flat_rules(settings.schema()["$defs"]["settings"]["properties"]))


def _flat_rules(properties: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, rule in properties.items():
        if "properties" in rule:
            found += _flat_rules(rule["properties"], f"{prefix}{name}.")
        else:
            found.append((prefix + name, rule))
    return found


def effective_settings(file: Values, camera: str) -> list[EffectiveSetting]:
    """Return all settings as the next session reads them; without a camera, those of the stack.

    SessionInputError names each field that is wrong.
    """
    merged, defaults = settings.merge(file, camera, {}), settings.defaults()
    places = {CAMERA.format(camera): own_section(file, camera), STACK_WIDE: file}
    return [
        EffectiveSetting(
            key,
            value_at(merged, key),
            value_at(defaults, key),
            next((name for name, place in places.items() if has_value(place, key)), DEFAULT),
        )
        for key in setting_rules()
    ]


def read_settings(target: Target) -> Callable[[str], Settings]:
    """Return what returns the settings of a camera as the next session reads them.

    Of an empty name those of the stack. SessionInputError names each field that is wrong.
    """
    file = settings_file.read(target.session.client("s3"), target.output("BucketName"))
    return cache(lambda camera: settings.from_values(settings.merge(file, camera, {})))


def own_section(file: Values, camera: str) -> Values:
    """Return what the file has for one camera."""
    sections = file.get("cameras", {})
    found = sections.get(camera, {}) if isinstance(sections, dict) else {}
    return found if isinstance(found, dict) else {}


def value_at(place: Mapping[str, Any], key: str) -> Any:
    """Return the value of a dotted key, None if there is none."""
    found: Any = place
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def has_value(place: Mapping[str, Any], key: str) -> bool:
    """Return whether a place has that key."""
    return value_at(place, key) is not None


def parse_value(text: str, rule: Mapping[str, Any]) -> Any:
    """Parse a value as people type it: JSON, a word without quotes, or `a,b` for a list."""
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        found = text
    if rule.get("type") == "array" and not isinstance(found, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are no JSON


def unknown_key_text(key: str, others: list[str]) -> str:
    """Return what a message says of a word that is no key: the nearest one, or all there are."""
    known = [*setting_rules(), *others]
    near = difflib.get_close_matches(key.lower(), [one.lower() for one in known], n=1, cutoff=0.5)
    names = {one.lower(): one for one in known}
    hint = f"did you mean {names[near[0]]}?" if near else f"there are: {', '.join(known)}"
    return f"there is no setting {key!r}; {hint}"


def changed_file(file: Values, camera: str, key: str, value: Any) -> Values:
    """Return the file with a value for the stack or, if one is named, for a camera; None removes.

    SessionInputError names what would be wrong in the new file, for any camera.
    """
    changed: Values = json.loads(json.dumps(file))
    place = changed
    parts = ["cameras", camera, *key.split(".")] if camera else key.split(".")
    for part in parts[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise InputError(f"settings.json: {part} has to be an object")
    if value is None:
        place.pop(parts[-1], None)
    else:
        place[parts[-1]] = value
    cleaned = _without_empty(changed)
    sections = cleaned.get("cameras", {})
    for name in ["", camera, *(sections if isinstance(sections, dict) else [])]:
        settings.merge(cleaned, name, {})
    return cleaned


def _without_empty(place: Values) -> Values:
    """Return the values without objects that hold nothing."""
    cleaned = {
        name: _without_empty(one) if isinstance(one, dict) else one for name, one in place.items()
    }
    return {name: one for name, one in cleaned.items() if one != {}}


class StoredSettings:
    """The owner's `settings.json` in the bucket, as it was read; the version before is kept."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        """Read the file; SessionInputError if it is broken."""
        self.previous = ""  # the URL of the version before, once `write` has kept it
        self._s3, self._bucket = s3, bucket
        self._etag = self._read_etag()  # before the values: whatever comes between is noticed
        self.values: Values = settings_file.read(s3, bucket)

    def _read_etag(self) -> str:
        try:
            return self._s3.head_object(Bucket=self._bucket, Key=settings_file.KEY)["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return ""
            raise

    def write(self, values: Values) -> None:
        """Write the file, unless somebody else has since it was read."""
        body = json.dumps(values, indent=2, ensure_ascii=False).encode() + b"\n"
        try:
            if self._etag:
                self._s3.copy_object(
                    Bucket=self._bucket,
                    Key=PREVIOUS_KEY,
                    CopySource={"Bucket": self._bucket, "Key": settings_file.KEY},
                    CopySourceIfMatch=self._etag,
                )
                self._put(body, IfMatch=self._etag)
                self.previous = f"s3://{self._bucket}/{PREVIOUS_KEY}"
            else:
                self._put(body, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] in CHANGED:
                raise InputError("somebody else has changed settings.json; try again") from error
            raise

    def _put(self, body: bytes, **condition: Any) -> None:
        self._s3.put_object(
            Bucket=self._bucket,
            Key=settings_file.KEY,
            Body=body,
            ContentType="application/json",
            **condition,
        )
