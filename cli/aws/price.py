"""What a session can cost, as far as that can be said beforehand."""

import math

# The price page of Rekognition lists no face search of streams as read on 2026-10-07. The
# figure is the one that public projects reckon with, so a bill may differ: hence "about".
PROCESSOR_MINUTE = 0.12
# Price page of Rekognition, first million images a month: DetectFaces; searching a face is
# reckoned with at the same price.
IMAGE = 0.001


def at_most(engine: str, minutes: float) -> str:
    """What the engine costs in that time: a bound where there is one, else what it goes by."""
    if engine == "image-search":
        return f"about ${IMAGE} for each image, and as much for each face in it"
    cost = math.ceil(minutes) * PROCESSOR_MINUTE
    return f"at most ${cost:.2f} (face search, at about ${PROCESSOR_MINUTE:.2f} a minute)"
