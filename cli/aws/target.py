"""Find the stack that a verb talks to: on this laptop, or in an AWS account."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.aws.shared_session import SharedSession
from cli.errors import InputError, VerbError
from whosthere import settings, settings_file
from whosthere.dynamodb import Table
from whosthere.people.collections import collection_in_use, collection_name, read_collections
from whosthere.people.ownership import People
from whosthere.strangers.review_queue import StrangerFiles

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

CLIENT_CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"})
CAMERA_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")  # as in settings.schema.json
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Target:
    """A deployed stack, and the boto3 session that reaches it."""

    stack: str
    region: str
    account: str
    endpoint: str
    cameras: tuple[str, ...]
    session: boto3.Session
    engine: str = ""
    id: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_laptop(self) -> bool:
        """Return whether the stack is on the laptop AWS."""
        return bool(self.endpoint) and urlsplit(self.endpoint).hostname in LOOPBACK

    def __str__(self) -> str:
        """Return the first line that every verb prints."""
        return "laptop" if self.is_laptop else f"AWS {self.account} {self.region} {self.stack}"

    def output(self, name: str) -> str:
        """Return one of the stack's outputs; VerbError if it has no such output."""
        if name not in self.outputs:
            raise VerbError(f"the stack {self.stack} has no output {name}; deploy it again")
        return self.outputs[name]

    def table(self) -> Table:
        """Return the stack's table."""
        return self.session.resource("dynamodb").Table(self.output("TableName"))

    def people(self) -> People:
        """Return the stack's photos."""
        return People(self.table(), self.session.client("s3"), self.output("BucketName"), self.id)

    def stranger_files(self) -> StrangerFiles:
        """Return the strangers' pictures and faces."""
        return StrangerFiles(
            self.session.client("s3"),
            self.session.client("rekognition"),
            self.output("BucketName"),
            f"{self.stack}-strangers",
        )

    def people_collection(self) -> str:
        """Return the id of the collection of the people's faces that is searched now."""
        return collection_in_use(self.table(), self.output("PeopleCollectionId"))

    def people_collections(self) -> list[str]:
        """Return the ids of all collections that hold faces of the people."""
        first = self.output("PeopleCollectionId")
        return [collection_name(first, number) for number in read_collections(self.table()).all]

    @property
    def look_alikes_collection(self) -> str:
        """Return the id of the collection of faces that were taken for a person."""
        return f"{self.stack}-not-persons"

    def settings(self) -> dict[str, Any]:
        """Return the settings that count for the whole stack."""
        file = settings_file.read(self.session.client("s3"), self.output("BucketName"))
        return settings.merge(file, "", {})

    def authority(self) -> bytes | None:
        """Return the certificate authority of the laptop AWS; None for AWS, whose CA is public."""
        given = os.environ.get("AWS_CA_BUNDLE")
        return Path(given).read_bytes() if self.is_laptop and given else None


def find_stack(stack: str, *, must_exist: bool = True) -> Target:
    """Find the stack that this shell's AWS settings reach; VerbError says why it is not reached."""
    session = _session()
    try:
        formation = session.client("cloudformation")
        region = formation.meta.region_name
        account = session.client("sts").get_caller_identity()["Account"]
        found = _describe(formation, stack)
    except (BotoCoreError, ClientError) as error:
        raise VerbError(
            f"AWS cannot be asked: {error}\nFor an account: `aws configure`, or set AWS_PROFILE. "
            "For the laptop: paste the lines that `./whosthere up` prints"
        ) from error
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    values = _parameters(found)
    target = Target(
        stack=stack,
        region=region,
        account=account,
        endpoint=endpoint,
        cameras=tuple(
            name.strip() for name in values.get("Cameras", "").split(",") if name.strip()
        ),
        session=session,
        engine=values.get("Engine", ""),
        id=found.get("StackId", "") if found else "",
        outputs=_outputs(found),
        parameters=values,
    )
    if found is None and must_exist:
        raise VerbError(f"{target}: there is no stack {stack}; `sam build && sam deploy` makes it")
    return target


def resolve_camera(target: Target, given: str | None) -> str:
    """Return the camera that is meant: the only one if none is named."""
    if given is None:
        if len(target.cameras) == 1:
            return target.cameras[0]
        raise InputError(f"which camera? The stack has: {', '.join(target.cameras)}")
    if not CAMERA_NAME.fullmatch(given):
        raise InputError(
            f"{given!r} is no camera name: a lower-case letter, then at most 31 lower-case "
            "letters, digits or hyphens"
        )
    return given


def require_camera(target: Target, given: str | None) -> str:
    """Return the camera that is meant; InputError if the stack does not have it."""
    camera = resolve_camera(target, given)
    if camera not in target.cameras:
        raise InputError(
            f"the stack {target.stack} has no camera {camera}; it has: "
            f"{', '.join(target.cameras)}. Add it to the parameter Cameras and deploy again"
        )
    return camera


def _session() -> boto3.Session:
    """Return a session whose clients give up soon if a service does not answer."""
    core = botocore.session.get_session()
    core.set_default_client_config(CLIENT_CONFIG)
    return SharedSession(core)


def _describe(formation: "CloudFormationClient", stack: str) -> "StackTypeDef | None":
    try:
        return formation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _parameters(found: "StackTypeDef | None") -> dict[str, str]:
    listed = found.get("Parameters", []) if found else []
    return {one["ParameterKey"]: one["ParameterValue"] for one in listed}


def _outputs(found: "StackTypeDef | None") -> dict[str, str]:
    listed = found.get("Outputs", []) if found else []
    return {one["OutputKey"]: one["OutputValue"] for one in listed}
