"""Lambda: our worker, its interpreter, the role's keys, and errors that keep their type."""

import functools
import hashlib
import io
import os
import tempfile
import threading
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local import ministack
from local.lambda_worker import ERROR, LAYERS
from local.ministack import names

WORKER = Path(__file__).resolve().parent.parent / "lambda_worker.py"
INTERPRETER = "LAMBDA_PYTHON"

_keys: dict[tuple[str, str], dict[str, str]] = {}
_lock = threading.Lock()


def install() -> None:
    """Patch MiniStack's Lambda."""
    names.WORKER_SCRIPT.replace(WORKER.read_text())
    names.RUNTIME_BINARY.replace(_binary_of(names.RUNTIME_BINARY.get()))
    names.RUN_WARM.replace(_keeping_errors(_a_few_at_once(names.RUN_WARM.get())))
    names.ROLE_CREDENTIALS.replace(_role_credentials)
    names.START_WORKER.replace(_with_shared_layers(names.START_WORKER.get()))


def _binary_of(detect: Callable[[str], tuple[str, str]]) -> Callable[[str], tuple[str, str]]:
    """Run functions with the interpreter in LAMBDA_PYTHON instead of our own."""

    def detected(runtime: str) -> tuple[str, str]:
        binary, script = detect(runtime)
        return (
            os.environ.get(INTERPRETER, binary) if runtime.startswith("python") else binary
        ), script

    return detected


def _a_few_at_once(run: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Let invocations of a function wait for each other once every core has one.

    On AWS each would get a worker of its own. Here a burst of cold starts would only slow
    all of them down, and with them the workers that are warm already.
    """
    at_once = max(2, os.cpu_count() or 2)
    gates: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(at_once))

    @functools.wraps(run)
    def execute(func: dict[str, Any], event: Any, *rest: Any, **more: Any) -> dict[str, Any]:
        with _lock:
            gate = gates[func["config"]["FunctionArn"]]
        with gate:
            return run(func, event, *rest, **more)

    return execute


def _keeping_errors(run: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    @functools.wraps(run)
    def execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        result = run(func, event, request_id)
        body = result.get("body")
        if not isinstance(body, dict) or ERROR not in body:
            return result
        return {**result, "body": body[ERROR], "error": True, "function_error": "Unhandled"}

    return execute


def _with_shared_layers(start: Callable[[Any], None]) -> Callable[[Any], None]:
    """Unpack a layer once, not once for each worker: then its modules are compiled once, too."""

    @functools.wraps(start)
    def spawn(worker: Any) -> None:
        config = worker.config
        folders = [str(_unpacked(attachment)) for attachment in config.get("Layers") or []]
        own = config.get("Environment", {}).get("Variables", {})
        variables = {**own, LAYERS: os.pathsep.join(folders)}
        worker.config = {**config, "Layers": [], "Environment": {"Variables": variables}}
        try:
            start(worker)
        finally:
            worker.config = config

    return spawn


def _unpacked(attachment: Any) -> Path:
    """Return the folder of a layer version's content, unpacked once below TMPDIR."""
    content = names.LAYER_ZIP.get()(attachment)
    if content is None:
        raise FileNotFoundError(f"a layer is gone: {attachment}")
    folder = Path(tempfile.gettempdir()) / "layers" / hashlib.sha256(content).hexdigest()[:32]
    with _lock:
        if not folder.exists():
            growing = folder.with_suffix(".growing")
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(growing)
            growing.rename(folder)
    return folder


def _role_credentials(config: dict[str, Any]) -> dict[str, str]:
    """Return keys of the function's role, which must trust Lambda.

    Random: MiniStack's own can be computed from the ARN.
    """
    role_arn, function_arn = config.get("Role", ""), config.get("FunctionArn", "")
    with _lock:
        known = _keys.get((role_arn, function_arn))
        if known is None:
            keys = ministack.assume_role_as_service(
                role_arn, service="lambda.amazonaws.com", session_name=config["FunctionName"][:64]
            )
            known = _keys[role_arn, function_arn] = {
                "AWS_ACCESS_KEY_ID": keys.access_key_id,
                "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
                "AWS_SESSION_TOKEN": keys.session_token or "",
            }
    return known
