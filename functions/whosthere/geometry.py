"""Boxes of faces, and whether two of them can be the same face a moment apart."""

from dataclasses import dataclass

# A walking person's face moves about half its own size a second as a door camera
# sees it; the rest is what the detector's boxes jitter.
JITTER = 0.25
MOTION_PER_SECOND = 0.5
COVERED = 0.3  # share of the newer box that has to lie in the grown older one
SCALE = 10_000  # boxes lie in rows as whole numbers: DynamoDB takes no floats


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in shares of the frame's width and height."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.height

    @property
    def middle(self) -> tuple[float, float]:
        """Its middle, from the left and from the top."""
        return self.left + self.width / 2, self.top + self.height / 2

    def grown(self, left: float, top: float, right: float, bottom: float) -> "Box":
        """Return the box with margins in shares of its own size, cropped at the frame's edge."""
        x1 = max(0.0, self.left - left * self.width)
        y1 = max(0.0, self.top - top * self.height)
        x2 = min(1.0, self.right + right * self.width)
        y2 = min(1.0, self.bottom + bottom * self.height)
        return Box(x1, y1, x2 - x1, y2 - y1)

    def covered_by(self, other: "Box") -> float:
        """Return the share of this box that lies in the other one."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / (self.width * self.height)

    def to_row(self) -> list[int]:
        """Return the box as a row keeps it."""
        sides = (self.left, self.top, self.width, self.height)
        return [round(side * SCALE) for side in sides]

    @classmethod
    def from_row(cls, value: list[int]) -> "Box":
        """Return the box that `to_row` wrote."""
        left, top, width, height = value
        return cls(int(left) / SCALE, int(top) / SCALE, int(width) / SCALE, int(height) / SCALE)


def distance(older: Box, newer: Box, elapsed_ms: int) -> float | None:
    """Return how far a face moved, in its own sizes; None if it cannot be the same face."""
    if not 0.5 <= newer.height / older.height <= 2:
        return None
    margin = JITTER + MOTION_PER_SECOND * elapsed_ms / 1000
    if newer.covered_by(older.grown(margin, margin, margin, margin)) < COVERED:
        return None
    (x1, y1), (x2, y2) = older.middle, newer.middle
    across = (x2 - x1) / older.width
    down = (y2 - y1) / older.height
    return float((across**2 + down**2) ** 0.5)
