"""`python -m demo.draw`: draw the film, the portraits and film.json again."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2

from demo.draw.answers import answers
from demo.draw.curves import Array
from demo.draw.film import FRAMES, draw_frame, encode, frames
from demo.draw.portraits import write_portraits
from demo.draw.script import FPS
from demo.draw.sheet import write_sheet

DEMO = Path(__file__).parents[1]


def main() -> None:
    """Draw what is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.draw",
        description="Draw film.mp4, film.jpg, film.json and the portraits in people/.",
        epilog="example: python -m demo.draw --frame 4.2 --out frame.png",
    )
    parser.add_argument("--frame", type=float, metavar="SECONDS", help="one frame only")
    parser.add_argument(
        "--out", type=Path, default=Path("frame.png"), metavar="PNG", help="where to put it"
    )
    parser.add_argument(
        "--processes", type=int, default=2, metavar="N", help="how many draw (default: 2)"
    )
    options = parser.parse_args()
    if options.frame is not None:
        frame = draw_frame(round(options.frame * FPS))
        cv2.imwrite(str(options.out), frame[:, :, ::-1])
        print(options.out)
        return
    write_portraits(DEMO / "people")
    write_sheet(DEMO / "film.jpg")
    film = DEMO / "film.mp4"
    encode(_with_progress(frames(options.processes)), film)
    text = json.dumps(answers(film), ensure_ascii=False, indent=2)
    (DEMO / "film.json").write_text(text + "\n", encoding="utf-8")


def _with_progress(pictures: Iterator[Array]) -> Iterator[Array]:
    for number, picture in enumerate(pictures, start=1):
        if sys.stderr.isatty() or number % 50 == 0 or number == FRAMES:
            end = "\r" if sys.stderr.isatty() and number < FRAMES else "\n"
            print(f"frame {number} of {FRAMES}", end=end, file=sys.stderr, flush=True)
        yield picture


if __name__ == "__main__":
    main()
