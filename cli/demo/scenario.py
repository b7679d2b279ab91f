"""What a demo plays: a video, the people to enroll, the settings, and the right answers."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cli.demo.photos import People, PhotoFile, parse_people
from cli.setup.toolchain import ROOT

DEMO = ROOT / "demo"
# A minute to warm up and one to wind down: the film's end stops the session, not its deadline.
SPARE_MINUTES = 2
# What suits a clip of a door: somebody who is gone for 5 s and returns makes a new visit.
CLIP_SETTINGS = {"gapSeconds": 5, "confirmSightings": 2, "confirmSeconds": 5}
# On a laptop nobody wants to wait a minute for the next health check.
LAPTOP_SETTINGS = {"healthCheckSeconds": 2, "tell": ["problem"]}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One video with its people; `truth` is the content of film.json, where there is one."""

    film: Path
    seconds: float
    people: People
    settings: dict[str, Any]
    truth: dict[str, Any] | None
    # A camera instead of a film: it is watched for `seconds`.
    camera: str | None = None

    @property
    def source(self) -> str:
        """Return the edge's `--source`."""
        return self.camera or str(self.film.resolve())

    @property
    def minutes(self) -> int:
        """Return the length of the session, as its input takes it."""
        return math.ceil(self.seconds / 60) + SPARE_MINUTES


@dataclass(frozen=True, slots=True)
class DemoConfig:
    """What a demo runs, by which engine, and where its logs go."""

    scenario: Scenario
    engine: str
    logs: Path
    downloads: Mapping[str, str]
    verbose: bool

    @property
    def tag(self) -> str:
        """Return the edge's `--tag`: whether it tags fragments for image generation."""
        return "always" if self.engine == "image-search" else "never"


def demo_scenario() -> Scenario:
    """Return the film of the repository, with its people and right answers."""
    truth = json.loads((DEMO / "film.json").read_text())
    people = {
        name: tuple(PhotoFile(DEMO / path, Path(path).name) for path in paths)
        for name, paths in truth["people"].items()
    }
    return Scenario(
        film=DEMO / truth["film"],
        seconds=float(truth["seconds"]),
        people=people,
        settings=LAPTOP_SETTINGS | truth["settings"],
        truth=truth,
    )


def video_scenario(film: Path, seconds: float, persons: Sequence[str]) -> Scenario:
    """Return the user's own film and people, each person given as "Name=photo.jpg"."""
    return Scenario(
        film=film,
        seconds=seconds,
        people=parse_people(persons),
        settings=LAPTOP_SETTINGS | CLIP_SETTINGS,
        truth=None,
    )


def camera_scenario(source: str, seconds: float, persons: Sequence[str]) -> Scenario:
    """Return a camera of the user's for so many seconds, and their people."""
    return replace(video_scenario(Path(source), seconds, persons), camera=source)
