"""The laptop AWS from another environment: start, stop, clients and a safe environment."""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from local.security.loopback import LOOPBACK, NotLoopbackError, assert_loopback

__all__ = [
    "LaptopAWS",
    "LaptopError",
    "NotLoopbackError",
    "Process",
    "allow_open_files",
    "assert_loopback",
]

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".whosthere"
START_SECONDS = 60
STOP_SECONDS = 20
OPEN_FILES = 512
# Variables that children inherit; AWS_ variables and proxies are left out.
INHERITED = ("PATH", "LANG", "LC_ALL", "TERM", "TZ", "UV_CACHE_DIR")
# Makes a botocore session read no file and no profile.
NO_FILES = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class LaptopError(Exception):
    """The laptop AWS did not start or has died."""


def allow_open_files() -> None:
    """Raise the limit of open files of this process and its children if it is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= OPEN_FILES:
        return
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        raise LaptopError(
            f"only {hard} files may be open here; the laptop AWS needs {OPEN_FILES} (`ulimit -n`)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))


@dataclass(frozen=True, slots=True)
class Process:
    """One living process of the laptop AWS."""

    pid: int
    command: str


@dataclass(slots=True)
class LaptopAWS:
    """The laptop AWS as a context manager; its process ends with ours."""

    directory: Path
    port: int = 0
    media_port: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    emulator: Path = ENVIRONMENTS / "emulator" / "bin" / "python"
    functions: Path = ENVIRONMENTS / "lambda" / "bin" / "python"
    facts: dict[str, Any] = field(default_factory=dict, init=False)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _clients: dict[str, Any] = field(default_factory=dict, init=False)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers; raise LaptopError with its log if it fails."""
        allow_open_files()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [self.emulator, "-m", "local", "--directory", self.directory.resolve()]
        command += ["--port", str(self.port), "--media-port", str(self.media_port)]
        with (self.directory / "errors.log").open("wb") as errors:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=self._own_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C must not end it before the clean-up
            )
        try:
            self.facts = self._first_line()
        except BaseException:
            self.stop()
            raise

    def _own_environment(self) -> dict[str, str]:
        """Return the emulator's environment: almost empty, because Lambda functions inherit it."""
        return {
            **_inherited(),
            "HOME": str(self.directory.resolve()),
            "LAMBDA_PYTHON": str(self.functions),
            "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
            **self.settings,
        }

    def _first_line(self) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            reason = (self.directory / "errors.log").read_text(errors="replace")[-2000:]
            raise LaptopError(f"the laptop AWS did not start: {reason.strip() or 'no answer'}")
        return dict(json.loads(line))

    def stop(self) -> None:
        """Stop it and its workers; kill them if they do not end in time."""
        if self._process is None:
            return
        while self._clients:
            self._clients.popitem()[1].close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # also workers that outlived it
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def endpoint(self) -> str:
        """Return the URL of its control plane."""
        return str(self.facts["endpoint"])

    def environment(self) -> dict[str, str]:
        """Return a complete environment whose AWS clients reach this laptop only."""
        home = self.directory.resolve() / "home"
        for name in ("config", "credentials"):
            (home / ".aws").mkdir(parents=True, exist_ok=True)
            (home / ".aws" / name).touch()
        return {
            **_inherited(),
            "HOME": str(home),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.facts["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.facts["secret_access_key"],
            "AWS_REGION": self.facts["region"],
            "AWS_DEFAULT_REGION": self.facts["region"],
            "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CA_BUNDLE": self.facts["authority"],
            "AWS_PAGER": "",
            "SAM_CLI_TELEMETRY": "0",
            "NO_PROXY": LOOPBACK,
            "no_proxy": LOOPBACK,
        }

    def session(self) -> boto3.Session:
        """Return a boto3 session with the owner's key; the caller's AWS files are not read."""
        return boto3.Session(
            aws_access_key_id=self.facts["access_key_id"],
            aws_secret_access_key=self.facts["secret_access_key"],
            region_name=self.facts["region"],
            botocore_session=botocore.session.Session(session_vars=NO_FILES),
        )

    def client(self, service: str, config: Config | None = None) -> Any:
        """Return a boto3 client of this laptop, cached by service unless a config is given."""
        if config is None and service in self._clients:
            return self._clients[service]
        own = Config(proxies={}, use_fips_endpoint=False, use_dualstack_endpoint=False)
        merged = own.merge(config) if config else own
        session: Any = self.session()
        client = session.client(service, endpoint_url=self.endpoint, config=merged)
        if config is None:
            self._clients[service] = client
        return client

    def processes(self) -> list[Process]:
        """Return the living processes of the laptop AWS: itself and its workers."""
        if self._process is None:
            return []
        return _processes_of_group(self._process.pid)

    def ports(self) -> list[int]:
        """Return those of its ports that still accept connections."""
        urls = (url for name, url in self.facts.items() if name.endswith("endpoint"))
        return [port for url in urls if (port := urlsplit(url).port) and _answers(port)]


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _processes_of_group(group: int) -> list[Process]:
    """Return the living processes of a process group, which a process's children share."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,pgid=,stat=,args="],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,  # a Ctrl-C goes to the whole group and would end it too
    )
    found = []
    for line in listed.stdout.splitlines():
        pid, own, state, command = line.split(None, 3)
        if own == str(group) and not state.startswith("Z"):
            found.append(Process(int(pid), command))
    return found
