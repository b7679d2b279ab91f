"""Who comes to the door when, and what they do there."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.interpolate import PchipInterpolator

from demo.draw.pose import Pose

SECONDS = 43.0
FPS = 10
GAP_SECONDS = 5
CONFIRM_SIGHTINGS = 2
CONFIRM_SECONDS = 2
WALK_SECONDS = 1.3
TURN_SECONDS = 0.5

type Span = tuple[float, float]
type Key = tuple[float, float, float, float]
"""Yaw, pitch, roll and how far the eyes are shut."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Looking away for a while: how far to the side, up, and tilted."""

    span: Span
    yaw: float
    pitch: float = 0
    roll: float = 0
    squint: float = 0


@dataclass(frozen=True, slots=True)
class Appearance:
    """Somebody walks in from one side, stands, perhaps turns away, and walks off."""

    who: str
    side: Literal["left", "right"]
    arrives: float
    leaves: float
    x: float
    turn: Turn | None = None
    is_news: bool = True
    """Whether a visit begins, so that there is an alert."""

    width: float = 124
    mood: dict[str, float] = field(default_factory=dict)

    @property
    def span(self) -> Span:
        """Return the first and the last moment in the picture."""
        return self.arrives - WALK_SECONDS, self.leaves + WALK_SECONDS


UP_TO_THE_SKY = Turn((4.8, 6.8), yaw=24, pitch=36, squint=1)
OVER_THE_SHOULDER = Turn((19.0, 20.4), yaw=-36, pitch=8)
UP_TO_THE_ROOF = Turn((25.1, 27.1), yaw=14, pitch=25, roll=11, squint=1)

APPEARANCES = (
    Appearance("Zoë", "left", 2.9, 7.1, 262, UP_TO_THE_SKY, mood={"smile": 0.5}),
    Appearance("Zoë", "left", 11.3, 12.9, 240, is_news=False, mood={"talk": 0.5}),
    Appearance("stranger-1", "right", 17.5, 20.6, 392, OVER_THE_SHOULDER),
    Appearance("Ravi", "left", 23.4, 27.4, 254, UP_TO_THE_ROOF, mood={"smile": 0.2}),
    Appearance("stranger-2", "right", 32.0, 33.7, 384, mood={"talk": 0.4}),
    Appearance("Zoë", "left", 36.6, 38.9, 196, width=116, mood={"smile": 0.6}),
    Appearance("Ravi", "right", 37.1, 39.3, 440, width=120, mood={"talk": 0.5}),
)


def in_picture(at: float) -> Iterator[tuple[Appearance, Pose]]:
    """Return everybody who is in the picture at a moment, and their poses."""
    for appearance in APPEARANCES:
        start, end = appearance.span
        if start <= at < end:
            yield appearance, pose_at(appearance, at)


def pose_at(appearance: Appearance, at: float) -> Pose:
    """Return how somebody holds their head at a moment of their appearance."""
    times, keys = zip(*sorted(_keys(appearance).items()), strict=True)
    yaw, pitch, roll, squint = PchipInterpolator(times, keys)(at).tolist()
    # Nobody stands quite still: slow sways whose phases differ between appearances.
    t = at - appearance.arrives
    phase = np.arange(8) * 1.7 + appearance.arrives
    sway = np.sin(2 * np.pi * np.linspace(0.17, 0.43, 8) * t + phase).tolist()
    is_walking = not appearance.arrives < at < appearance.leaves
    step = abs(math.sin(2 * math.pi * 1.1 * t)) if is_walking else 0
    mood = {"smile": 0.1, "talk": 0.0} | appearance.mood
    return Pose(
        x=_walk(appearance, at) + 5 * sway[0],
        y=232 + 4 * sway[1] - 7 * step,
        width=appearance.width * (1 + 0.03 * sway[2]),
        yaw=yaw + 4 * sway[3],
        pitch=pitch + 3 + 2 * sway[4],
        roll=roll + 2.5 * sway[5],
        blink=max(squint, math.exp(-((((t + 0.9) % 2.9 - 1.5) / 0.07) ** 2))),
        smile=mood["smile"] * (0.8 + 0.2 * sway[6]),
        talk=mood["talk"] * max(0.0, math.sin(9 * t) * (0.6 + 0.4 * sway[7])),
        gaze_x=0.06 * sway[6],
    )


def _walk(appearance: Appearance, at: float) -> float:
    """Return the position across the picture: in and out at a steady pace."""
    width = appearance.width
    outside = -width if appearance.side == "left" else 640 + width
    start, end = appearance.span
    times = (start, appearance.arrives, appearance.leaves, end)
    return float(np.interp(at, times, (outside, appearance.x, appearance.x, outside)))


def _keys(appearance: Appearance) -> dict[float, Key]:
    """Return how the head is held at the key moments; between them all is smooth."""
    outward = -1 if appearance.side == "left" else 1
    start, end = appearance.span
    facing = (0.0, 0.0, 0.0, 0.0)
    keys: dict[float, Key] = {
        start: (-20.0 * outward, 0, 0, 0),
        appearance.arrives: facing,
        appearance.leaves: facing,
        appearance.leaves + 0.4 * WALK_SECONDS: (34.0 * outward, 0, 0, 0),
        end: (40.0 * outward, 0, 0, 0),
    }
    if turn := appearance.turn:
        away = (turn.yaw, turn.pitch, turn.roll, turn.squint)
        first, last = turn.span
        keys |= {first: facing, first + TURN_SECONDS: away}
        keys |= {last - TURN_SECONDS: away, last: facing}
    return keys
