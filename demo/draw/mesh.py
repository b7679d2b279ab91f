"""Surfaces of triangles, and the pixels that they cover."""

from dataclasses import dataclass

import numpy as np

from demo.draw.curves import Array, unit


@dataclass(frozen=True, slots=True)
class Mesh:
    """A surface in head space: x to the right, y down, z to the camera."""

    vertices: Array
    normals: Array
    triangles: Array


@dataclass(frozen=True, slots=True)
class Hits:
    """The pixels that a mesh covers, with depth and what was carried along."""

    pixels: Array
    depth: Array
    values: Array


def outward(grid: Array, centre: Array | None = None) -> Array:
    """Return the normals of a grid of points, pointing away from its centre, as one list."""
    normals = np.cross(np.gradient(grid, axis=1), np.gradient(grid, axis=0))
    normals = unit(normals).reshape(-1, 3)
    arms = grid.reshape(-1, 3) - (0 if centre is None else centre)
    return -normals if (normals * arms).sum() < 0 else normals


def grid_triangles(rows: int, columns: int) -> Array:
    """Return two triangles for each cell of a grid whose points are one list."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    below = corner + columns
    return np.concatenate(
        [
            np.stack([corner, corner + 1, below], 1),
            np.stack([corner + 1, below + 1, below], 1),
        ]
    )


def grid_mesh(grid: Array, centre: Array | None = None) -> Mesh:
    """Return the mesh of a grid of points."""
    return Mesh(
        grid.reshape(-1, 3).astype(np.float32),
        outward(grid, centre).astype(np.float32),
        grid_triangles(*grid.shape[:2]),
    )


def signed_area(points: Array, triangles: Array) -> Array:
    """Return twice the area of each triangle as seen; the sign says which side shows."""
    a, b, c = (points[triangles[:, k], :2].T for k in range(3))
    area: Array = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return area


def cover(points: Array, triangles: Array, values: Array, shape: tuple[int, int]) -> Hits:
    """Find the nearest triangle at each pixel; `points` are x, y, depth (near is more)."""
    points, values = points.astype(np.float32), values.astype(np.float32)
    area = signed_area(points, triangles)
    corners = points[triangles]
    low = np.floor(corners[:, :, :2].min(1)).astype(int)
    high = np.ceil(corners[:, :, :2].max(1)).astype(int)
    seen = (np.abs(area) > 1e-6) & (high >= 0).all(1) & (low < shape[::-1]).all(1)
    triangles, corners, low = triangles[seen], corners[seen], low[seen]
    # Boxes of like size are searched together: sizes are rounded up to powers of two.
    widths, heights = np.ceil(np.log2(np.maximum(high[seen] - low, 1))).astype(int).T
    sizes = 16 * widths + heights
    parts = [
        _inside(
            corners,
            low,
            np.flatnonzero(sizes == size),
            (2 ** (size // 16), 2 ** (size % 16)),
            shape,
        )
        for size in np.unique(sizes).tolist()
    ]
    if not parts:
        return Hits(np.zeros(0, int), np.zeros(0), np.zeros((0, values.shape[1])))
    pixels, which, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    depth = np.einsum("nk,nk->n", weights, corners[which, :, 2])
    order = np.argsort(depth)
    nearest = np.full(shape[0] * shape[1], -1)
    nearest[pixels[order]] = order
    covered = np.flatnonzero(nearest >= 0)
    won = nearest[covered]
    carried = np.einsum("nkv,nk->nv", values[triangles[which[won]]], weights[won])
    return Hits(covered, depth[won], carried)


def _inside(
    corners: Array, low: Array, group: Array, size: tuple[int, int], shape: tuple[int, int]
) -> tuple[Array, Array, Array]:
    """Return the pixels inside a group's triangles, whose boxes are `size` wide and high."""
    found = []
    width, height = size
    down, right = np.indices((height, width), np.float32).reshape(2, -1)
    batch = max(1, 1_500_000 // len(down))
    for start in range(0, len(group), batch):
        which = group[start : start + batch]
        weights = _barycentric(corners[which], low[which], right, down)
        hit, place = np.nonzero(weights.min(0) >= -1e-4)
        x = low[which[hit], 0] + place % width
        y = low[which[hit], 1] + place // width
        kept = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
        hit, place = hit[kept], place[kept]
        pixels = y[kept] * shape[1] + x[kept]
        found.append((pixels, which[hit], weights[:, hit, place].T))
    pixels, which, weights = (np.concatenate(part) for part in zip(*found, strict=True))
    return pixels, which, weights


def _barycentric(corners: Array, low: Array, right: Array, down: Array) -> Array:
    """Return the share of each corner (first axis) at each pixel of each triangle's box."""
    x, y = np.moveaxis(corners[:, :, :2] - low[:, None] - 0.5, 2, 0).astype(np.float32)
    scale = 1 / (
        (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (y[:, 1] - y[:, 0]) * (x[:, 2] - x[:, 0])
    )

    def share(i: int, j: int) -> Array:
        across, along = (y[:, i] - y[:, j]) * scale, (x[:, j] - x[:, i]) * scale
        offset = across * x[:, i] + along * y[:, i]
        return np.asarray(across[:, None] * right + along[:, None] * down - offset[:, None])

    first, second = share(1, 2), share(2, 0)
    return np.stack([first, second, 1 - first - second])
