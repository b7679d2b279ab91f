"""The stack that a verb talks to: on this laptop, or in somebody's AWS account."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import InputError, VerbError

CALLS = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"})
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Target:
    """A deployed stack, and the session that reaches it."""

    stack: str
    region: str
    account: str
    endpoint: str
    cameras: tuple[str, ...]
    session: Any
    engine: str = ""
    id: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_laptop(self) -> bool:
        """Whether it is the laptop AWS."""
        return bool(self.endpoint) and urlsplit(self.endpoint).hostname in LOOPBACK

    def __str__(self) -> str:
        """As every verb says it first."""
        return "laptop" if self.is_laptop else f"AWS {self.account} {self.region} {self.stack}"

    def client(self, service: str) -> Any:
        """A client of one service."""
        return self.session.client(service, config=CALLS)

    def output(self, name: str) -> str:
        """One of the names that the stack tells in its outputs."""
        if name not in self.outputs:
            raise VerbError(f"the stack {self.stack} has no output {name}; deploy it again")
        return self.outputs[name]

    def table(self) -> Any:
        """The stack's table."""
        return self.session.resource("dynamodb", config=CALLS).Table(self.output("TableName"))

    def authority(self) -> bytes | None:
        """The certificate authority that clients of this AWS need; None for AWS's own."""
        given = os.environ.get("AWS_CA_BUNDLE")
        return Path(given).read_bytes() if self.is_laptop and given else None


def find(stack: str, *, must_exist: bool = True) -> Target:
    """The stack as this shell's AWS settings reach it; VerbError says what is in the way."""
    session: Any = boto3.Session()
    try:
        formation = session.client("cloudformation", config=CALLS)
        region = str(formation.meta.region_name)
        account = session.client("sts", config=CALLS).get_caller_identity()["Account"]
        found = _described(formation, stack)
    except (BotoCoreError, ClientError) as error:
        raise VerbError(
            f"AWS cannot be asked: {error}\nFor an account: `aws configure`, or set AWS_PROFILE. "
            "For the laptop: paste the lines that `./whosthere up` prints"
        ) from error
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    values = _values(found, "Parameter")
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
        id=str((found or {}).get("StackId", "")),
        outputs=_values(found, "Output"),
    )
    if found is None and must_exist:
        raise VerbError(f"{target}: there is no stack {stack}; `sam build && sam deploy` makes it")
    return target


def camera_name(target: Target, given: str | None) -> str:
    """The camera that is meant; the only one, if none is named."""
    if given is None:
        if len(target.cameras) == 1:
            return target.cameras[0]
        raise InputError(f"which camera? The stack has: {', '.join(target.cameras)}")
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", given):
        raise InputError(
            f"{given!r} is no camera name: a lower-case letter, then at most 31 lower-case "
            "letters, digits or hyphens"
        )
    return given


def known_camera(target: Target, given: str | None) -> str:
    """The camera that is meant, which the stack has to have."""
    camera = camera_name(target, given)
    if camera not in target.cameras:
        raise InputError(
            f"the stack {target.stack} has no camera {camera}; it has: "
            f"{', '.join(target.cameras)}. Add it to the parameter Cameras and deploy again"
        )
    return camera


def _described(formation: Any, stack: str) -> dict[str, Any] | None:
    try:
        return dict(formation.describe_stacks(StackName=stack)["Stacks"][0])
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _values(found: Mapping[str, Any] | None, kind: str) -> dict[str, str]:
    """The stack's parameters or outputs, by name."""
    listed = (found or {}).get(f"{kind}s", [])
    return {one[f"{kind}Key"]: one[f"{kind}Value"] for one in listed}
