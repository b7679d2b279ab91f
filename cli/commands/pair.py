"""`./whosthere pair`: give a camera its identity, in one folder to copy to its machine."""

import argparse
import getpass
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from botocore.exceptions import BotoCoreError, ClientError

from cli.aws.cameras.camera_folder import CameraFolder
from cli.aws.cameras.iot import NewCertificate, ThingRegistry
from cli.aws.target import Target, find_stack, require_camera
from cli.errors import InputError, VerbError
from cli.interrupts import Interrupts
from cli.setup.laptop_stack import NAME
from edge.urls import has_password, is_url

HELP = "make a camera's identity, and the folder that installs it"
EXAMPLE = "./whosthere pair front-door --source rtsp://viewer@camera.lan/stream1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("camera", nargs="?", help="may be left out if the stack has only one")
    parser.add_argument("--stack", default=NAME, help="the stack (default: %(default)s)")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="(default: ./CAMERA)")
    parser.add_argument(
        "--source",
        help="picamera, /dev/video0 or a URL; the password of rtsp://USER@HOST/PATH is asked for "
        "(default: the camera module)",
    )
    parser.add_argument(
        "--renew", action="store_true", help="make a new certificate and revoke the old one"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Pair the camera and return the exit code."""
    _refuse_password(arguments.source)
    target = find_stack(arguments.stack)
    print(target, file=sys.stderr)
    camera = require_camera(target, arguments.camera)
    folder = CameraFolder(arguments.to or Path(camera), camera)
    settings = {"source": _ask_password(arguments.source)} if arguments.source else {}
    try:
        created = pair_camera(target, camera, folder, settings, renew=arguments.renew)
    except (BotoCoreError, ClientError) as error:
        raise VerbError(f"AWS refused: {error}") from error
    _print_result(arguments, camera, folder, created)
    return 0


def pair_camera(
    target: Target, camera: str, folder: CameraFolder, settings: dict[str, Any], *, renew: bool
) -> NewCertificate | None:
    """Create what is missing; return the certificate if a new one was needed."""
    registry = ThingRegistry(target.session.client("iot"), target.stack)
    registry.require_role_alias()
    authority = target.authority()
    attached = registry.certificates(camera)
    active = {one.id: one for one in attached if one.status == "ACTIVE"}
    if active and folder.certificate_id not in active and not renew:
        dates = ", ".join(f"{one.id[:8]} of {one.since:%Y-%m-%d}" for one in active.values())
        raise InputError(
            f"{camera} is paired already (certificate {dates}), and {folder.path} does not hold "
            "that certificate's key. Take the folder from then, or say --renew: that makes a new "
            "certificate and revokes the old one"
        )
    created = None
    if renew or folder.certificate_id not in active:
        created = registry.create_certificate(camera)
    own = {"camera": camera, "stack": target.stack, "region": target.region}
    if target.endpoint:
        own["endpoint-url"] = target.endpoint
    identity = {
        "thing": registry.thing_name(camera),
        "role-alias": registry.role_alias,
        "credential-endpoint": registry.credential_endpoint(),
    }
    try:
        folder.write({**own, **settings}, identity, created, authority)
    except BaseException:
        if created:
            registry.revoke_certificate(created.arn)  # nobody has its key
        raise
    if created:
        for old in attached:
            registry.revoke_certificate(old.arn)
    return created


def _print_result(
    arguments: argparse.Namespace, camera: str, folder: CameraFolder, created: NewCertificate | None
) -> None:
    if arguments.json:
        certificate = created.id if created else folder.certificate_id
        shown = {"camera": camera, "folder": str(folder.path), "certificate": certificate}
        print(json.dumps({**shown, "is_new": created is not None}))
        return
    if created is None:
        print(f"{camera} is paired already; its folder is up to date. A new certificate: --renew")
    else:
        print(
            f"{camera} is paired: certificate {created.id[:8]}, whose key is in {folder.path} only."
        )
    name = folder.path.name
    print(f"\n  scp -r {folder.path} pi:\n  ssh pi sudo ./{name}/install\n")
    print(f"`./whosthere unpair {camera}` revokes the certificate.")


def _refuse_password(source: str | None) -> None:
    if source and has_password(source):
        raise InputError(
            "--source: everybody on this machine can read a password on a command line. Leave it "
            "out, rtsp://USER@HOST/PATH, and it is asked for"
        )


def _ask_password(source: str) -> str:
    """Ask for the password of a URL that names a user, and return the URL with it."""
    parts = urlsplit(source) if is_url(source) else None
    if parts is None or "@" not in parts.netloc:
        return source
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password of {parts.username} at {parts.hostname}: ")
    else:
        password = sys.stdin.readline().rstrip("\n")
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user}:{quote(password, safe='')}@{host}"
    return urlunsplit(parts._replace(netloc=netloc))
