"""Write the text of a price: what a session costs, as far as that is known beforehand."""

import math

# The price page of Rekognition, read on 2026-10-07, does not list face search of streams. This
# figure is the one that public projects use, so a bill may differ: hence "about".
PROCESSOR_MINUTE = 0.12
# Price page of Rekognition, first million images a month: DetectFaces; searching a
# face is taken to cost the same.
IMAGE = 0.001


def price_text(engine: str, minutes: float) -> str:
    """Return what the engine costs for that time: an upper bound, or else the price per image."""
    if engine == "image-search":
        return f"about ${IMAGE} for each image, and as much for each face in it"
    cost = math.ceil(minutes) * PROCESSOR_MINUTE
    return f"at most ${cost:.2f} (face search, at about ${PROCESSOR_MINUTE:.2f} a minute)"
