"""Settings: one JSON Schema with the defaults, merged once per session from three places."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from whosthere.errors import SessionInputError


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
    """The merged settings of one session; similarities run from 0 to 100."""

    match_threshold: float
    margin: float
    gap_seconds: float
    confirm_sightings: int
    confirm_seconds: float
    sampling_seconds: float
    strangers: str
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

    @property
    def confirm_window_ms(self) -> int:
        """Time within which the confirming sightings must lie, in milliseconds."""
        return round(1000 * max(self.confirm_seconds, 3 * self.sampling_seconds))

    @property
    def gap_ms(self) -> int:
        """Time without a sighting after which a visit is over, in milliseconds."""
        return round(1000 * self.gap_seconds)


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of settings and of a session's input, as a dict."""
    text = (Path(__file__).parent / "settings.schema.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def defaults() -> dict[str, Any]:
    """The default of every setting, by its JSON name."""
    return _defaults_of(schema()["$defs"]["settings"])


def _defaults_of(definition: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, rule in definition["properties"].items():
        found[name] = _defaults_of(rule) if "properties" in rule else rule["default"]
    return found


def merge(file: Mapping[str, Any], camera: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults, then `settings.json`: stack-wide, its camera's section; then the session's own."""
    stack_wide = {name: value for name, value in file.items() if name != "cameras"}
    cameras = file.get("cameras", {})
    own = cameras.get(camera, {}) if isinstance(cameras, dict) else cameras
    check(stack_wide, "settings", "settings.json")
    check(own, "settings", f"settings.json, cameras.{camera}")
    merged = defaults()
    for layer in (stack_wide, own, given):
        quality = merged["quality"] | layer.get("quality", {})
        merged |= dict(layer) | {"quality": quality}
    zone(merged["timeZone"])
    return merged


def check(value: object, definition: str, where: str) -> None:
    """Raise SessionInputError that names each bad field, unless `value` fits the schema."""
    # jsonschema takes 0.1 s to import and only the opening of a session needs it
    from jsonschema import Draft202012Validator

    wanted = {"$ref": f"#/$defs/{definition}", "$defs": schema()["$defs"]}
    errors = sorted(Draft202012Validator(wanted).iter_errors(value), key=str)
    if errors:
        raise SessionInputError("; ".join(f"{where}: {_explain(error)}" for error in errors))


def _explain(error: Any) -> str:
    if error.validator == "oneOf" and not error.absolute_path:
        return "give either minutes (at most 1440) or until (HH:MM), not both"
    field = ".".join(str(part) for part in error.absolute_path)
    return f"{field}: {error.message}" if field else str(error.message)


def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name, or SessionInputError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SessionInputError(
            f"timeZone: {name!r} is no IANA time zone such as Europe/Berlin"
        ) from error


def from_values(values: Mapping[str, Any]) -> Settings:
    """Settings from the merged values of a session's row (numbers may be Decimals).

    A row that an earlier version wrote has the defaults of what is new.
    """
    values = defaults() | dict(values)
    quality = {name: float(value) for name, value in values["quality"].items()}
    return Settings(
        match_threshold=float(values["matchThreshold"]),
        margin=float(values["margin"]),
        gap_seconds=float(values["gapSeconds"]),
        confirm_sightings=int(values["confirmSightings"]),
        confirm_seconds=float(values["confirmSeconds"]),
        sampling_seconds=float(values["samplingSeconds"]),
        strangers=str(values["strangers"]),
        quality=Quality(**quality),
        tell=tuple(values["tell"]),
        health_check_seconds=int(values["healthCheckSeconds"]),
        media_wait_seconds=int(values["mediaWaitSeconds"]),
        silence_seconds=int(values["silenceSeconds"]),
        on_silence=str(values["onSilence"]),
        silence_limit_seconds=int(values["silenceLimitSeconds"]),
        records_missing_seconds=int(values["recordsMissingSeconds"]),
        time_zone=str(values["timeZone"]),
        # A session that was opened before there was this setting goes on without it.
        quiet_hours=tuple(values.get("quietHours", ())),
    )
