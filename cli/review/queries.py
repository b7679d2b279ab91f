"""What the page shows of a stack: strangers, visits, people and cameras, as JSON."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import wraps
from threading import Lock
from typing import Any, Concatenate

from cli.aws.cameras.camera_status import CameraStatus, read_camera_statuses
from cli.aws.people.face_search import search_photo
from cli.aws.people.people_list import read_people
from cli.aws.people.visits import KEPT_DAYS, VisitHistory
from cli.aws.sessions.session_report import not_kept_text
from cli.aws.target import Target
from cli.errors import InputError
from cli.review.decisions import Decisions
from cli.review.pictures import PictureShelf
from cli.review.steering import CameraControl
from cli.review.watched import show_day
from whosthere.alerts.texts import limit_advice
from whosthere.clock import now_ms
from whosthere.faces.match import failed_checks
from whosthere.names import STRANGER_PREFIX
from whosthere.strangers.review_queue import FOLDERS, folder_of
from whosthere.strangers.store import list_strangers, listed, read_stranger, read_strangers
from whosthere.strangers.stranger import IGNORED, PENDING, Stranger
from whosthere.visits.history import PastVisit

type Json = dict[str, Any]

RECURRING_VISITS = 3
NEWEST = 200  # of one person's visits


def one_at_a_time[**P, R](
    call: "Callable[Concatenate[StackPage, P], R]",
) -> "Callable[Concatenate[StackPage, P], R]":
    """Let one thread in at a time: a table of boto3 is not made for several."""

    @wraps(call)
    def alone(page: "StackPage", /, *args: P.args, **kwargs: P.kwargs) -> R:
        with page.lock:
            return call(page, *args, **kwargs)

    return alone


class StackPage:
    """The source of the page: a stack, by the owner's own rights."""

    def __init__(self, target: Target) -> None:
        self.lock, self._deciding = Lock(), Lock()
        self._target = target
        self._table = target.table()
        self._shelf = PictureShelf(target.session.client("s3"), target.output("BucketName"))
        self._decisions = Decisions(target, self._shelf)
        self._rekognition = target.session.client("rekognition")
        self._control = CameraControl(target)
        self._likely: dict[str, list[Json]] = {}

    @one_at_a_time
    def overview(self) -> Json:
        """Return what stands around each view."""
        history = VisitHistory(self._target)
        waiting = [status for status in listed(self._table).values() if status == PENDING]
        return {
            "stack": str(self._target),
            "zone": history.time_zone,
            "cameras": list(self._target.cameras),
            "waiting": len(waiting),
        }

    @one_at_a_time
    def strangers(self, status: str) -> Json:
        """Return the strangers who wait, or are ignored."""
        if status not in (PENDING, IGNORED):
            raise InputError(f"strangers are {PENDING} or {IGNORED}")
        return {"strangers": [self._stranger(one) for one in list_strangers(self._table, status)]}

    def _stranger(self, one: Stranger) -> Json:
        return {
            "id": one.id,
            "pictures": self._pictures(one),
            "cameras": list(one.cameras),
            "first": one.first_ms,
            "last": one.last_ms,
            "sightings": one.sightings,
            "visits": one.visits,
            "recurring": one.visits >= RECURRING_VISITS,
            "status": one.status,
        }

    def _pictures(self, one: Stranger) -> list[str]:
        """Return ids of a stranger's pictures; they may have been moved since the row was read."""
        folders = sorted(FOLDERS, key=lambda status: status != one.status)
        return [
            self._shelf.id_of(*(f"{folder_of(status, one.id)}{each.file}" for status in folders))
            for each in one.pictures
        ]

    @one_at_a_time
    def visits(self, day: str, who: str) -> Json:
        """Return the visits of a day, or all of one person or stranger."""
        history = VisitHistory(self._target)
        today = history.parse_day("today")
        if who:
            tomorrow = today + timedelta(days=1)
            found = history.visits(tomorrow, KEPT_DAYS + 2, camera="", who=who, newest=NEWEST)
            is_all = sum(len(one.stored) for one in found) < NEWEST
            name = next((" or ".join(one.names) for one in found if one.names), "this stranger")
            shown = {"name": name, "isAll": is_all, "visits": self._visits(found)}
            return {"day": None, "cameras": []} | shown
        chosen = history.parse_day(day or "today")
        found = history.visits(chosen, 1, camera="", who="")
        return show_day(self._table, self._target.cameras, chosen, history.time_zone) | {
            "today": today.isoformat(),
            "visits": self._visits(found),
        }

    def _visits(self, visits: Iterable[PastVisit]) -> list[Json]:
        found = list(visits)
        ids = {one.who for one in found if one.who.startswith(STRANGER_PREFIX)}
        known = {stranger.id: stranger for stranger in read_strangers(self._table, ids)}
        return [self._visit(one, known.get(one.who)) for one in found]

    def _visit(self, one: PastVisit, stranger: Stranger | None) -> Json:
        is_stranger = one.who.startswith(STRANGER_PREFIX)
        unsure = [row.visit.unsure for row in one.stored]
        is_probable = all(row.visit.is_probable for row in one.stored)
        pictures = self._pictures(stranger) if stranger else []
        return {
            "id": one.id,
            "camera": one.camera,
            "who": one.who,
            "kind": "stranger" if is_stranger else "person",
            "names": list(one.names),
            "first": one.first_ms,
            "last": one.last_ms,
            "sightings": one.sightings,
            "similarity": one.similarity,
            "probably": is_probable,
            "unsure": sum(each.sightings for each in unsure),
            "unsureSimilarity": max(each.similarity for each in unsure),
            "alert": one.alert,
            "visits": stranger.visits if stranger else 1,
            "stranger": one.who if stranger and stranger.status in (PENDING, IGNORED) else None,
            "picture": pictures[0] if pictures else None,
        }

    @one_at_a_time
    def people(self) -> Json:
        """Return everybody with their photos."""
        return {"people": [self._person(one) for one in read_people(self._target).people]}

    def _person(self, one: Mapping[str, Any]) -> Json:
        photos = sorted(one["photos"], key=lambda photo: bool(photo["reason"]))
        return {
            "id": one["id"],
            "name": one["name"],
            "last": one["lastSeenMs"],
            "photos": [
                {"picture": self._shelf.id_of(photo["key"]), "reason": photo["reason"] or ""}
                for photo in photos
            ],
            "alike": one["looksLike"],
        }

    @one_at_a_time
    def likely(self, stranger: str) -> Json:
        """Return who a stranger resembles, most first: one paid search for each picture."""
        found = read_stranger(self._table, stranger)
        pictures = self._pictures(found) if found else []
        if not pictures:
            return {"likely": []}
        if pictures[0] not in self._likely:
            faces = search_photo(
                self._rekognition,
                self._target.people_collection(),
                self._table,
                self._shelf.read(pictures[0]),
            )
            likest = faces[0].likest if len(faces) == 1 else ()
            self._likely[pictures[0]] = [
                {"name": name, "similarity": similarity} for name, similarity in likest
            ]
        return {"likely": self._likely[pictures[0]]}

    @one_at_a_time
    def cameras(self) -> Json:
        """Return what each camera does at the moment."""
        found = read_camera_statuses(self._table, self._target.cameras, now_ms())
        return {"cameras": [_camera(one) for one in found]}

    def plan(self, camera: str, minutes: int) -> Json:
        """Return what a session would cost at most."""
        return {"text": self._control.plan(camera, minutes)}

    def picture(self, picture: str) -> bytes:
        """Return a picture."""
        return self._shelf.read(picture)

    def clip(self, camera: str, from_ms: int, to_ms: int) -> bytes:
        """Return the stored video of that time."""
        return self._control.clip(camera, from_ms, to_ms)

    def live(self, camera: str) -> bytes:
        """Return the newest picture of a camera."""
        return self._control.live(camera)

    def decide(self, act: str, content: Mapping[str, Any]) -> Json:
        """Do what the owner has decided; say what happened, and how it is undone.

        Apart from the views: naming waits until the photos are judged.
        """
        with self._deciding:
            done = self._decisions.do(act, content)
        return {"text": done.text, "undo": done.id or None}

    def steer(self, act: str, camera: str, minutes: int) -> Json:
        """Start, stop, pause or resume a session."""
        return {"text": self._control.steer(act, camera, minutes)}


def _camera(one: CameraStatus) -> Json:
    is_held = one.session is not None and one.session.held
    not_kept = failed_checks(one.counts)
    return {
        "camera": one.camera,
        "state": one.state,
        "session": one.session.id if one.session and is_held else None,
        "engine": one.session.engine if one.session and is_held else None,
        "since": one.since_ms,
        "until": one.paused_until_ms or one.until_ms,
        "lastRecord": one.last_record_ms if is_held else None,
        "problem": _problem(one) if is_held else "",
        "note": one.watch.note if is_held else "",
        "visits": one.visits,
        "strangers": one.strangers,
        "notKept": {"faces": sum(not_kept.values()), "why": not_kept_text(one.counts)},
    }


def _problem(one: CameraStatus) -> str:
    if not one.limit:
        return one.watch.problem
    return f"{one.limit} is spent: nothing is searched. {limit_advice(one.camera, one.limit)}"
