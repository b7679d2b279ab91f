"""`./whosthere rebuild`: make the collection of people agree with the photos in S3."""

import argparse
from typing import Any

from cli.aws.connect import add_options, confirm, connect, print_result
from cli.aws.people.collection_repair import (
    add_lost_faces,
    check_collection,
    delete_strays,
    wait_for_faces,
)
from cli.aws.people.collection_switch import CollectionSwitch
from cli.aws.target import Target
from cli.interrupts import Interrupts
from cli.progress import Progress
from whosthere.costs.calculator import cost_of, sum_text
from whosthere.costs.prices import price_table
from whosthere.costs.usage import DETECT, SEARCH

HELP = "make the faces of people again from their photos: lost ones, or all for a newer face model"
EXAMPLE = "./whosthere rebuild"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_options(parser, camera=False)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Move to a newer face model, then add and delete single faces; return the exit code."""
    progress = Progress(to_stderr=arguments.json)
    with connect(arguments) as target:
        moved = _move(target, progress, yes=arguments.yes)
        if moved is None:
            return 1
        if moved["left"]:
            print_result(arguments, {"stack": str(target), **moved, "done": False}, _left(moved))
            return 1
        repaired = _repair(target, progress, yes=arguments.yes)
    if repaired is None:
        return 1
    content = {"stack": str(target), **moved, **repaired}
    print_result(arguments, content, _text(content))
    return 0 if content["done"] else 1


def _move(target: Target, progress: Progress, *, yes: bool) -> dict[str, Any] | None:
    """Move the faces to a newer model, if there is one; return how far, None if not to be."""
    switch = CollectionSwitch(target)
    before = switch.model(switch.numbers.in_use)
    if newest := switch.newer_model():
        is_wanted = False
        try:
            is_wanted = confirm(target, _question(target, before, newest), yes=yes)
        finally:
            if not is_wanted:
                switch.discard()
        if not is_wanted:
            return None
        switch.begin()
    left, users = 0, list[str]()
    if switch.numbers.building:
        with progress.live("photos are enrolled into a second collection"):
            left = switch.fill(progress)
        if left == 0:
            switch.switch()
    if switch.numbers.retiring:
        with progress.live("the old collection goes once nothing uses it"):
            users = switch.retire()
    after = switch.model(switch.numbers.in_use)
    return {"modelBefore": before, "switched": after != before, "left": left, "oldUsedBy": users}


def _question(target: Target, before: str, newest: str) -> str:
    photos = check_collection(target).faces
    # DetectFaces and IndexFaces; its price is the one of a search.
    price = cost_of({DETECT: photos, SEARCH: photos}, price_table(target.region))
    return (
        f"Rekognition has face model {newest}, the people's collection has {before}. Its {photos} "
        f"photos are enrolled into a second collection (at most {sum_text(price)}); the old one is "
        "used until all are there. Go on?"
    )


def _repair(target: Target, progress: Progress, *, yes: bool) -> dict[str, Any] | None:
    """Add the missing faces and delete those left over; return what was done, None if not to be."""
    check = check_collection(target)
    question = f"{len(check.strays)} faces that belong to no photo will be deleted."
    if check.strays and not confirm(target, question, yes=yes):
        return None
    sent = add_lost_faces(target, check)
    with progress.live(f"{sent} photos are enrolled again"):
        is_done = wait_for_faces(target)
    deleted = 0
    if is_done:  # else what has no photo's row yet may be all that somebody is known by
        with progress.live(f"{len(check.strays)} faces without a photo are looked at again"):
            deleted = delete_strays(target, check)
    return {
        "faces": check.faces,
        "model": check.model,
        "missing": len(check.lost),
        "enrolledAgain": sent,
        "deleted": deleted,
        "done": is_done,
    }


def _left(content: dict[str, Any]) -> str:
    return (
        f"{content['left']} photos are not in the second collection yet, and the old one is used "
        "until they are: run `./whosthere rebuild` again"
    )


def _text(content: dict[str, Any]) -> str:
    text = (
        f"{content['faces']} faces (model {content['model']}): {content['missing']} were missing, "
        f"{content['enrolledAgain']} photos were enrolled again, {content['deleted']} faces "
        "without a photo were deleted"
    )
    if not content["done"]:
        text += "; not all photos are judged yet, `./whosthere people` lists them"
    if content["switched"]:
        text += f"\nall faces were made again: the collection had model {content['modelBefore']}"
    if content["oldUsedBy"]:
        text += (
            f"\nsession {', '.join(content['oldUsedBy'])} still uses the old collection: run "
            "`./whosthere rebuild` again once it has ended, to delete it"
        )
    return text
