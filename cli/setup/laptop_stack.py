"""The real template, built and deployed by the real sam into the laptop AWS."""

import fcntl
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import VerbError
from cli.progress import Progress
from cli.setup.processes import stop, tail
from cli.setup.toolchain import PLACE, ROOT
from local.laptop import LaptopAWS, NotLoopbackError, assert_loopback

NAME = "whosthere"  # as in samconfig.toml
CAMERA = "front-door"  # the template's default
BINARIES = PLACE / "project" / "bin"
# What pip needs for the layers' packages where a proxy or a mirror stands in between.
FOR_DOWNLOADS = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Stack:
    """The deployed stack's names, as its outputs tell them."""

    name: str
    bucket: str
    table: str
    topic_arn: str
    machine_arn: str


def forget_accounts() -> dict[str, str]:
    """Take from this process all that leads to an AWS account; give back what downloads need."""
    downloads = downloads_of(os.environ)
    for name in list(os.environ):
        if name.startswith("AWS_") or name.upper().endswith("_PROXY"):
            del os.environ[name]
    os.environ |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return downloads


def downloads_of(variables: Mapping[str, str]) -> dict[str, str]:
    """What pip needs of an environment for the layers' packages."""
    return {
        name: value
        for name, value in variables.items()
        if name.upper().startswith(FOR_DOWNLOADS) or name == "HOME"
    }


class Sam:
    """Runs sam with an environment that knows the laptop AWS only; keeps what it says in a log."""

    def __init__(
        self, engine: str, logs: Path, downloads: Mapping[str, str], *, verbose: bool
    ) -> None:
        self._engine = engine
        self._logs = logs
        self._downloads = downloads
        self._verbose = verbose

    @contextmanager
    def building(self) -> Iterator[Callable[[], None]]:
        """`sam build` in the background; call what this gives to wait until it is done.

        Unchanged code comes from the cache under .aws-sam.
        """
        own = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        with self._running("build", own | dict(self._downloads) | nowhere) as done:
            yield done

    def deploy(self, laptop: LaptopAWS) -> None:
        """`sam deploy` of what was built, only if it cannot get past the loopback interface."""
        variables = laptop.environment()
        try:
            assert_loopback(variables)
        except NotLoopbackError as error:
            raise VerbError(
                f"nothing is deployed, it could reach a real account: {error}"
            ) from error
        with self._running("deploy", variables) as done:
            done()

    @contextmanager
    def _running(self, verb: str, variables: Mapping[str, str]) -> Iterator[Callable[[], None]]:
        command = [str(BINARIES / "sam"), verb, "--config-env", "local", *overrides(self._engine)]
        log = self._logs / f"sam-{verb}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**variables, **_sam_variables()},
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr if self._verbose else file,
                stderr=sys.stderr if self._verbose else file,
                start_new_session=True,  # a Ctrl-C is ours to hand on
            )

        def done() -> None:
            if process.wait():
                raise VerbError(f"`sam {verb}` failed:\n{tail(log)}")

        try:
            yield done
        finally:
            stop(process)


def overrides(engine: str) -> list[str]:
    """The template's parameters that depend on this laptop or on what was asked for."""
    arm = platform.machine().lower() in ("arm64", "aarch64")
    architecture = "arm64" if arm else "x86_64"
    return ["--parameter-overrides", f"Engine={engine} Architecture={architecture}"]


def _sam_variables() -> dict[str, str]:
    place = PLACE / "sam"
    place.mkdir(parents=True, exist_ok=True)
    # The date of its last check for a newer version, far ahead: sam does not check.
    (place / "metadata.json").write_text(json.dumps({"lastVersionCheck": 4102444800.0}))
    return {
        "PATH": f"{BINARIES}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.5",  # five seconds otherwise: right for AWS, slow here
        "__SAM_CLI_APP_DIR": str(place),
        "PIP_CACHE_DIR": str(PLACE / "pip-cache"),
    }


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Demo, tests and `up` share .aws-sam: the second one waits until the first has deployed."""
    with (PLACE / "sam.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def describe(laptop: LaptopAWS) -> Stack:
    """The stack as CloudFormation tells it."""
    answer: Any = laptop.client("cloudformation").describe_stacks(StackName=NAME)
    outputs = {item["OutputKey"]: item["OutputValue"] for item in answer["Stacks"][0]["Outputs"]}
    return Stack(
        name=NAME,
        bucket=outputs["BucketName"],
        table=outputs["TableName"],
        topic_arn=outputs["AlertTopicArn"],
        machine_arn=outputs["StateMachineArn"],
    )


def table_of(laptop: LaptopAWS, stack: Stack) -> Any:
    """The stack's table."""
    return laptop.session().resource("dynamodb", endpoint_url=laptop.endpoint).Table(stack.table)


def bring_up(
    laptop: LaptopAWS, sam: Sam, progress: Progress, meanwhile: Callable[[], None] | None = None
) -> Stack:
    """Start the laptop AWS and deploy into it; `meanwhile` is done while sam still builds."""
    with one_at_a_time(), sam.building() as built:
        with progress.step("the laptop AWS starts"):
            laptop.start()
        if meanwhile:
            _do_while(meanwhile, built)
        with progress.step("sam build"):
            built()
        with progress.step("sam deploy"):
            sam.deploy(laptop)
    return describe(laptop)


def _do_while(meanwhile: Callable[[], None], built: Callable[[], None]) -> None:
    """Do it; if it refuses, the build is finished all the same.

    One cut off leaves .aws-sam/build in halves, from which `sam local invoke` runs functions
    without their packages.
    """
    try:
        meanwhile()
    except VerbError:
        built()
        raise
