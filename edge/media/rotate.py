"""Brings frames to one size, the right way up."""

import av
import av.filter

# Degrees counterclockwise, as the display matrix says, to FFmpeg's filters.
TURNS = {
    90: ("transpose", "cclock"),
    -90: ("transpose", "clock"),
    270: ("transpose", "clock"),
    -270: ("transpose", "cclock"),
}


def is_upright(image: av.VideoFrame, aspect: float) -> bool:
    """Say whether a frame is to be shown as it is: not turned, its pixels square."""
    return _quarter_turns(image) % 360 == 0 and abs(aspect - 1) < 0.01


def fit(image: av.VideoFrame, aspect: float, largest: tuple[int, int]) -> tuple[int, int]:
    """Choose the size to send: upright, square pixels, even, never larger than the frame.

    `aspect` is how many times as wide as high a pixel is shown, 0 where nobody knows;
    `largest` bounds the longer and the shorter side.
    """
    width, height = image.width * (aspect or 1.0), float(image.height)
    if _is_sideways(image):
        width, height = height, width
    long_side, short_side = max(largest), min(largest)
    scale = min(1.0, long_side / max(width, height), short_side / min(width, height))
    return _even(width * scale), _even(height * scale)


class Upright:
    """Scales and turns frames to a size chosen beforehand."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self._graphs: dict[int, av.filter.Graph] = {}

    def turn(self, image: av.VideoFrame) -> av.VideoFrame:
        """Give the frame as it should be seen."""
        width, height = reversed(self.size) if _is_sideways(image) else self.size
        scaled = image.reformat(width, height, "yuv420p")
        degrees = _quarter_turns(image)
        if degrees == 0:
            return scaled
        graph = self._graphs.get(degrees)
        if graph is None:
            graph = self._graphs[degrees] = _graph(scaled, degrees)
        graph.vpush(scaled)
        return graph.vpull()


def _graph(image: av.VideoFrame, degrees: int) -> av.filter.Graph:
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
