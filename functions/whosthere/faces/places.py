"""Faces and places of an image: which face is clearly nearest to a place, and where none is."""

from collections.abc import Sequence

from whosthere.faces.followed_image import Detected
from whosthere.geometry import Box, distance
from whosthere.ingest.image import box_of

# Another face or place competes if it is nearer than that, in sizes of the face, or not so many
# times as far away as the nearest.
CLEAR_DISTANCE, CLEAR_RATIO = 0.5, 2.0
# What the camera took for a face moves so little between two images, in its own size.
STILL = 0.2

type Apart = Sequence[float | None]  # how far known faces are from a place, or places from one


def clear_place(row: Apart, number: int, columns: Sequence[Apart]) -> int | None:
    """Return the place of the known face that is clearly nearest to a box, or None."""
    near = [(apart, place) for place, apart in enumerate(row) if apart is not None]
    if not near:
        return None
    nearest, place = min(near)
    rivals = [apart for apart, other in near if other != place]
    column = enumerate(columns[place])
    rivals += [apart for other, apart in column if other != number and apart is not None]
    least = max(CLEAR_DISTANCE, CLEAR_RATIO * nearest)
    return place if all(apart >= least for apart in rivals) else None


def is_at(box: Box, places: Sequence[Box]) -> bool:
    """Return whether a box is at one of these places, but for what boxes jitter."""
    apart = (distance(place, box, 0) for place in places)
    return any(one is not None and one <= STILL for one in apart)


def moved_to(box: Box, detected: Sequence[Detected]) -> Detected:
    """Return the nearest of these faces, with its size, in the middle of the camera's box."""
    x, y = box.middle

    def apart(face: Detected) -> float:
        across, down = box_of(face).middle
        return (across - x) ** 2 + (down - y) ** 2

    nearest = min(detected, key=apart)
    size = box_of(nearest)
    place = {"Left": x - size.width / 2, "Top": y - size.height / 2}
    return {**nearest, "BoundingBox": {**nearest["BoundingBox"], **place}}
