"""Build the real template and deploy it into the laptop AWS, with the real sam."""

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import InputError, VerbError
from cli.progress import Progress
from cli.setup.processes import stop_process, tail_log
from cli.setup.toolchain import ROOT, WORK_DIR
from local.laptop import (
    LaptopAWS,
    LaptopError,
    NotLoopbackError,
    allow_open_files,
    assert_loopback,
)
from whosthere.dynamodb import Table

NAME = "whosthere"  # as in samconfig.toml
CAMERA = "front-door"  # the template's default
BINARIES = WORK_DIR / "project" / "bin"
# sam's files end up in functions, which another user runs: they stay readable.
SAM_UMASK = 0o022
# Variables that pip needs for the layers' packages behind a proxy or a mirror.
FOR_DOWNLOADS = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Stack:
    """The names in the deployed stack's outputs."""

    name: str
    bucket: str
    table: str
    topic_arn: str
    machine_arn: str


def drop_aws_settings() -> dict[str, str]:
    """Remove all AWS settings from this process; return the variables that downloads need."""
    downloads = download_settings(os.environ)
    for name in list(os.environ):
        if name.startswith("AWS_") or name.upper().endswith("_PROXY"):
            del os.environ[name]
    os.environ |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return downloads


def download_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that pip needs to download the layers' packages."""
    return {
        name: value
        for name, value in variables.items()
        if name.upper().startswith(FOR_DOWNLOADS) or name == "HOME"
    }


class Sam:
    """Runs sam with an environment that reaches the laptop AWS only; logs its output."""

    def __init__(
        self, engine: str, logs: Path, downloads: Mapping[str, str], *, verbose: bool
    ) -> None:
        """Take the engine to deploy, the folder for logs and the variables for downloads."""
        self._engine = engine
        self._logs = logs
        self._downloads = downloads
        self._verbose = verbose

    @contextmanager
    def building(self) -> Iterator[Callable[[], None]]:
        """Run `sam build` in the background; yield a function that waits until it is done.

        Unchanged code comes from the cache under .aws-sam.
        """
        own = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        with self._running("build", own | dict(self._downloads) | nowhere) as done:
            yield done

    def deploy(self, laptop: LaptopAWS) -> None:
        """Run `sam deploy`, but only if it cannot reach anything beyond the loopback interface."""
        variables = laptop.environment()
        try:
            assert_loopback(variables)
        except NotLoopbackError as error:
            raise VerbError(
                f"nothing is deployed, it could reach a real account: {error}"
            ) from error
        template = template_with_zips(ROOT / ".aws-sam" / "build", WORK_DIR / "layers")
        # sam looks for its settings beside the template.
        options = ["--template-file", str(template), "--config-file", str(ROOT / "samconfig.toml")]
        with self._running("deploy", variables, *options) as done:
            done()

    @contextmanager
    def _running(
        self, verb: str, variables: Mapping[str, str], *options: str
    ) -> Iterator[Callable[[], None]]:
        command = [str(BINARIES / "sam"), verb, "--config-env", "local", *options]
        command += overrides(self._engine)
        log = self._logs / f"sam-{verb}.log"
        temporary = self._logs / f"sam-{verb}-files"  # which sam leaves when it is interrupted
        temporary.mkdir()
        with log.open("w") as file:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**variables, **_sam_variables(), "TMPDIR": str(temporary)},
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr if self._verbose else file,
                stderr=sys.stderr if self._verbose else file,
                start_new_session=True,  # this process forwards a Ctrl-C
                umask=SAM_UMASK,
            )

        def done() -> None:
            if process.wait():
                raise VerbError(f"`sam {verb}` failed:\n{tail_log(log)}")

        try:
            yield done
        finally:
            stop_process(process)
            shutil.rmtree(temporary, ignore_errors=True)


