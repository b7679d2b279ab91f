"""Read the people to enroll from `--person` options, and name photos that cannot be used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.errors import InputError
from whosthere.errors import PhotoRefusedError
from whosthere.people.person_names import why_no_name
from whosthere.people.photos import check_picture


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo of a person on this machine, and the file name under which it is enrolled."""

    path: Path
    key: str


@dataclass(frozen=True, slots=True)
class RefusedPhoto:
    """A photo that enrolls nobody, and why."""

    photo: PhotoFile
    reason: str


PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")
People = Mapping[str, tuple[PhotoFile, ...]]


def parse_people(options: Sequence[str]) -> People:
    """Parse options such as "Name=photo.jpg"; a name may come several times.

    Raises InputError if somebody has no file that is a picture.
    """
    photos: dict[str, list[PhotoFile]] = {}
    for option in options:
        name, path = _parse_option(option)
        own = photos.setdefault(name, [])
        own.append(PhotoFile(path, f"{len(own) + 1}{path.suffix.lower()}"))
    people = {name: tuple(own) for name, own in photos.items()}
    find_refused(people, lambda _name, photo: _why_unreadable(photo))
    return people


def read_people(folder: Path) -> People:
    """Return the people of a folder that has a folder of photos for each, named after them.

    Raises InputError if there is nobody, or somebody has no file that is a picture.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; give one with NAME/PHOTO.jpg in it")
    people: dict[str, tuple[PhotoFile, ...]] = {}
    for own in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(path for path in own.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES)
        if reason := why_no_name(own.name):
            raise InputError(f"{own}: {reason}")
        if files:
            people[own.name] = tuple(PhotoFile(path, path.name) for path in files)
    if not people:
        raise InputError(f"{folder}: nobody is in it; a person is a folder NAME with photos in it")
    find_refused(people, lambda _name, photo: _why_unreadable(photo))
    return people


def find_refused(
    people: People, reason_of: Callable[[str, PhotoFile], str | None]
) -> list[RefusedPhoto]:
    """Return the refused photos of people who have other photos.

    `reason_of` says why a photo is refused; None if it is not. Raises InputError if all photos
    of a person are refused.
    """
    refused: list[RefusedPhoto] = []
    useless: list[str] = []
    for name, photos in people.items():
        own = [
            RefusedPhoto(photo, reason)
            for photo in photos
            if (reason := reason_of(name, photo)) is not None
        ]
        if own and len(own) == len(photos):
            useless += [f"{one.photo.path}: {one.reason}" for one in own]
            useless.append(f"No photo of {name} can be used: give another photo.")
        refused += own
    if useless:
        raise InputError("\n".join(useless))
    return refused


def without(people: People, refused: list[RefusedPhoto]) -> People:
    """Return the people with the photos that are not refused."""
    bad = {one.photo for one in refused}
    return {
        name: tuple(photo for photo in photos if photo not in bad)
        for name, photos in people.items()
    }


def _why_unreadable(photo: PhotoFile) -> str | None:
    try:
        check_picture(photo.path.read_bytes())
    except PhotoRefusedError as error:
        return str(error)
    return None


def _parse_option(option: str) -> tuple[str, Path]:
    name, equals, path = option.partition("=")
    name = name.strip()
    if not equals or not name or not path:
        raise InputError(f'--person {option!r}: write --person "Name=photo.jpg", with the quotes')
    if "/" in name:
        raise InputError(f"--person {option!r}: a name cannot contain a slash")
    if reason := why_no_name(name):
        raise InputError(f"--person {option!r}: {reason}")
    found = Path(path).expanduser()
    if not found.is_file():
        raise InputError(f"{path}: there is no such file (--person {option!r})")
    return name, found
