"""Keys of photos in S3, and the ids that are made of them and of names."""

import hashlib
import hmac
from dataclasses import dataclass

from whosthere.names import PHOTO_MARK
from whosthere.people.person_names import folded_name, why_no_name, written_name

PREFIX = "people/"
MISPLACED = "A photo has to lie in the folder of its person: people/<name>/<file>."


@dataclass(frozen=True, slots=True)
class PhotoObject:
    """A photo in S3 under `people/`: its key, and the person whom the key names."""

    key: str
    name: str


def parse_photo_key(key: str) -> PhotoObject | None:
    """Parse an S3 key, `people/<name>/<file>`; return None if it is no photo's."""
    parts = key.split("/")
    if len(parts) != 3 or f"{parts[0]}/" != PREFIX or not parts[2] or why_no_name(parts[1]):
        return None
    return PhotoObject(key, written_name(parts[1]))


def why_no_photo(key: str) -> str:
    """Return why an object below `people/` is no photo of anybody; empty if it is one."""
    if parse_photo_key(key):
        return ""
    parts = key.split("/")
    if len(parts) == 3 and parts[1].strip() and parts[2]:
        return why_no_name(parts[1]) or MISPLACED
    return MISPLACED


def person_id(name: str, salt: str, number: int = 1) -> str:
    """Return the id of a person: it does not reveal the name, and fits an ExternalImageId.

    `number` counts the persons who had a name, one after the other.
    """
    folded = folded_name(name)
    return f"p-{_digest(folded if number == 1 else f'{folded}/{number}', salt)[:24]}"


def first_schema_id(name: str, salt: str) -> str:
    """Return the id that a person of the first schema has: another for each case of a name."""
    return f"p-{_digest(written_name(name), salt)[:24]}"


def face_label(person: str, key: str, salt: str) -> str:
    """Return the ExternalImageId of a photo's face: the person's id, and which photo it is.

    IndexFaces stores one face for the same picture under the same ExternalImageId, and a photo
    that is removed would take the face of its copy along.
    """
    return f"{person}{PHOTO_MARK}{_digest(key, salt)[:16]}"


def _digest(text: str, salt: str) -> str:
    return hmac.digest(salt.encode(), text.encode(), hashlib.sha256).hex()
