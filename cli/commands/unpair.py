"""`./whosthere unpair`: a camera's certificate is good for nothing any more."""

import argparse
import json
import sys
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from cli.aws.iot import Certificate, Things
from cli.aws.target import camera_name, find
from cli.errors import VerbError
from cli.interrupts import Interrupts
from cli.setup.laptop_stack import NAME

HELP = "revoke a camera's identity"
EXAMPLE = "./whosthere unpair front-door"
# The template's; where the stack is gone there is nobody to ask.
KEYS_S = 900


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument("camera", nargs="?", help="may be left out if the stack has only one")
    parser.add_argument("--stack", default=NAME, help="the stack (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Revoke every certificate of the camera and give the exit code."""
    # A camera that has left the stack, or a stack that is gone, must be no hindrance.
    target = find(arguments.stack, must_exist=False)
    print(target, file=sys.stderr)
    camera = camera_name(target, arguments.camera)
    things = Things(target.client("iot"), target.stack)
    try:
        revoked = things.certificates(camera)
        for certificate in revoked:
            things.revoke(certificate.arn)
        had_thing = things.remove_thing(camera)
        seconds = things.keys_s() or KEYS_S
    except (BotoCoreError, ClientError) as error:
        raise VerbError(f"AWS refused: {error}") from error
    until = datetime.now().astimezone() + timedelta(seconds=seconds)
    if arguments.json:
        names = [certificate.id for certificate in revoked]
        content = {"camera": camera, "revoked": names, "keys_end": until.isoformat()}
        print(json.dumps(content))
    elif had_thing:
        _tell(camera, things.name(camera), revoked, seconds, until)
    else:
        print(f"{camera} is not paired.")
    return 0


def _tell(
    camera: str, thing: str, revoked: list[Certificate], seconds: int, until: datetime
) -> None:
    for certificate in revoked:
        print(f"certificate {certificate.id[:8]} deactivated, detached and deleted")
    print(f"thing {thing} deleted")
    print(
        f"\n{camera} gets no new keys. Those it has are good for at most {seconds // 60} minutes "
        f"more, until {until:%H:%M}."
    )
    print(f"On its machine: sudo ./{camera}/uninstall")