def template_with_zips(built: Path, kept: Path) -> Path:
    """Write a copy of the built template that names zips of the layers, kept between deploys.

    sam would zip their folders, 157 MB, at each deploy: that takes three seconds of a core.
    """
    text = (built / "template.yaml").read_text()
    for layer in re.findall(r"ContentUri: (\w+)$", text, re.MULTILINE):
        text = text.replace(f"ContentUri: {layer}\n", f"ContentUri: {_zip(built / layer, kept)}\n")
    copy = built / "laptop.yaml"  # beside the functions' folders, which it names too
    copy.write_text(text)
    return copy


def _zip(folder: Path, kept: Path) -> Path:
    """Return a zip of the folder; the last one, if the content is the same."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\0".encode() + content)
    place = kept / f"{folder.name}-{digest.hexdigest()}.zip"
    if not place.exists():
        for old in kept.glob(f"{folder.name}-*"):
            old.unlink()
        part = shutil.make_archive(str(kept / f"{folder.name}-part"), "zip", folder)
        Path(part).replace(place)
    return place


def overrides(engine: str) -> list[str]:
    """Return sam's options for template parameters that depend on this laptop and the engine."""
    arm = platform.machine().lower() in ("arm64", "aarch64")
    architecture = "arm64" if arm else "x86_64"
    return ["--parameter-overrides", f"Engine={engine} Architecture={architecture}"]


def _sam_variables() -> dict[str, str]:
    place = WORK_DIR / "sam"
    place.mkdir(parents=True, exist_ok=True)
    # sam checks for a newer version some days after this date, so with one far ahead never.
    (place / "metadata.json").write_text(json.dumps({"lastVersionCheck": 4102444800.0}))
    return {
        "PATH": f"{BINARIES}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.5",  # five seconds otherwise: right for AWS, slow here
        "__SAM_CLI_APP_DIR": str(place),
        "PIP_CACHE_DIR": str(WORK_DIR / "pip-cache"),
    }


@contextmanager
def sam_lock() -> Iterator[None]:
    """Hold the lock of .aws-sam, which demo, tests and `up` share until they have deployed."""
    with (WORK_DIR / "sam.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def describe_stack(laptop: LaptopAWS, name: str = NAME) -> Stack:
    """Return the stack that CloudFormation describes."""
    answer: Any = laptop.client("cloudformation").describe_stacks(StackName=name)
    outputs = {item["OutputKey"]: item["OutputValue"] for item in answer["Stacks"][0]["Outputs"]}
    return Stack(
        name=name,
        bucket=outputs["BucketName"],
        table=outputs["TableName"],
        topic_arn=outputs["AlertTopicArn"],
        machine_arn=outputs["StateMachineArn"],
    )


def table_of(laptop: LaptopAWS, stack: Stack) -> Table:
    """Return the stack's table."""
    return laptop.session().resource("dynamodb", endpoint_url=laptop.endpoint).Table(stack.table)


def bring_up(
    laptop: LaptopAWS, sam: Sam, progress: Progress, meanwhile: Callable[[], None] | None = None
) -> Stack:
    """Start the laptop AWS and deploy into it; call `meanwhile` while sam still builds."""
    try:
        allow_open_files()  # for sam too
    except LaptopError as error:
        raise InputError(str(error)) from error
    with sam_lock(), sam.building() as built:
        with progress.step("starting the laptop AWS"):
            laptop.start()
        if meanwhile:
            _do_while(meanwhile, built)
        with progress.step("sam build"):
            built()
        with progress.step("sam deploy"):
            sam.deploy(laptop)
    return describe_stack(laptop)


def _do_while(meanwhile: Callable[[], None], built: Callable[[], None]) -> None:
    """Call `meanwhile`; if it raises VerbError, let the build finish first.

    A build that is cut off leaves half of .aws-sam/build, from which `sam local invoke` runs
    functions without their packages.
    """
    try:
        meanwhile()
    except VerbError:
        built()
        raise
