"""What makes one invented person differ from another: about fifty figures."""

import json
from dataclasses import dataclass
from pathlib import Path

PEOPLE = Path(__file__).with_name("people.json")


@dataclass(frozen=True, slots=True)
class Look:
    """The figures of one person, in centimetres or as a share of the usual."""

    face_width: float
    face_height: float
    jaw: float
    chin_width: float
    chin_length: float
    temple: float
    cheekbone: float
    cheek_fullness: float
    brow_ridge: float
    socket: float
    eye_offset: float
    eye_y: float
    eye_width: float
    eye_height: float
    eye_slant: float
    lid_fold: float
    lashes: float
    eye_bags: float
    eye_sparkle: float
    iris: tuple[int, int, int]
    brow_height: float
    brow_thickness: float
    brow_arch: float
    brow_slant: float
    brow_length: float
    brow_start: float
    brow_density: float
    nose_length: float
    nose_width: float
    nose_height: float
    nose_bridge: float
    bridge_width: float
    nose_tip: float
    nose_hump: float
    mouth_drop: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    lip_colour: float
    mouth_corner: float
    age: float
    rosiness: float
    freckles: float
    skin_tone: float
    hair_style: str
    hair_colour: tuple[int, int, int]
    hair_thickness: float
    hairline: float
    has_beard: bool
    has_glasses: bool
    has_narrow_shoulders: bool
    shirt: tuple[int, int, int]
    seed: int


def looks() -> dict[str, Look]:
    """Read everybody who is drawn, by name."""
    people = json.loads(PEOPLE.read_text(encoding="utf-8"))
    return {name: Look(**figures) for name, figures in people.items()}
