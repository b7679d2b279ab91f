"""`./whosthere unpair`: revoke a camera's certificate and delete its thing."""

import argparse
import json
import sys
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from cli.aws.cameras.iot import Certificate, ThingRegistry
from cli.aws.target import find_stack, resolve_camera
from cli.errors import VerbError
from cli.interrupts import Interrupts
from cli.setup.laptop_stack import NAME

HELP = "revoke a camera's identity"
EXAMPLE = "./whosthere unpair front-door"
# As in template.yaml; a stack that is deleted cannot be asked.
CREDENTIAL_SECONDS = 900


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("camera", nargs="?", help="may be left out if the stack has only one")
    parser.add_argument("--stack", default=NAME, help="the stack (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Revoke every certificate of the camera and return the exit code."""
    # Works for a camera that was removed from the stack, and for a stack that is deleted.
    target = find_stack(arguments.stack, must_exist=False)
    print(target, file=sys.stderr)
    camera = resolve_camera(target, arguments.camera)
    registry = ThingRegistry(target.session.client("iot"), target.stack)
    try:
        revoked = registry.certificates(camera)
        for certificate in revoked:
            registry.revoke_certificate(certificate.arn)
        had_thing = registry.delete_thing(camera)
        seconds = registry.credential_seconds() or CREDENTIAL_SECONDS
    except (BotoCoreError, ClientError) as error:
        raise VerbError(f"AWS refused: {error}") from error
    until = datetime.now().astimezone() + timedelta(seconds=seconds)
    if arguments.json:
        names = [certificate.id for certificate in revoked]
        content = {"camera": camera, "revoked": names, "keys_end": until.isoformat()}
        print(json.dumps(content))
    elif had_thing:
        _print_result(camera, registry.thing_name(camera), revoked, seconds, until)
    else:
        print(f"{camera} is not paired.")
    return 0


def _print_result(
    camera: str, thing: str, revoked: list[Certificate], seconds: int, until: datetime
) -> None:
    for certificate in revoked:
        print(f"certificate {certificate.id[:8]} deactivated, detached and deleted")
    print(f"thing {thing} deleted")
    print(
        f"\n{camera} gets no new credentials. Those it has stay valid for at most "
        f"{seconds // 60} minutes, until {until:%H:%M}."
    )
    print(f"On its machine: sudo ./{camera}/uninstall")
