"""`./whosthere pair`: gives a camera its identity, in one folder to copy to its machine."""

import argparse
import getpass
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from botocore.exceptions import BotoCoreError, ClientError

from cli.aws.camera_folder import CameraFolder
from cli.aws.iot import NewCertificate, Things
from cli.aws.target import Target, find, known_camera
from cli.errors import InputError, VerbError
from cli.interrupts import Interrupts
from cli.setup.laptop_stack import NAME
from edge.urls import has_password, is_url

HELP = "make a camera's identity, and the folder that installs it"
EXAMPLE = "./whosthere pair front-door --source rtsp://viewer@camera.lan/stream1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
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
    """Pair the camera and give the exit code."""
    _check_source(arguments.source)
    target = find(arguments.stack)
    print(target, file=sys.stderr)
    camera = known_camera(target, arguments.camera)
    folder = CameraFolder(arguments.to or Path(camera), camera)
    settings = {"source": _with_password(arguments.source)} if arguments.source else {}
    try:
        made = pair(target, camera, folder, settings, renew=arguments.renew)
    except (BotoCoreError, ClientError) as error:
        raise VerbError(f"AWS refused: {error}") from error
    _tell(arguments, camera, folder, made)
    return 0


def pair(
    target: Target, camera: str, folder: CameraFolder, settings: dict[str, Any], *, renew: bool
) -> NewCertificate | None:
    """Make what is missing; the certificate, if a new one was needed."""
    things = Things(target.client("iot"), target.stack)
    things.check()
    authority = target.authority()
    attached = things.certificates(camera)
    active = {one.id: one for one in attached if one.status == "ACTIVE"}
    if active and folder.certificate_id not in active and not renew:
        dates = ", ".join(f"{one.id[:8]} of {one.since:%Y-%m-%d}" for one in active.values())
        raise InputError(
            f"{camera} is paired already (certificate {dates}), and {folder.path} does not hold "
            "that certificate's key. Take the folder from then, or say --renew: that makes a new "
            "certificate and revokes the old one"
        )
    made = None
    if renew or folder.certificate_id not in active:
        made = things.add_certificate(camera)
    own = {"camera": camera, "stack": target.stack, "region": target.region}
    if target.endpoint:
        own["endpoint-url"] = target.endpoint
    identity = {
        "thing": things.name(camera),
        "role-alias": things.access_name,
        "credential-endpoint": things.credential_endpoint(),
    }
    try:
        folder.write({**own, **settings}, identity, made, authority)
    except BaseException:
        if made:
            things.revoke(made.arn)  # nobody has its key
        raise
    if made:
        for old in attached:
            things.revoke(old.arn)
    return made


def _tell(
    arguments: argparse.Namespace, camera: str, folder: CameraFolder, made: NewCertificate | None
) -> None:
    if arguments.json:
        certificate = made.id if made else folder.certificate_id
        shown = {"camera": camera, "folder": str(folder.path), "certificate": certificate}
        print(json.dumps({**shown, "is_new": made is not None}))
        return
    if made is None:
        print(f"{camera} is paired already; its folder is up to date. A new certificate: --renew")
    else:
        print(f"{camera} is paired: certificate {made.id[:8]}, whose key is in {folder.path} only.")
    name = folder.path.name
    print(f"\n  scp -r {folder.path} pi:\n  ssh pi sudo ./{name}/install\n")
    print(f"It ends with `./whosthere unpair {camera}`.")


def _check_source(source: str | None) -> None:
    if source and has_password(source):
        raise InputError(
            "--source: everybody on this machine can read a password on a command line. Leave it "
            "out, rtsp://USER@HOST/PATH, and it is asked for"
        )


def _with_password(source: str) -> str:
    """The URL with the password that is asked for, where it names a user."""
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
