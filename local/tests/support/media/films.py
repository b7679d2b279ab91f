"""Draws tiny films whose every frame can be told from its brightness."""

from fractions import Fraction
from pathlib import Path

import av

BLACK, STEP = 30, 6


def brightness(number: int) -> int:
    """Say how bright the film's nth frame is."""
    return BLACK + STEP * (number % 32)


def number_of(image: av.VideoFrame) -> int:
    """Tell which frame of the film (of 32 in turn) this was, encoded or not."""
    middle = image.reformat(format="gray8").planes[0]
    row = middle.line_size * (image.height // 2)
    return round((bytes(middle)[row + image.width // 2] - BLACK) / STEP)


def grey(number: int, width: int, height: int) -> av.VideoFrame:
    """Draw one frame, with its top left quarter black."""
    image = av.VideoFrame(width, height, "gray8")
    plane = image.planes[0]
    line, level = plane.line_size, brightness(number)
    rows = [
        bytes([0 if y < height // 2 and x < width // 2 else level for x in range(line)])
        for y in (0, height - 1)
    ]
    plane.update(rows[0] * (height // 2) + rows[1] * (height - height // 2))
    return image


def draw(
    path: Path,
    *,
    frames: int = 10,
    rate: int = 10,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    times_ms: list[int] | None = None,
    options: dict[str, str] | None = None,
    is_with_sound: bool = False,
) -> Path:
    """Write a film of numbered frames, at an even rate or at the times given."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=rate)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        video.options = quiet | (options or {})
        if is_with_sound:
            _add_sound(container)
        for number in range(frames):
            image = grey(number, *size).reformat(format="yuv420p")
            image.pts = times_ms[number] if times_ms else number * 1000 // rate
            image.time_base = Fraction(1, 1000)
            container.mux(video.encode(image))
        container.mux(video.encode(None))
    return path


def draw_sound(path: Path) -> Path:
    """Write a file that has sound and no video."""
    with av.open(str(path), "w") as container:
        _add_sound(container)
    return path


def turn_clockwise(path: Path) -> Path:
    """Say in an MP4's track header that it is to be shown a quarter turn clockwise."""
    upright = _matrix((1, 0), (0, 1))
    data = path.read_bytes()
    track = data.index(upright, data.index(b"tkhd"))
    sideways = _matrix((0, 1), (-1, 0))
    path.write_bytes(data[:track] + sideways + data[track + len(sideways) :])
    return path


def _matrix(*rows: tuple[int, int]) -> bytes:
    one, last = 1 << 16, 1 << 30
    (a, b), (c, d) = rows
    values = (a * one, b * one, 0, c * one, d * one, 0, 0, 0, last)
    return b"".join(value.to_bytes(4, "big", signed=True) for value in values)


def _add_sound(container: av.container.OutputContainer) -> None:
    sound = container.add_stream("pcm_s16le" if container.format.name == "wav" else "aac")
    silence = av.AudioFrame("s16", "mono", 1024)
    silence.planes[0].update(bytes(silence.planes[0].buffer_size))
    silence.sample_rate, silence.pts = 44100, 0
    resample = av.AudioResampler(sound.format, sound.layout, sound.rate)
    for frame in resample.resample(silence):
        container.mux(sound.encode(frame))
    container.mux(sound.encode(None))
