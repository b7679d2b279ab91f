"""Failures and dead letters that concern somebody: found whatever they are wrapped in.

A failure is JSON that may hold JSON as text, and that a record in base64. A record of a face that
matched nobody names nobody: nothing says whose it is, and it expires.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cli.forget.plan import ForgetPlan

Concerns = Callable[[str], bool]


def concerns(plan: ForgetPlan) -> Concerns:
    """Return what says whether a text has an id or a key of the plan in it."""
    parts = [re.escape(id) + r"(?![0-9a-z]|-[0-9]\b)" for id in sorted(plan.ids)]
    parts += [re.escape(key) for key in sorted(plan.folders | plan.keys)]
    pattern = re.compile("|".join(parts) or r"(?!)")
    return lambda text: pattern.search(text) is not None


def texts_within(value: object) -> Iterator[str]:
    """Yield each text of a JSON value, also of the JSON in its texts, and of that in base64."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield name
            yield from texts_within(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts_within(part)
    elif isinstance(value, str):
        yield value
        yield from texts_within(_parsed(value))


def without(body: bytes, concerned: Concerns) -> bytes | None:
    """Return a stored failure without what concerns somebody; None if nothing does.

    Of a batch that Lambda gave up the other records stay; nothing is left of anything else.
    """
    kept = _parse(body)
    if kept is None:
        return b"" if concerned(body.decode(errors="replace")) else None
    if not any(map(concerned, texts_within(kept))):
        return None
    payload = kept.get("payload") if isinstance(kept, dict) else None
    event = _parse(payload) if isinstance(payload, str) else payload
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(records, list):
        return b""
    left = [one for one in records if not any(map(concerned, texts_within(one)))]
    if not left:
        return b""
    after = {**event, "Records": left}
    whole = {**kept, "payload": json.dumps(after) if isinstance(payload, str) else after}
    is_clean = not any(map(concerned, texts_within(whole)))
    return json.dumps(whole).encode() if is_clean else b""


def _parsed(text: str) -> object:
    """Return the object or list that a text is, as JSON or as that in base64; None if neither."""
    found = _parse(text)
    if found is None:
        try:
            found = _parse(base64.b64decode(text, validate=True))
        except ValueError:
            return None
    return found


def _parse(text: str | bytes) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None
