"""The process of a Lambda function: one JSON line in and one out for each invocation.

MiniStack writes this file's text beside the function's code and starts it with the
interpreter of the functions' environment, so it imports nothing of ours. Unlike
MiniStack's own worker, it keeps an exception's type and stack trace and stays alive, writes
`logger.info`, keeps printed output apart from the answers, and leaves only Lambda's
documented variables and the function's own in the environment
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
"""

import importlib
import json
import logging
import os
import site
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

ERROR = "__function_error__"
RESERVED = (
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
    "PATH",
    "TMPDIR",
)
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
LAYERS = "_LAMBDA_LAYERS_DIRS"
TIMEOUT = "_LAMBDA_TIMEOUT"


class Context:
    """The context object, as on https://docs.aws.amazon.com/lambda/latest/dg/python-context.html."""

    identity = None
    client_context = None

    def __init__(self, started: dict[str, Any], given: dict[str, Any], timeout: float) -> None:
        """Make the context of one invocation."""
        self.function_name = started["function_name"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = str(started["memory"])
        self.invoked_function_arn = given.get("invoked_function_arn") or started["arn"]
        self.aws_request_id = given.get("request_id", "")
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = time.monotonic() + timeout

    def get_remaining_time_in_millis(self) -> int:
        """Return the time the invocation has left."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main() -> None:
    """Import the handler, report it ready, and answer invocations until standard input ends."""
    answers = _own_standard_output()
    started = json.loads(sys.stdin.readline())
    layers, timeout = os.environ.get(LAYERS, ""), float(os.environ[TIMEOUT])
    _keep_only_documented(started)
    _extend_path(started["code_dir"], layers)
    logging.basicConfig(stream=sys.stderr, format="[%(levelname)s]\t%(asctime)s\t%(message)s")
    try:
        handler = getattr(importlib.import_module(started["module"]), started["handler"])
    except Exception as error:
        traceback.print_exc()
        _answer(answers, {"status": "error", "error": f"{type(error).__name__}: {error}"})
        return
    _answer(answers, {"status": "ready", "cold": True})
    for line in sys.stdin:
        message = json.loads(line)
        _answer(
            answers, _invoke(handler, message["event"], Context(started, message["ctx"], timeout))
        )


def _own_standard_output() -> TextIO:
    """Keep the pipe for answers and send all printed output, also a child's, to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return answers


def _keep_only_documented(started: dict[str, Any]) -> None:
    kept = {name: os.environ[name] for name in RESERVED if name in os.environ}
    name = started["function_name"]
    os.environ.clear()
    os.environ.update(
        {
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{PYTHON}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": f"{started['module']}.{started['handler']}",
            **kept,
            **{key: str(value) for key, value in started["env"].items() if key != LAYERS},
            # The function may set its own endpoint, but not its own keys.
            **{key: value for key, value in kept.items() if key != "AWS_ENDPOINT_URL"},
        }
    )
    time.tzset()


def _extend_path(code: str, layers: str) -> None:
    """Put the function's code and then its layers on the path, the last layer first as in /opt."""
    sys.path.remove(str(Path(__file__).parent))
    for layer in [Path(part) for part in layers.split(os.pathsep) if part]:
        for folder in (layer / "python", layer / "python" / "lib" / PYTHON / "site-packages"):
            if folder.is_dir():
                sys.path.insert(0, str(folder))
                site.addsitedir(str(folder))
    sys.path.insert(0, code)


def _invoke(handler: Callable[[Any, Context], Any], event: Any, context: Context) -> dict[str, Any]:
    try:
        result = json.loads(json.dumps(handler(event, context)))
    except Exception as error:
        described = _described(error, context)
        lines = [
            f"[ERROR] {described['errorType']}: {error}\nTraceback (most recent call last):\n",
            *described["stackTrace"],
        ]
        sys.stderr.write("".join(lines))
        return {"status": "ok", "result": {ERROR: described}}
    return {"status": "ok", "result": result}


def _described(error: Exception, context: Context) -> dict[str, Any]:
    """Describe an error as the runtime does.

    https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
    """
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": context.aws_request_id,
        # The first frame is this file's own.
        "stackTrace": traceback.format_tb(error.__traceback__)[1:],
    }


def _answer(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
