"""`./whosthere settings`: show the settings and where each comes from, or change one."""

import argparse
import json
from typing import Any

from cli.aws.connect import add_options, connect, print_result
from cli.aws.effective_settings import (
    EffectiveSetting,
    StoredSettings,
    Values,
    changed_file,
    effective_settings,
    has_value,
    own_section,
    parse_value,
    setting_rules,
    unknown_key_text,
    value_at,
)
from cli.aws.target import Target, require_camera
from cli.aws.time_formats import format_time
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.tables import format_table
from whosthere import dynamodb
from whosthere.clock import now_ms
from whosthere.session_store import Session, latest_session, session_key

HELP = "show the settings and where each comes from, or change one"
EXAMPLE = "./whosthere settings back-door strangers off"
NOW, NEXT_SESSION = "now", "next session"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[camera] [key [value]]",
        help="without a camera: of all cameras; a list is a,b",
    )
    add_options(parser, camera=False)
    parser.add_argument("--remove", action="store_true", help="remove the value of that key")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Show or change the settings and return the exit code."""
    with connect(arguments) as target:
        camera, rest = _split(target, arguments.words)
        stored = StoredSettings(target.session.client("s3"), target.output("BucketName"))
        if arguments.remove or len(rest) > 1:
            content, text = _change(target, stored, camera, rest, remove=arguments.remove)
        else:
            content, text = _show(target, stored.values, camera, rest)
    print_result(arguments, content, text)
    return 0


def _split(target: Target, words: list[str]) -> tuple[str, list[str]]:
    """Return the camera, empty if none is named, and the other words."""
    if len(words) > 3:
        raise InputError(f"too many words: {EXAMPLE}")
    if len(words) == 3:
        return require_camera(target, words[0]), words[1:]
    if words and words[0] in target.cameras:
        return words[0], words[1:]
    return "", words


def _show(target: Target, file: Values, camera: str, keys: list[str]) -> tuple[dict[str, Any], str]:
    found = effective_settings(file, camera)
    if keys:
        _require_key(target, keys[0])
        found = [one for one in found if one.key == keys[0]]
    running = {one.camera: one for one in _running(target, [camera] if camera else target.cameras)}
    own = _own_values(target, running.get(camera), found)
    rows = [_row(one, own) for one in found]
    lines = [format_table([("setting", "value", "default", "from"), *rows])]
    if not camera:
        lines += [
            f"{name} has its own {one.key}: {_shown(value_at(own_section(file, name), one.key))}"
            for name in target.cameras
            for one in found
            if has_value(own_section(file, name), one.key)
        ]
    content = {
        "camera": camera or None,
        "session": running[camera].id if camera in running else None,
        "settings": [_setting_json(one, own) for one in found],
    }
    return content, "\n".join(lines)


def _row(one: EffectiveSetting, own: dict[str, Any]) -> tuple[str, str, str, str]:
    source = one.source
    if one.key in own:
        source += f"; the running session has {_shown(own[one.key])}"
    return one.key, _shown(one.value), _shown(one.default), source


def _setting_json(one: EffectiveSetting, own: dict[str, Any]) -> dict[str, Any]:
    found = {"key": one.key, "value": one.value, "default": one.default, "from": one.source}
    return found | ({"running": own[one.key]} if one.key in own else {})


def _own_values(
    target: Target, session: Session | None, found: list[EffectiveSetting]
) -> dict[str, Any]:
    """Return which settings of a running session differ from what the next one would read."""
    row = dynamodb.read(target.table(), session_key(session.id)) if session else None
    if row is None:
        return {}
    kept = json.loads(json.dumps(row["settings"], default=float))
    values = {one.key: value_at(kept, one.key) for one in found}
    return {one.key: values[one.key] for one in found if values[one.key] not in (None, one.value)}


def _change(
    target: Target, stored: StoredSettings, camera: str, words: list[str], *, remove: bool
) -> tuple[dict[str, Any], str]:
    if len(words) != (1 if remove else 2):
        raise InputError(f"say which: {EXAMPLE}, or ./whosthere settings strangers --remove")
    key, place = words[0], own_section(stored.values, camera) if camera else stored.values
    if not (remove and has_value(place, key)):  # a key that is no setting may be removed
        _require_key(target, key)
    value = None if remove else parse_value(words[1], setting_rules()[key])
    before, after = value_at(place, key), changed_file(stored.values, camera, key, value)
    if after != stored.values:
        stored.write(after)
    counts = {one.key: one.value for one in effective_settings(after, camera)}
    kept_by = _keeping(target, after, camera, key)
    content = {
        "camera": camera or None,
        "key": key,
        "before": before,
        "value": counts.get(key),
        "holds": NEXT_SESSION if kept_by else NOW,
        "running": [one.id for one in kept_by],
        "previous": stored.previous or None,
    }
    return content, _changed_text(target, stored, content, kept_by, after)


def _keeping(target: Target, file: Values, camera: str, key: str) -> list[Session]:
    """Return the running sessions that such a change is for, and that do not read it any more."""
    cameras = [camera] if camera else target.cameras
    own = {name for name in cameras if has_value(own_section(file, name), key)}
    return _running(target, [name for name in cameras if camera or name not in own])


def _changed_text(
    target: Target,
    stored: StoredSettings,
    content: dict[str, Any],
    kept_by: list[Session],
    file: Values,
) -> str:
    camera, key = content["camera"], content["key"]
    lines = [f"{camera or 'all cameras'}: {key} is {_shown(content['value'])}"]
    for one in kept_by:
        until = format_time(one.deadline_ms, one.settings.time_zone, now_ms())
        lines.append(f"It holds from the next session; {one.id} at {one.camera} runs until {until}")
    if not kept_by:
        lines.append("It holds now: no session runs, and the next one reads it")
    if key == "timeZone":
        lines.append("Schedules keep the zone that they were made with")
    if not camera:
        lines += [
            f"{name} has its own: {_shown(value_at(own_section(file, name), key))}"
            for name in target.cameras
            if has_value(own_section(file, name), key)
        ]
    if stored.previous:
        lines.append(f"The file before: {stored.previous}")
    return "\n".join(lines)


def _running(target: Target, cameras: list[str] | tuple[str, ...]) -> list[Session]:
    found = [latest_session(target.table(), name) for name in cameras]
    return [one for one in found if one is not None and one.held]


def _require_key(target: Target, key: str) -> None:
    if key not in setting_rules():
        raise InputError(unknown_key_text(key, list(target.cameras)))


def _shown(value: Any) -> str:
    """Return a value as it may be typed; nothing for one that is gone."""
    if isinstance(value, list):
        return ",".join(map(str, value)) or "[]"
    return "nothing" if value is None else str(value)
