"""Settings: one JSON Schema with the defaults, merged once per session from three places."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from whosthere.errors import SessionInputError

if TYPE_CHECKING:
    from jsonschema import ValidationError

SMALLEST_NUMBER = 1e-6
MESSAGE_LENGTH, MOST_TOLD = 300, 20


@dataclass(frozen=True, slots=True)
class Quality:
    """What a stranger's sighting must reach before anything of it is kept."""

    confidence: float
    sharpness: float
    brightness: float
    height: float
    yaw: float


@dataclass(frozen=True, slots=True)
class Settings:
    """The merged settings of one session; similarities run from 0 to 100.

    `gap_ms` is the time without a sighting after which a visit is over, `confirm_window_ms` the
    time within which the confirming sightings must lie. Of unsure sightings
    `probably_sightings` confirm a visit, or none if it is 0. A limit of 0 dollars is none. A
    followed face is searched again after `search_again_ms`, and an image in which no block has
    changed by more than `image_change_levels` shows the faces of the one before.
    """

    match_threshold: float
    margin: float
    gap_ms: int
    confirm_sightings: int
    confirm_window_ms: int
    probably_sightings: int
    sampling_seconds: float
    search_again_ms: int
    image_change_levels: int
    strangers: str
    recurring_visits: int
    recurring_days: int
    quality: Quality
    tell: tuple[str, ...]
    health_check_seconds: int
    media_wait_seconds: int
    silence_seconds: int
    on_silence: str
    silence_limit_seconds: int
    records_missing_seconds: int
    time_zone: str
    quiet_hours: tuple[str, ...]
    discard_delay_ms: int
    max_dollars: float = 0
    max_dollars_month: float = 0


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of settings and of a session's input."""
    text = (Path(__file__).parent / "settings.schema.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def defaults() -> dict[str, Any]:
    """Return the default of every setting, by its JSON name."""
    return deepcopy(_defaults())


@cache
def _defaults() -> dict[str, Any]:
    return _defaults_of(schema()["$defs"]["settings"])


def _defaults_of(definition: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, rule in definition["properties"].items():
        found[name] = _defaults_of(rule) if "properties" in rule else rule["default"]
    return found


def merge(file: Mapping[str, Any], camera: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Merge defaults, `settings.json` (stack-wide, then the camera's section) and what is given."""
    stack_wide = {name: value for name, value in file.items() if name != "cameras"}
    cameras = file.get("cameras", {})
    own = cameras.get(camera, {}) if isinstance(cameras, dict) else cameras
    check(stack_wide, "settings", "settings.json")
    check(own, "settings", f"settings.json, cameras.{camera}")
    merged = defaults()
    for layer in (stack_wide, own, given):
        quality = merged["quality"] | layer.get("quality", {})
        merged |= dict(layer) | {"quality": quality}
    _check_zone(merged["timeZone"])
    return merged


def check(value: object, definition: str, where: str) -> None:
    """Raise SessionInputError that names each bad field, unless `value` fits the schema."""
    # jsonschema takes 0.1 s to import and only the opening of a session needs it
    from jsonschema import Draft202012Validator

    wanted = {"$ref": f"#/$defs/{definition}", "$defs": schema()["$defs"]}
    try:
        told = [_explain(error) for error in Draft202012Validator(wanted).iter_errors(value)]
        told += _unusable_numbers(value, "")
    except RecursionError as error:
        raise SessionInputError(f"{where}: nested too deep") from error
    if told:
        raise SessionInputError("; ".join(f"{where}: {one}" for one in sorted(told)[:MOST_TOLD]))


def _explain(error: "ValidationError") -> str:
    if error.validator == "oneOf" and not error.absolute_path:
        return "give either minutes (at most 1440) or until (HH:MM), not both"
    field = ".".join(str(part) for part in error.absolute_path)
    # The message shows the value, which may be of any length.
    message = str(error.message)
    if len(message) > MESSAGE_LENGTH:
        message = f"{message[: MESSAGE_LENGTH // 2]} ... {message[-MESSAGE_LENGTH // 2 :]}"
    return f"{field}: {message}" if field else message


def _unusable_numbers(value: object, field: str) -> list[str]:
    """Return which numbers no row of the table can hold, though they fit the schema.

    DynamoDB knows no NaN and nothing between 0 and 1E-130.
    """
    if isinstance(value, dict):
        parts = (
            (f"{field}.{name}" if field else str(name), inner) for name, inner in value.items()
        )
        return [told for name, inner in parts for told in _unusable_numbers(inner, name)]
    if isinstance(value, float) and not (value == 0 or abs(value) >= SMALLEST_NUMBER):
        return [f"{field}: {value} is no number, or too close to 0"]
    return []


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: "Europe" is a folder
        raise SessionInputError(
            f"timeZone: {name!r} is no IANA time zone such as Europe/Berlin"
        ) from error


def from_values(values: Mapping[str, Any]) -> Settings:
    """Return the settings from the merged values of a session's row (numbers may be Decimals).

    A row that an earlier version wrote gets the defaults of newer settings.
    """
    values = _defaults() | dict(values)
    quality = {name: float(value) for name, value in values["quality"].items()}
    sampling_seconds = float(values["samplingSeconds"])
    return Settings(
        match_threshold=float(values["matchThreshold"]),
        margin=float(values["margin"]),
        gap_ms=round(1000 * float(values["gapSeconds"])),
        confirm_sightings=int(values["confirmSightings"]),
        confirm_window_ms=round(1000 * max(float(values["confirmSeconds"]), 3 * sampling_seconds)),
        probably_sightings=int(values["probablySightings"]),
        sampling_seconds=sampling_seconds,
        search_again_ms=round(1000 * float(values["searchAgainSeconds"])),
        image_change_levels=int(values["imageChangeLevels"]),
        strangers=str(values["strangers"]),
        recurring_visits=int(values["recurringVisits"]),
        recurring_days=int(values["recurringDays"]),
        quality=Quality(**quality),
        tell=tuple(values["tell"]),
        health_check_seconds=int(values["healthCheckSeconds"]),
        media_wait_seconds=int(values["mediaWaitSeconds"]),
        silence_seconds=int(values["silenceSeconds"]),
        on_silence=str(values["onSilence"]),
        silence_limit_seconds=int(values["silenceLimitSeconds"]),
        records_missing_seconds=int(values["recordsMissingSeconds"]),
        time_zone=str(values["timeZone"]),
        quiet_hours=tuple(values["quietHours"]),
        discard_delay_ms=round(1000 * float(values["discardDelaySeconds"])),
        max_dollars=float(values["maxDollars"]),
        max_dollars_month=float(values["maxDollarsMonth"]),
    )
