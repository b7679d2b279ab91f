"""Photos on this machine: read, judged as far as that needs no AWS, and uploaded."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import InputError
from whosthere.errors import PhotoRefusedError
from whosthere.people.ownership import People
from whosthere.people.photo_keys import PREFIX
from whosthere.people.photos import MAX_BYTES, check_photo

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectTypeDef

CONTENT_TYPES = {".png": "image/png"}


@dataclass(frozen=True, slots=True)
class PhotoUpload:
    """A photo on this machine, and the object that it becomes in S3."""

    path: Path
    key: str
    etag: str


def require_files(paths: Sequence[str]) -> list[Path]:
    """Return the files; InputError names each that is none."""
    found = [Path(path).expanduser() for path in paths]
    if missing := [str(path) for path in found if not path.is_file()]:
        raise InputError(f"no such file: {', '.join(missing)}")
    return found


def why_refused(path: Path) -> str | None:
    """Return why a photo is refused before it is uploaded; None if it is not."""
    try:
        check_photo(read_photo(path))
    except PhotoRefusedError as error:
        return str(error)
    return None


def read_photo(path: Path) -> bytes:
    """Return a photo's bytes, or so many that it is known to be too large."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def upload_photos(people: People, folder: str, paths: Sequence[Path]) -> Iterator[PhotoUpload]:
    """Put photos into a person's folder and yield each; nothing there is overwritten.

    A photo whose name another one has gets a number. One that is there already is not put again.
    """
    prefix = f"{PREFIX}{folder}/"
    pages = people.s3.get_paginator("list_objects_v2").paginate(Bucket=people.bucket, Prefix=prefix)
    taken = {item["Key"]: item for page in pages for item in page.get("Contents", ())}
    for path in paths:
        content = read_photo(path)
        key, there = _key(prefix, path, content, taken)
        if there is None:
            etag = people.s3.put_object(
                Bucket=people.bucket,
                Key=key,
                Body=content,
                ContentType=CONTENT_TYPES.get(path.suffix.lower(), "image/jpeg"),
            )["ETag"]
            taken[key] = {"Key": key, "ETag": etag, "Size": len(content)}
        else:
            etag = there["ETag"]
        yield PhotoUpload(path, key, etag)


def _key(
    prefix: str, path: Path, content: bytes, taken: "dict[str, ObjectTypeDef]"
) -> "tuple[str, ObjectTypeDef | None]":
    """Return the key of a photo, and the object if it is there already."""
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()  # S3's ETag of an object
    key, number = f"{prefix}{path.name}", 1
    while there := taken.get(key):
        if there["ETag"].strip('"') == digest:
            return key, there
        number += 1
        key = f"{prefix}{path.stem}-{number}{path.suffix}"
    return key, None
