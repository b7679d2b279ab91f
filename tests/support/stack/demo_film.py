"""Cut short films for tests from the demo's film."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from local.laptop import ROOT

DEMO = ROOT / "demo"


def script() -> dict[str, Any]:
    """Read demo/film.json: who is in the film when."""
    return json.loads((DEMO / "film.json").read_text())


def first_appearance(who: str) -> tuple[float, float]:
    """Return the start and end of a person's first appearance, in seconds."""
    found = next(one for one in script()["appearances"] if one["who"] == who)
    return found["from"], found["to"]


def cut(target: Path, *spans: tuple[float, float]) -> Path:
    """Write the parts of the demo's film between these seconds, one after another."""
    rate = script()["fps"]
    with av.open(str(DEMO / "film.mp4")) as film, av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "18"})
        source = film.streams.video[0]
        stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
        number = 0
        for frame in film.decode(source):
            if any(start <= frame.time < end for start, end in spans):
                picture = frame.reformat(format="yuv420p")
                picture.pts, picture.time_base = number, Fraction(1, rate)
                container.mux(stream.encode(picture))
                number += 1
        container.mux(stream.encode(None))
    return target


def photos_of(person: str) -> list[Path]:
    """Return the portraits of one of the film's people."""
    return [DEMO / path for path in script()["people"][person]]
