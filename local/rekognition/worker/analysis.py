"""The analysis worker: pictures in, faces out, over standard input and output.

    python -m local.rekognition.worker.analysis

dlib runs in such processes only: it is large and holds the GIL while it works. A worker ends
when its input is closed, so none outlives the emulator.
"""

import os
import sys
from typing import Any

import numpy as np

from local.rekognition.errors import RekognitionError
from local.rekognition.worker import wire
from local.rekognition.worker.faces import FaceAnalyzer
from local.rekognition.worker.images import open_image


def main() -> None:
    """Answer jobs until the emulator ends."""
    jobs, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # other output must not mix with the answers
    analyzer = FaceAnalyzer()
    try:
        wire.send(answers, {"ready": True})
        while (message := wire.receive(jobs)) is not None:
            wire.send(answers, _answer(analyzer, *message))
    except BrokenPipeError:
        os._exit(0)  # the emulator has ended


def _answer(analyzer: FaceAnalyzer, head: wire.Head, body: bytes) -> wire.Head:
    try:
        pixels = _pixels(head, body)
    except RekognitionError as error:
        return {"code": error.code, "message": error.message}
    if "boxes" in head:
        return {"faces": analyzer.vectors(pixels, head["boxes"])}
    faces = analyzer.faces(pixels, search_small=head["search_small"], vectors=head["vectors"])
    return {"faces": faces}


def _pixels(head: wire.Head, body: bytes) -> Any:
    """Return the pixels of a frame (raw RGB with its size) or of a picture file."""
    if "size" not in head:
        return open_image(body)
    width, height = head["size"]
    return np.frombuffer(body, np.uint8).reshape(height, width, 3)


if __name__ == "__main__":
    main()
