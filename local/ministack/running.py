"""MiniStack's settings, and the ports and logs of the running instance."""

import contextlib
import json
import os
import tempfile
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.ministack import names
from local.security.iam import DecisionLog
from local.security.signing import TARGETS, ServiceError

ACCOUNT = "000000000000"
REGION = "us-east-1"
OWNER = "owner"
INHERITED = (
    "LAPTOP_FAULTS",
    "HOME",
    "KINESIS_CREATING_",
    "KVS_",
    "LAMBDA_PYTHON",
    "LANG",
    "LC_",
    "LD_",
    "PATH",
    "PYTHON",
    "REKOGNITION_",
    "S3_EVENTBRIDGE_",
    "TZ",
)


@dataclass(slots=True)
class _Running:
    """The ports and the decision log of this process."""

    port: int = 0
    media_port: int = 0
    decisions: DecisionLog | None = None


_running = _Running()


def configure(*, port: int, media_port: int, directory: Path) -> None:
    """Write MiniStack's settings into the environment, before anything of it is imported."""
    temporary = directory / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    # The caller may have a real account, whose key must not become root here.
    for name in [name for name in os.environ if not name.startswith(INHERITED)]:
        del os.environ[name]
    os.environ.update(
        {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "IOT_MTLS_ENABLED": "0",  # else MQTT listens on every interface
            "SFTP_ENABLED": "0",
            "LAMBDA_EXECUTOR": "local",
            # A socket that does not exist: MiniStack must not use the laptop's own containers.
            "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_EC2_METADATA_DISABLED": "true",
            "TMPDIR": str(temporary),
            "STATE_DIR": str(temporary / "state"),
            "S3_DATA_DIR": str(temporary / "s3"),
        }
    )
    tempfile.tempdir = str(temporary)  # it may have been asked before
    _running.port, _running.media_port = port, media_port
    _running.decisions = DecisionLog(directory / "iam.jsonl")


def endpoint() -> str:
    """Return the URL of every service's control plane."""
    return f"http://127.0.0.1:{_running.port}"


def media_endpoint() -> str:
    """Return the URL of Kinesis Video's media plane, for GetDataEndpoint."""
    # By name, which also works in a container (local/relay.py).
    return f"http://localhost:{_running.media_port}"


def log_decision(principal_arn: str, action: str, resource: str, allowed: bool) -> None:
    """Write a decision to the log."""
    if _running.decisions is not None:
        _running.decisions.write(principal_arn, action, resource, allowed=allowed)


def scope() -> contextlib.AbstractContextManager[None]:
    """Select the account and Region, which MiniStack's stores are keyed by, for our threads."""
    scope: contextlib.AbstractContextManager[None] = names.REQUEST_SCOPE.get()(ACCOUNT, REGION)
    return scope


async def create_owner() -> dict[str, str]:
    """Create the owner: a user with every right and a random key, new at each start."""
    document = "arn:aws:iam::aws:policy/AdministratorAccess"
    await _iam("CreateUser", UserName=OWNER)
    await _iam("AttachUserPolicy", UserName=OWNER, PolicyArn=document)
    answer = await _iam("CreateAccessKey", UserName=OWNER)
    return {
        "region": REGION,
        "account": ACCOUNT,
        "access_key_id": _element(answer, "AccessKeyId"),
        "secret_access_key": _element(answer, "SecretAccessKey"),
    }


async def _iam(action: str, **parameters: str) -> str:
    """Call one IAM operation from inside, where MiniStack needs no key."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = urllib.parse.urlencode(
        {"Action": action, "Version": "2010-05-08", **parameters}
    ).encode()
    status, _, answer = await names.SERVICE_HANDLERS.get()["iam"]("POST", "/", headers, body, {})
    if status != 200:
        raise names.UnexpectedEmulatorError(f"iam:{action} answered {status}: {answer.decode()}")
    return str(answer.decode())


def _element(xml: str, name: str) -> str:
    return xml.partition(f"<{name}>")[2].partition(f"</{name}>")[0]


def request_as_account(service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """Send a request as the account's root to a service that answers at once (JSON ones, SNS)."""
    if service in TARGETS:
        headers = {
            "x-amz-target": f"{TARGETS[service]}.{operation}",
            "content-type": "application/x-amz-json-1.1",
        }
        body = json.dumps(parameters)
    else:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = urllib.parse.urlencode({"Action": operation, **parameters})
    # CloudFormation calls this on the event loop for some types and on a thread for others.
    request = names.SERVICE_HANDLERS.get()[service]("POST", "/", headers, body.encode(), {})
    try:
        request.send(None)
    except StopIteration as answered:
        status, _, answer = answered.value
    else:
        raise names.UnexpectedEmulatorError(f"{service}:{operation} did not answer at once")
    if status >= 300:
        raise ServiceError(operation, answer.decode(), status)


def kill_workers() -> None:
    """Kill the processes that Lambda functions run in."""
    names.KILL_WORKERS.get()()
