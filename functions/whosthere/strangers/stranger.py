"""Strangers: who was seen and is no person; and the keys and content of their rows.

stranger#<id>      stranger   the stranger
strangers          <id>       its status, to list strangers by one query
picture#<SHA-256>  picture    whose picture these bytes are, wherever they lie
place#<key>        place      the same of a key outside the stranger's own folders
merged#<id>        <id>       who was merged into the stranger of the first id
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from whosthere.clock import DAY_S
from whosthere.dynamodb import KEEP_ROWS_S, Attributes, Row, decimals

if TYPE_CHECKING:
    pass


PENDING, IGNORED, NAMED, DISCARDED = "pending", "ignored", "named", "discarded"
MERGED = "merged"
STRANGERS = "strangers"
# The best pictures of a stranger that are kept: one to know him by, some to enroll him with.
MOST_PICTURES = 5
KEEP_DECIDED_S = 365 * DAY_S


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a stranger; `file` is its name in each of the stranger's folders.

    `face_id` is its face in the strangers' collection, or empty.
    """

    sha256: str
    etag: str
    captured_ms: int
    camera: str
    score: float
    file: str
    face_id: str = ""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A stranger's row; times in milliseconds, the best picture first.

    `person` is who a named stranger is, `merged_into` the stranger that a merged one is.
    `elsewhere` has the ETags of pictures that lie outside the stranger's folders, by key;
    `decided_ms` is when the status began, `unsettled_ms` since when pictures lie outside the folder
    of the status, or nowhere (0: they lie there), and `decisions` counts the owner's decisions.
    `is_recurring` says whether the stranger was recurring at the latest visit.
    """

    id: str
    cameras: tuple[str, ...]
    first_ms: int
    last_ms: int
    sightings: int
    visits: int
    status: str
    pictures: tuple[Picture, ...] = ()
    face_id: str = ""
    picture_key: str = ""
    person: str = ""
    merged_into: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    decided_ms: int = 0
    unsettled_ms: int = 0
    decisions: int = 0
    is_recurring: bool = False
    version: int = 0

    @property
    def face_ids(self) -> frozenset[str]:
        """Return the stranger's faces in the collection: the first one and those of pictures."""
        found = {self.face_id, *(picture.face_id for picture in self.pictures)}
        return frozenset(found - {""})

    @property
    def is_waiting(self) -> bool:
        """Return whether the owner has still to decide: only then are there alerts."""
        return self.status == PENDING


def stranger_key(stranger: str) -> dict[str, str]:
    """Return the key of a stranger's row."""
    return {"pk": f"stranger#{stranger}", "sk": "stranger"}


def listed_key(stranger: str) -> dict[str, str]:
    """Return the key of the row by which a stranger is listed."""
    return {"pk": STRANGERS, "sk": stranger}


def picture_row_key(sha256: str) -> dict[str, str]:
    """Return the key of the row that says whose a picture is."""
    return {"pk": f"picture#{sha256}", "sk": "picture"}


def place_key(key: str) -> dict[str, str]:
    """Return the key of the row that says whose picture lies under a key in S3."""
    return {"pk": f"place#{key}", "sk": "place"}


def merged_key(into: str, stranger: str) -> dict[str, str]:
    """Return the key of the row by which who was merged into a stranger is found."""
    return {"pk": f"merged#{into}", "sk": stranger}


def expires_at(stranger: Stranger, last_ms: int) -> int:
    """Return when the row may go, in seconds; what the owner decided holds a year after a visit."""
    is_decided = stranger.status in (IGNORED, NAMED, MERGED)
    return last_ms // 1000 + (KEEP_DECIDED_S if is_decided else KEEP_ROWS_S)


def best_first(pictures: Iterable[Picture]) -> tuple[Picture, ...]:
    """Return pictures, each once, the best first."""
    once = {picture.sha256: picture for picture in pictures}
    return tuple(sorted(once.values(), key=lambda one: (-one.score, one.captured_ms)))


def picture_item(picture: Picture) -> Attributes:
    """Return a picture as the stranger's row keeps it."""
    return {
        "etag": picture.etag,
        "captured": picture.captured_ms,
        "camera": picture.camera,
        "score": decimals(round(picture.score, 4)),
        "file": picture.file,
        "faceId": picture.face_id,
    }


def stranger_of_row(item: Row) -> Stranger:
    """Return the stranger that a row holds."""
    pictures = [
        Picture(
            sha256,
            one["etag"],
            int(one["captured"]),
            one["camera"],
            float(one["score"]),
            one["file"],
            one.get("faceId", ""),
        )
        for sha256, one in item.get("pictures", {}).items()
    ]
    # An earlier version noted the first camera alone.
    cameras = item.get("cameras") or {item["camera"]}
    return Stranger(
        id=item["pk"].partition("#")[2],
        cameras=tuple(sorted(cameras)),
        first_ms=int(item["firstSeen"]),
        last_ms=int(item["lastSeen"]),
        sightings=int(item["sightings"]),
        visits=int(item.get("visits", 0)),
        status=item["status"],
        pictures=best_first(pictures),
        face_id=item.get("faceId", ""),
        picture_key=item.get("pictureKey", ""),
        person=item.get("person", ""),
        merged_into=item.get("mergedInto", ""),
        elsewhere=dict(item.get("elsewhere", {})),
        decided_ms=int(item.get("decidedAt", 0)),
        unsettled_ms=int(item.get("unsettledAt", 0)),
        decisions=int(item.get("decisions", 0)),
        is_recurring=bool(item.get("recurring")),
        version=int(item.get("version", 0)),
    )
