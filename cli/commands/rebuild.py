"""`./whosthere rebuild`: make the collection of people agree with the photos in S3."""

import argparse

from cli.aws.connect import add_options, confirm, connect, print_result
from cli.aws.people.collection_repair import (
    add_lost_faces,
    check_collection,
    delete_strays,
    wait_for_faces,
)
from cli.interrupts import Interrupts
from cli.progress import Progress

HELP = "make the faces of people again from their photos, where some are missing or left over"
EXAMPLE = "./whosthere rebuild"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_options(parser, camera=False)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Add the missing faces, delete those that are left over, and return the exit code."""
    progress = Progress(to_stderr=arguments.json)
    with connect(arguments) as target:
        check = check_collection(target)
        question = f"{len(check.strays)} faces that belong to no photo will be deleted."
        if check.strays and not confirm(target, question, yes=arguments.yes):
            return 1
        sent = add_lost_faces(target, check)
        with progress.live(f"{sent} photos are enrolled again"):
            is_done = wait_for_faces(target)
        deleted = 0
        if is_done:  # else what has no photo's row yet may be all that somebody is known by
            with progress.live(f"{len(check.strays)} faces without a photo are looked at again"):
                deleted = delete_strays(target, check)
    content = {
        "stack": str(target),
        "faces": check.faces,
        "model": check.model,
        "missing": len(check.lost),
        "enrolledAgain": sent,
        "deleted": deleted,
        "done": is_done,
    }
    text = (
        f"{check.faces} faces (model {check.model}): {len(check.lost)} were missing, {sent} photos "
        f"were enrolled again, {deleted} faces without a photo were deleted"
    )
    late = "; not all photos are judged yet, `./whosthere people` lists them"
    print_result(arguments, content, text if is_done else text + late)
    return 0 if is_done else 1
