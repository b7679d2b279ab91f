"""`./whosthere who`: say who a photo shows and who comes next; the photo is stored nowhere."""

import argparse

from cli.aws.connect import add_options, connect, print_result
from cli.aws.people.face_search import SearchedFace, search_photo
from cli.aws.people.photo_files import read_photo, require_files
from cli.interrupts import Interrupts
from whosthere.people.photos import LOWEST_SIMILARITY

HELP = "say who a photo on this machine shows and who comes next; it is stored nowhere"
EXAMPLE = "./whosthere who photo.jpg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("photo", help="a JPEG or PNG of at most 15 MB")
    add_options(parser, camera=False)


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Search the faces of a photo and return the exit code; 1 if it shows none."""
    (path,) = require_files([arguments.photo])
    with connect(arguments) as target:
        threshold = float(target.settings()["matchThreshold"])
        faces = search_photo(
            target.session.client("rekognition"),
            target.output("PeopleCollectionId"),
            target.table(),
            read_photo(path),
        )
    lines = [face_text(face, threshold) for face in faces]
    if len(lines) > 1:
        lines = [f"{number}. from the left: {line}" for number, line in enumerate(lines, 1)]
    found = [
        {"likest": [{"name": name, "similarity": number} for name, number in face.likest]}
        for face in faces
    ]
    content = {"stack": str(target), "matchThreshold": threshold, "faces": found}
    print_result(arguments, content, "\n".join(lines) or "no face was found in this photo")
    return 0 if faces else 1


def face_text(face: SearchedFace, threshold: float) -> str:
    """Return who a face shows, and who comes next."""
    ranked = [f"{name} {similarity:.0f} %" for name, similarity in face.likest]
    if not ranked:
        return "nobody you know"
    (_, highest), others = face.likest[0], f", next {ranked[1]}" if len(ranked) > 1 else ""
    if highest < LOWEST_SIMILARITY:
        return f"nobody you know; most like {ranked[0]}{others}"
    unsure = (
        "" if highest >= threshold else f" (unsure: below {threshold:g} % it counts for nobody)"
    )
    return f"{ranked[0]}{others}{unsure}"
