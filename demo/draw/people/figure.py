"""Draw one person into a picture."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from demo.draw.curves import Array, linear, ramp, unit
from demo.draw.face.expression import draw_eye, move_mouth, smile_lines
from demo.draw.face.glasses import draw_glasses
from demo.draw.face.texture import look_up, sample
from demo.draw.mesh import Hits, cover, signed_area
from demo.draw.people.light import TO_CAMERA, UP, cast_shadow, shade
from demo.draw.people.person import SHADOW_PER_CM, Person
from demo.draw.pose import Light, Pose, View, rotation

FINER = 2
"""Figures are drawn at twice the size and then shrunk, for smooth edges."""

HEAD_CM = 14.6


@dataclass(frozen=True, slots=True)
class Canvas:
    """Colour and depth of each pixel of the part of the picture that is drawn on."""

    colour: Array
    depth: Array
    shape: tuple[int, int]

    def put(self, hits: Hits, colour: Array, opacity: Array | None = None) -> None:
        """Paint what lies in front of everything painted before."""
        front = hits.depth > self.depth[hits.pixels]
        pixels = hits.pixels[front]
        if opacity is None:
            self.colour[pixels], self.depth[pixels] = colour[front], hits.depth[front]
            return
        alpha = opacity[front]
        self.colour[pixels] += (colour[front] - self.colour[pixels]) * alpha[:, None]
        solid = alpha > 0.5
        self.depth[pixels[solid]] = hits.depth[front][solid]


def draw_person(picture: Array, person: Person, pose: Pose, light: Light) -> Array:
    """Draw somebody over a picture of linear light; the picture itself is kept."""
    height, width = picture.shape[:2]
    scale = pose.width / (HEAD_CM * person.look.face_width)
    left = max(0, int(pose.x - 26 * scale))
    right = min(width, int(pose.x + 26 * scale))
    top = max(0, int(pose.y - 18 * scale))
    if left >= right:
        return picture
    size = ((right - left) * FINER, (height - top) * FINER)
    part = cv2.resize(picture[top:, left:right], size, interpolation=cv2.INTER_LINEAR)
    canvas = Canvas(part.reshape(-1, 3), np.full(size[0] * size[1], -1e8, np.float32), size[::-1])
    centre = ((pose.x - left) * FINER, (pose.y - top) * FINER)
    view = View(rotation(pose.yaw, pose.pitch, pose.roll), scale * FINER, centre)
    _draw_body(canvas, person, pose, light, view)
    _draw_ears(canvas, person, light, view)
    _draw_head(canvas, person, pose, light, view)
    _draw_hair(canvas, person, pose, light, view)
    if person.look.has_glasses:
        draw_glasses(part, person.look, view.project, view.scale)
    drawn = picture.copy()
    shrunk = cv2.resize(
        np.clip(part, 0, 1), (right - left, height - top), interpolation=cv2.INTER_AREA
    )
    drawn[top:, left:right] = shrunk
    return drawn


def _draw_body(canvas: Canvas, person: Person, pose: Pose, light: Light, view: View) -> None:
    """Draw neck and shoulders, which turn less than the head does."""
    view = replace(view, rotation=rotation(pose.yaw * 0.35, 0, pose.roll * 0.2))
    mesh, chin = person.body, person.features.chin_y
    values = np.concatenate([mesh.vertices, mesh.normals @ view.rotation.T], 1)
    points = view.project(mesh.vertices)
    triangles = mesh.triangles[_facing(points, mesh.triangles)]
    hits = cover(points, triangles, values, canvas.shape)
    x, y, z = hits.values[:, :3].T
    collar = y - 14.8 - 0.18 * np.clip(z, -9, 9)
    bare = 1 - ramp(collar, -0.15, 0.15)
    cloth = 1 + 0.05 * np.sin(0.9 * x + 0.35 * y) * ramp(y, 16, 22)
    skin = person.skin * np.array((0.97, 0.93, 0.93), np.float32)
    colour = skin * bare[:, None] + np.outer(cloth * (1 - bare), linear(person.look.shirt))
    under_chin = ramp(y - chin + 0.15 * light.direction[0] * x, 0.2, 4.2)
    shaded = shade(
        unit(hits.values[:, 3:]),
        colour,
        light,
        open_sky=0.38 + 0.62 * ramp(y - chin, -0.5, 5.5),
        lit=0.25 + 0.75 * under_chin,
        gloss=0.25 * bare,
    )
    # The body's front lies behind the chin, whichever way the head is turned.
    canvas.put(replace(hits, depth=hits.depth - 3), shaded)


def _draw_ears(canvas: Canvas, person: Person, light: Light, view: View) -> None:
    for mesh, places in person.ears:
        values = np.concatenate([mesh.normals @ view.rotation.T, places], 1)
        hits = cover(view.project(mesh.vertices), mesh.triangles, values, canvas.shape)
        y, z = hits.values[:, 4:].T
        hollow = np.exp(-(((y + 0.1) / 1.5) ** 2) - ((z - 0.1) / 0.8) ** 2)
        colour = np.outer(1 - 0.5 * hollow, person.skin * np.array((1.02, 0.84, 0.82), np.float32))
        normals = unit(hits.values[:, :3])
        canvas.put(hits, shade(normals, colour, light, open_sky=0.75))


def _draw_head(canvas: Canvas, person: Person, pose: Pose, light: Light, view: View) -> None:
    features, face, smooth = person.features, person.face, person.skull.mesh
    points = view.project(person.head.vertices)
    triangles = smooth.triangles[_facing(points, smooth.triangles)]
    values = np.concatenate([smooth.vertices, smooth.normals], 1)
    hits = cover(points, triangles, values, canvas.shape)
    places = hits.values[:, :3]
    x, y, z = places.T
    mouth = move_mouth(features, pose, x, y)

    def on_face(texture: Array) -> Array:
        return sample(texture, mouth.x, mouth.y)

    normals = unit(hits.values[:, 3:])
    forward = np.clip(normals[:, 2], 0, 1) * ramp(normals[:, 2], 0, 0.3)
    normals[:, 0] -= forward * on_face(face.slope_x)
    normals[:, 1] -= forward * on_face(face.slope_y)
    normals = unit(normals)
    front = z > 0
    colour = np.where(front[:, None], on_face(face.colour), person.skin)
    gloss = on_face(face.gloss)
    for side in (-1, 1):
        glint = float(np.sign(light.x))
        eye = draw_eye(features, pose, side, places, colour, glint)
        colour[eye.pixels] = eye.colour
        gloss[eye.pixels] *= 1 - eye.visible
        part = eye.visible[:, None]
        lens = normals[eye.pixels] * (1 - part) + eye.normals * part
        normals[eye.pixels] = unit(lens)
    colour += (mouth.colour - colour) * mouth.opening[:, None]
    shadow = cast_shadow(face.depth, view.rotation.T @ light.direction)
    shaded = shade(
        normals @ view.rotation.T,
        colour,
        light,
        open_sky=on_face(face.occlusion),
        lit=np.where(front, sample(shadow, x, y, SHADOW_PER_CM), 1),
        gloss=gloss * (1 - mouth.opening),
    )
    canvas.put(hits, shaded * smile_lines(features, pose, x, y)[:, None])


def _facing(points: Array, triangles: Array) -> Array:
    """Return which triangles of a closed surface show their outside.

    Their area is positive, because grids are wound that way.
    """
    return signed_area(points, triangles) > 0


def _draw_hair(canvas: Canvas, person: Person, pose: Pose, light: Light, view: View) -> None:
    mesh, hair = person.hair.mesh, person.hair
    normals = mesh.normals @ view.rotation.T
    values = np.concatenate([hair.places, normals], 1)
    # Long hair hangs down, however the head is held.
    hanging = replace(view, rotation=rotation(pose.yaw, 0, 0))
    low = ramp(mesh.vertices[:, 1:2], 3, 13)
    points = view.project(mesh.vertices) * (1 - low) + hanging.project(mesh.vertices) * low
    outside = normals[mesh.triangles][:, :, 2].mean(1) > 0
    for is_outside in (False, True):
        triangles = mesh.triangles[outside == is_outside]
        hits = cover(points, triangles, values, canvas.shape)
        strands = look_up(hair.strands, hits.values[:, 0], hits.values[:, 1])
        if is_outside:
            colour = _lit_hair(person, strands, unit(hits.values[:, 2:]), light)
            hits = replace(hits, depth=hits.depth + 0.12)
        else:
            colour = np.outer(0.22 * strands[:, 0], person.hair_colour)
        canvas.put(hits, colour, strands[:, 1])


def _lit_hair(person: Person, strands: Array, normals: Array, light: Light) -> Array:
    brightness, tilt = strands[:, 0], strands[:, 2]
    normals[:, 0] += 0.28 * tilt
    normals = unit(normals)
    colour = np.outer(brightness, person.hair_colour)
    toward = unit(light.direction + TO_CAMERA + 0.25 * UP)
    shine = np.clip(normals @ toward, 0, 1) ** 14 * np.clip(brightness, 0, 1.6)
    sheen = np.outer(shine, (0.4 * person.hair_colour + 0.016))
    return shade(normals, colour, light, open_sky=0.85) + sheen
