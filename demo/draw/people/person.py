"""One invented person, modelled and painted, ready to be drawn in any pose."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from demo.draw.curves import Array, linear, ramp
from demo.draw.face.facial_hair import paint_beard, paint_brows
from demo.draw.face.features import Features
from demo.draw.face.hair import CUTS, Hair, make_hair, roots
from demo.draw.face.relief import make_relief
from demo.draw.face.skin import Paint, gloss, occlusion, paint_skin, skin_colour
from demo.draw.face.skull import CROWN, Skull, make_skull
from demo.draw.face.texture import PER_CM, SHAPE, X, Y, sample
from demo.draw.look import Look
from demo.draw.mesh import Mesh
from demo.draw.people.body import make_body, make_ears

SHADOW_PER_CM = 12
"""Cast shadows are soft, so a coarse copy of the face is enough for them."""


@dataclass(frozen=True, slots=True)
class Face:
    """The front textures of a head: what `texture.sample` reads."""

    colour: Array
    slope_x: Array
    slope_y: Array
    occlusion: Array
    gloss: Array
    depth: Array
    """How far toward the camera each point lies, at SHADOW_PER_CM; -5 beside the head."""


@dataclass(frozen=True, slots=True)
class Person:
    """Everything of a person that no pose changes."""

    look: Look
    features: Features
    skull: Skull
    head: Mesh
    face: Face
    hair: Hair
    body: Mesh
    ears: list[tuple[Mesh, Array]]

    @property
    def skin(self) -> Array:
        """Return the colour of bare skin, for neck and ears."""
        return skin_colour(self.look.skin_tone).astype(np.float32)

    @property
    def hair_colour(self) -> Array:
        """Return the colour of the hair as light."""
        return linear(self.look.hair_colour)


def make_person(look: Look) -> Person:
    """Model and paint a person."""
    rng = np.random.default_rng(look.seed)
    features = Features(look)
    skull = make_skull(features)
    relief = make_relief(features, rng)
    paint = paint_skin(features, relief, rng)
    brows = paint_brows(paint, features, rng)
    beard, growth = paint_beard(paint, features, skull, rng)
    height = (relief.height + growth).astype(np.float32)
    hair = make_hair(features, skull, rng)
    shade = _shade_under_hair(paint, features, skull)
    smooth = cv2.GaussianBlur(height, (0, 0), 1.0)
    face = Face(
        colour=np.clip(paint.colour, 0.002, 1).astype(np.float32),
        slope_x=(np.gradient(smooth, axis=1) * PER_CM).astype(np.float32),
        slope_y=(np.gradient(smooth, axis=0) * PER_CM).astype(np.float32),
        occlusion=(occlusion(height) * shade).astype(np.float32),
        gloss=gloss(features, brows + beard).astype(np.float32),
        depth=_depth(features, skull, height),
    )
    head = _raised(skull, height)
    ears = [] if CUTS[look.hair_style].hangs else make_ears(look)
    return Person(look, features, skull, head, face, hair, make_body(look), ears)


def _shade_under_hair(paint: Paint, features: Features, skull: Skull) -> Array:
    """Paint the roots of short hair; returns how much light the hair leaves."""
    look = features.look
    cut = CUTS[look.hair_style]
    above = roots(features, skull, X, Y)
    if look.hair_style == "cropped":
        paint.cover(0.75 * ramp(above, -0.5, 0.5), linear(look.hair_colour))
    reach = 0.9 if cut.hangs else 0.7
    return 1 - cut.shadow * np.exp(-np.clip(-above, 0, 9) / reach)


def _depth(features: Features, skull: Skull, height: Array) -> Array:
    size = (SHAPE[1] * SHADOW_PER_CM // PER_CM, SHAPE[0] * SHADOW_PER_CM // PER_CM)
    x, y, relief = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (X, Y, height))
    on_head = np.clip(y, CROWN + 0.1, features.chin_y - 0.03)
    round_part = 1 - (x / skull.width(on_head)) ** 2
    depth = skull.front(on_head) * np.sqrt(np.clip(round_part, 0, 1)) + relief
    inside = (round_part > 0) & (y < features.chin_y) & (y > CROWN)
    return np.where(inside, depth, -5).astype(np.float32)


def _raised(skull: Skull, height: Array) -> Mesh:
    vertices = skull.mesh.vertices.copy()
    forward = ramp(np.cos(skull.longitude), 0.05, 0.4)
    vertices[:, 2] += sample(height, vertices[:, 0], vertices[:, 1]) * forward
    return replace(skull.mesh, vertices=vertices)
