"""Rotates and scales frames so that all have one size and are upright."""

import av
import av.filter

# FFmpeg's filters by the display matrix's angle, in degrees counterclockwise.
TURNS = {
    90: ("transpose", "cclock"),
    -90: ("transpose", "clock"),
    270: ("transpose", "clock"),
    -270: ("transpose", "cclock"),
}


def is_upright(image: av.VideoFrame, aspect: float) -> bool:
    """Return whether a frame needs no rotation and has square pixels."""
    return _quarter_turns(image) % 360 == 0 and abs(aspect - 1) < 0.01


def output_size(image: av.VideoFrame, aspect: float, largest: tuple[int, int]) -> tuple[int, int]:
    """Return the size to send: upright, square pixels, even, never larger than the frame.

    `aspect` is the pixel aspect ratio (width to height), 0 if unknown. `largest` bounds the longer
    and the shorter side.
    """
    width, height = image.width * (aspect or 1.0), float(image.height)
    if _is_sideways(image):
        width, height = height, width
    long_side, short_side = max(largest), min(largest)
    scale = min(1.0, long_side / max(width, height), short_side / min(width, height))
    return _even(width * scale), _even(height * scale)


class Rotator:
    """Rotates and scales frames to one size."""

    def __init__(self, width: int, height: int) -> None:
        """Set the size of the upright frame, in pixels."""
        self.size = (width, height)
        self._graphs: dict[int, av.filter.Graph] = {}

    def rotate(self, image: av.VideoFrame) -> av.VideoFrame:
        """Return the frame upright and scaled."""
        width, height = reversed(self.size) if _is_sideways(image) else self.size
        scaled = image.reformat(width, height, "yuv420p")
        degrees = _quarter_turns(image)
        if degrees == 0:
            return scaled
        graph = self._graphs.get(degrees)
        if graph is None:
            graph = self._graphs[degrees] = _rotation_graph(scaled, degrees)
        graph.vpush(scaled)
        return graph.vpull()


def _rotation_graph(image: av.VideoFrame, degrees: int) -> av.filter.Graph:
    graph = av.filter.Graph()
    entry = graph.add_buffer(image, time_base=image.time_base)
    if abs(degrees) == 180:
        turns = [graph.add("hflip"), graph.add("vflip")]
    else:
        turns = [graph.add(*TURNS[degrees])]
    graph.link_nodes(entry, *turns, graph.add("buffersink")).configure()
    return graph


def _is_sideways(image: av.VideoFrame) -> bool:
    return _quarter_turns(image) % 180 != 0


def _quarter_turns(image: av.VideoFrame) -> int:
    return round(image.rotation / 90) * 90


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
