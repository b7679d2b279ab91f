"""What is shown to the product: a film, the people to enrol, the settings, and what is expected."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cli.errors import InputError
from cli.setup.toolchain import ROOT

DEMO = ROOT / "demo"
# A minute to warm up and wind down: the film ends the session, the deadline is the net.
SPARE_MINUTES = 2
# What suits a clip of a door: somebody who is gone for 5 s and comes back visits again.
CLIP_SETTINGS = {"gapSeconds": 5, "confirmSightings": 2, "confirmSeconds": 5}
# On a laptop nobody wants to wait a minute for the next health check.
LAPTOP_SETTINGS = {"healthCheckSeconds": 2, "tell": ["problem"]}
PICTURES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture of a person, and under which name of a file it is enrolled."""

    path: Path
    key: str


@dataclass(frozen=True, slots=True)
class Case:
    """One film with its people; `truth` is the content of film.json, where there is one."""

    film: Path
    seconds: float
    people: dict[str, tuple[Photo, ...]]
    settings: dict[str, Any]
    truth: dict[str, Any] | None
    # A camera instead of a film: it goes on until `seconds` are over.
    camera: str | None = None

    @property
    def source(self) -> str:
        """What the edge is given as its source."""
        return self.camera or str(self.film.resolve())

    @property
    def minutes(self) -> int:
        """The length of the session, as its input wants it."""
        return math.ceil(self.seconds / 60) + SPARE_MINUTES


def demo_case() -> Case:
    """The film of the repository."""
    truth = json.loads((DEMO / "film.json").read_text())
    people = {
        name: tuple(Photo(DEMO / path, Path(path).name) for path in paths)
        for name, paths in truth["people"].items()
    }
    return Case(
        film=DEMO / truth["film"],
        seconds=float(truth["seconds"]),
        people=people,
        settings=LAPTOP_SETTINGS | truth["settings"],
        truth=truth,
    )


def own_case(film: Path, seconds: float, persons: Sequence[str]) -> Case:
    """Somebody's own film and photos, each given as "Name=photo.jpg"."""
    people: dict[str, list[Photo]] = {}
    for given in persons:
        name, path = _split(given)
        photos = people.setdefault(name, [])
        photos.append(Photo(path, f"{len(photos) + 1}{path.suffix.lower()}"))
    return Case(
        film=film,
        seconds=seconds,
        people={name: tuple(photos) for name, photos in people.items()},
        settings=LAPTOP_SETTINGS | CLIP_SETTINGS,
        truth=None,
    )


def camera_case(source: str, seconds: float, persons: Sequence[str]) -> Case:
    """Whoever comes before a camera for so many seconds."""
    return replace(own_case(Path(source), seconds, persons), camera=source)


def _split(given: str) -> tuple[str, Path]:
    name, equals, path = given.partition("=")
    name = name.strip()
    if not equals or not name or not path:
        raise InputError(f'--person {given!r}: write --person "Name=photo.jpg", with the quotes')
    if "/" in name:
        raise InputError(f"--person {given!r}: a name cannot contain a slash")
    found = Path(path).expanduser()
    if not found.is_file():
        raise InputError(f"{path}: there is no such file (--person {given!r})")
    if found.suffix.lower() not in PICTURES:
        raise InputError(f"{path}: not a JPEG or PNG picture; save the photo as .jpg and try again")
    return name, found
