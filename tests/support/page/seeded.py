"""A source of the owner's page in memory, with the demo's drawn people."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Event, Thread
from typing import Any

import av

from cli.errors import InputError
from cli.review.server import Json, PageServer, PageSource
from whosthere.geometry import Box
from whosthere.imaging import crop

# 2026-11-30 in Berlin: the day begins at 23:00 UTC.
DAY = 1_795_993_200_000
FILM = Path(__file__).parents[3] / "demo" / "film.mp4"
MINUTE, HOUR = 60_000, 3_600_000
# Who is seen in the film at which second, and where the face is.
FACES = {
    "zoe": (4.0, Box(0.31, 0.34, 0.16, 0.32)),
    "ravi": (24.4, Box(0.31, 0.34, 0.19, 0.32)),
    "s-1": (17.5, Box(0.46, 0.34, 0.19, 0.3)),
    "s-1b": (20.0, Box(0.43, 0.34, 0.19, 0.3)),
    "s-2": (31.8, Box(0.6, 0.34, 0.19, 0.32)),
    "s-2b": (34.0, Box(0.64, 0.34, 0.19, 0.32)),
}


@cache
def pictures() -> dict[str, bytes]:
    """Return each face of FACES as the review queue would have it."""
    found: dict[str, bytes] = {}
    left = sorted(FACES.items(), key=lambda face: face[1][0])
    with av.open(str(FILM)) as film:
        for frame in film.decode(video=0):
            if not left:
                break
            if frame.time >= left[0][1][0] - 0.01:
                name, (_, box) = left.pop(0)
                out = io.BytesIO()
                frame.to_image().save(out, "PNG")
                found[name] = crop(out.getvalue(), box, []).picture
    return found


def stranger(number: int, status: str = "pending", **changed: object) -> Json:
    """Return a stranger as the page gets it."""
    face = f"s-{1 + number % 2}"
    last = DAY + 16 * HOUR - number * 7 * MINUTE
    return {
        "id": f"s-{number:08x}",
        "pictures": [face, f"{face}b"],
        "cameras": ["front-door"],
        "first": last - number * HOUR,
        "last": last,
        "sightings": 4 + number,
        "visits": 1 + number % 4,
        "recurring": number % 4 == 3,
        "status": status,
    } | changed


def visit(
    at: float, who: str, minutes: int = 2, camera: str = "front-door", **changed: object
) -> Json:
    """Return a visit as the page gets it."""
    is_person = not who.startswith("s-")
    return {
        "id": f"{who}-{at}",
        "camera": camera,
        "who": f"p-{who}" if is_person else who,
        "kind": "person" if is_person else "stranger",
        "names": [{"zoe": "Zoë", "ravi": "Ravi"}[who]] if is_person else [],
        "first": DAY + round(at * HOUR),
        "last": DAY + round(at * HOUR) + minutes * MINUTE,
        "sightings": 12,
        "similarity": 99.3 if is_person else 0.0,
        "probably": False,
        "unsure": 0,
        "unsureSimilarity": 0.0,
        "alert": "sent",
        "visits": 1,
        "stranger": None if is_person else "s-00000000",
        "picture": who,
    } | changed


PEOPLE: list[Json] = [
    {
        "id": "p-zoe",
        "name": "Zoë",
        "last": DAY + 16 * HOUR,
        "photos": [{"picture": "zoe", "reason": ""}],
        "alike": [],
    },
    {
        "id": "p-ravi",
        "name": "Ravi",
        "last": DAY + 9 * HOUR,
        "photos": [
            {"picture": "ravi", "reason": ""},
            {"picture": "s-1b", "reason": "Turned too far left; add one from the front."},
        ],
        "alike": [{"name": "Zoë", "similarity": 84.2}],
    },
]


class SeededSource:
    """What the page shows of a made-up Monday; decisions change it."""

    def __init__(self, strangers: int = 3) -> None:
        self.found = {one["id"]: one for one in map(stranger, range(strangers))}
        self.persons = [dict(one) for one in PEOPLE]
        self.watched = True
        self.acts: list[tuple[str, Mapping[str, Any]]] = []
        self.steered: list[tuple[str, str, int]] = []
        self.looks = 0
        self.failing: Exception | None = None
        self.answers = Event()  # while it is not set, strangers are not told
        self.answers.set()
        pictures()

    def overview(self) -> Json:
        """Say who waits."""
        return {
            "stack": "laptop",
            "zone": "Europe/Berlin",
            "cameras": ["front-door", "back-door"],
            "waiting": sum(one["status"] == "pending" for one in self.found.values()),
        }

    def strangers(self, status: str) -> Json:
        """List strangers."""
        self.answers.wait(10)
        return {"strangers": [one for one in self.found.values() if one["status"] == status]}

    def visits(self, day: str, who: str) -> Json:
        """List visits of Monday, or of one person."""
        visits = [
            visit(16, "zoe"),
            visit(15.6, "s-2", 3, visits=3),
            visit(12.4, "ravi", 1, probably=True, similarity=0, unsure=14, unsureSimilarity=86.4),
            visit(9.2, "ravi", 6),
            visit(8.1, "s-1", 12, camera="back-door"),
        ]
        if who:
            own = [one for one in visits if one["who"] == who]
            name = own[0]["names"][0]
            return {"day": None, "name": name, "isAll": True, "visits": own, "cameras": []}
        watched = self.watched and day in ("", "2026-11-30")
        begin = DAY if day in ("", "2026-11-30") else DAY - 24 * HOUR
        night = [(0, 7, "no session ran"), (18, 24, "its time was over")]
        gaps = night if watched else [(0, 24, "no session ran")]
        return {
            "day": day or "2026-11-30",
            "today": "2026-11-30",
            "from": begin,
            "to": begin + 24 * HOUR,
            "cameras": [
                {
                    "camera": camera,
                    "watched": watched,
                    "gaps": [
                        {"from": begin + start * HOUR, "to": begin + end * HOUR, "why": why}
                        for start, end, why in gaps
                    ],
                }
                for camera in ("front-door", "back-door")
            ],
            "visits": visits if watched else [],
        }

    def people(self) -> Json:
        """List the people."""
        return {"people": self.persons}

    def likely(self, stranger: str) -> Json:
        """Say that everybody looks a little like Ravi."""
        return {"likely": [{"name": "Ravi", "similarity": 88.7}, {"name": "Zoë", "similarity": 12}]}

    def cameras(self) -> Json:
        """Say that one camera searches and one is free."""
        free: Json = {"state": "free", "session": None, "since": DAY, "until": None, "problem": ""}
        free |= {"lastRecord": None, "visits": 0, "strangers": 0}
        free |= {"notKept": {"faces": 12, "why": "8 too small, 4 turned away"}}
        busy: Json = {"state": "searching", "session": "one", "since": DAY + 7 * HOUR}
        busy |= {"until": DAY + 18 * HOUR, "lastRecord": DAY + 16 * HOUR, "visits": 3}
        busy |= {"strangers": 1, "problem": "Video comes, but no record of it."}
        return {
            "cameras": [{"camera": "front-door", **free, **busy}, {"camera": "back-door", **free}]
        }

    def plan(self, camera: str, minutes: int) -> Json:
        """Name a price."""
        return {"text": f"{camera} until 18:02, at most ${minutes * 0.12:.2f}"}

    def picture(self, picture: str) -> bytes:
        """Return a face of the film."""
        if picture not in FACES:
            raise InputError("There is no such picture any more.")
        return pictures()[picture]

    def clip(self, camera: str, from_ms: int, to_ms: int) -> bytes:
        """Say that the video is gone."""
        raise InputError(f"The video of {camera} is not kept any more.")

    def live(self, camera: str) -> bytes:
        """Return a picture, and count it."""
        self.looks += 1
        return pictures()["zoe"]

    def decide(self, act: str, content: Mapping[str, Any]) -> Json:
        """Decide in memory."""
        if self.failing:
            raise self.failing
        self.acts.append((act, content))
        if act == "undo":
            for one in self.acts[content["undo"]][1]["strangers"]:
                self.found[one]["status"] = "pending"
            return {"text": "Undone.", "undo": None}
        status = {
            "back": "pending",
            "name": "named",
            "ignore": "ignored",
            "discard": "discarded",
        }.get(act, "merged")
        if act == "name":
            one = self.found[content["strangers"][0]]
            photo = {"picture": one["pictures"][0], "reason": ""}
            person = {"id": one["id"], "name": content["name"], "last": None, "alike": []}
            self.persons = [*self.persons, person | {"photos": [photo]}]
        if act == "split":
            one = self.found[content["strangers"][0]]
            one["pictures"] = [each for each in one["pictures"] if each not in content["pictures"]]
            new = stranger(9, id="s-other", pictures=content["pictures"])
            self.found["s-other"] = new
        for one in content["strangers"][act in ("merge", "split") :]:
            self.found[one]["status"] = status
        texts = {
            "name": f"{content.get('name')} is enrolled with 2 of 3 pictures; "
            "the other one looks too far left.",
            "ignore": "Ignored: no more alerts about this stranger.",
            "discard": "Discarded; gone for good after 10 minutes.",
            "back": "Back in the queue.",
            "merge": "They are one stranger now.",
            "split": "That picture is another stranger's now.",
        }
        return {"text": texts[act], "undo": len(self.acts) - 1}

    def steer(self, act: str, camera: str, minutes: int) -> Json:
        """Note what was asked."""
        self.steered.append((act, camera, minutes))
        return {"text": f"{camera}: {act}"}


@contextmanager
def serving(source: PageSource) -> Iterator[PageServer]:
    """Serve the page of a source; yield its server."""
    server = PageServer(source)
    thread = Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive()
