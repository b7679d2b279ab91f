"""`./whosthere enroll`: enroll somebody by photos, and say what is wrong with each."""

import argparse
from pathlib import Path
from typing import Any

from cli.aws.connect import add_options, connect, print_result
from cli.aws.people.photo_files import require_files, upload_photos, why_refused
from cli.aws.people.photo_verdicts import photo_json, photo_text, wait_for_verdicts
from cli.aws.target import Target
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.progress import Progress
from whosthere.people import store
from whosthere.people.ownership import find_person
from whosthere.people.person_names import why_no_name, written_name
from whosthere.people.reconcile import ENROLLED

HELP = "enroll somebody by photos, and say what is wrong with each photo"
EXAMPLE = "./whosthere enroll Alice alice-*.jpg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("name", help="who the photos show; case makes no difference")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a JPEG or PNG of at most 15 MB")
    add_options(parser, camera=False)


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Upload the photos, print the verdict of each, and return the exit code."""
    name = written_name(arguments.name)
    if reason := why_no_name(name):
        raise InputError(reason)
    paths = require_files(arguments.files)
    progress = Progress(to_stderr=arguments.json)
    with connect(arguments) as target:
        name, photos = _enroll(target, name, paths, progress)
    good = sum(photo["status"] == ENROLLED for photo in photos)
    content = {"stack": str(target), "name": name, "good": good, "photos": photos}
    print_result(arguments, content, f"{name}: {good} of {len(photos)} photos are enrolled")
    return 0 if good else 1


def _enroll(
    target: Target, name: str, paths: list[Path], progress: Progress
) -> tuple[str, list[dict[str, Any]]]:
    """Upload the photos and wait; return the name as it is shown, and what became of each."""
    table = target.table()
    if person := find_person(table, name, target.id):
        name = store.name_of(table, person)
    photos = []
    for path in paths:
        if reason := why_refused(path):
            photos.append(_unjudged(path, "refused", reason))
            progress.print(_line(photos[-1]))
    refused = {photo["file"] for photo in photos}
    usable = [path for path in paths if str(path) not in refused]
    with progress.live(f"uploading {len(usable)} photos"):
        uploads = list(upload_photos(target.people(), name, usable))
    with progress.live("waiting for what Rekognition says"):
        for upload, row in wait_for_verdicts(target, name, uploads):
            if row is None:
                late = f"uploaded, but not judged yet; `./whosthere people {name}` says more later"
                photos.append(_unjudged(upload.path, "waiting", late))
            else:
                person = find_person(table, name, target.id) or ""
                photos.append({"file": str(upload.path)} | photo_json(table, person, row))
            progress.print(_line(photos[-1]))
    return name, photos


def _unjudged(path: Path, status: str, reason: str) -> dict[str, Any]:
    found = {"file": str(path), "key": None, "status": status, "reason": reason}
    return found | {"advice": None, "looksLike": None}


def _line(photo: dict[str, Any]) -> str:
    return photo_text(photo | {"key": photo["file"]})
