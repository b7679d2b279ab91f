"""Compute the right answers of the film: who is in it when, and the alerts it has to cause."""

from pathlib import Path
from typing import Any

from demo.draw.portraits import PORTRAITS
from demo.draw.script import (
    APPEARANCES,
    CONFIRM_SECONDS,
    CONFIRM_SIGHTINGS,
    FPS,
    GAP_SECONDS,
    SECONDS,
    Appearance,
)

CONFIRMED_AFTER = 1.0
"""At most this long after somebody has arrived, the sighting that confirms is made."""


def answers(film: Path) -> dict[str, Any]:
    """Return the content of `film.json`."""
    return {
        "film": film.name,
        "seconds": SECONDS,
        "fps": FPS,
        "people": {
            name: [f"people/{name}/{n}.jpg" for n in range(1, len(portraits) + 1)]
            for name, portraits in PORTRAITS.items()
        },
        "settings": {
            "gapSeconds": GAP_SECONDS,
            "confirmSightings": CONFIRM_SIGHTINGS,
            "confirmSeconds": CONFIRM_SECONDS,
        },
        "appearances": [_appearance(appearance) for appearance in APPEARANCES],
        "alerts": [_alert(appearance) for appearance in APPEARANCES if appearance.is_news],
        "strangers": [{"who": who} for who in _strangers()],
    }


def _strangers() -> list[str]:
    seen = dict.fromkeys(appearance.who for appearance in APPEARANCES)
    return [who for who in seen if who not in PORTRAITS]


def _appearance(appearance: Appearance) -> dict[str, Any]:
    start, end = appearance.span
    return {
        "who": appearance.who,
        "from": round(start, 1),
        "to": round(end, 1),
        "turned": [list(appearance.turn.span)] if appearance.turn else [],
    }


def _alert(appearance: Appearance) -> dict[str, Any]:
    known = appearance.who in PORTRAITS
    between = [appearance.span[0], appearance.arrives + CONFIRMED_AFTER]
    return {
        "kind": "person" if known else "stranger",
        "name" if known else "who": appearance.who,
        "between": [round(at, 1) for at in between],
    }
