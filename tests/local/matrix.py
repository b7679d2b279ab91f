"""The cells of the matrix state x failure: what is asked for, and what is left of each."""

import json
import threading
import time
import uuid
from dataclasses import dataclass

from tests.local.faults import meet
from tests.sam import definition
from whosthere.closing import AS_PLANNED
from whosthere.sessions import lock_key, session_key
from whosthere.wishes import request_pause, request_stop

STATES = definition()["States"]
TASKS = [name for name, state in STATES.items() if state["Type"] == "Task"]
# Failures of a call, by the service: (error, how often; always without a number).
ERRORS = {
    "lambda": {
        "throttled": ("Lambda.TooManyRequestsException", 2),
        "denied": ("Lambda.AccessDeniedException", None),
        "not found": ("Lambda.ResourceNotFoundException", None),
        "in use": ("Lambda.ResourceConflictException", None),
        "internal": ("Lambda.ServiceException", 2),
    },
    "rekognition": {
        "throttled": ("Rekognition.ThrottlingException", 2),
        "denied": ("Rekognition.AccessDeniedException", None),
        "not found": ("Rekognition.ResourceNotFoundException", None),
        "in use": ("Rekognition.ResourceInUseException", None),
        "internal": ("Rekognition.InternalServerError", 2),
    },
    "kinesisvideo": {
        "throttled": ("KinesisVideo.ClientLimitExceededException", 2),
        "denied": ("KinesisVideo.NotAuthorizedException", None),
        "not found": ("KinesisVideo.ResourceNotFoundException", None),
        "in use": ("KinesisVideo.ResourceInUseException", None),
        "internal": ("KinesisVideo.SdkClientException", 2),
    },
    "dynamodb": {
        "throttled": ("DynamoDb.ThrottlingException", 2),
        "denied": ("DynamoDb.AccessDeniedException", None),
        "not found": ("DynamoDb.ResourceNotFoundException", None),
        "in use": ("DynamoDb.ConditionalCheckFailedException", 2),
        "internal": ("DynamoDb.InternalServerErrorException", 2),
    },
    "sns": {
        "throttled": ("Sns.ThrottledException", 2),
        "denied": ("Sns.AuthorizationErrorException", None),
        "not found": ("Sns.NotFoundException", None),
        "in use": ("Sns.ConcurrentAccessException", None),
        "internal": ("Sns.InternalErrorException", 2),
    },
}
FAILURES = [
    "aborted",
    "timed out",
    "throttled",
    "denied",
    "not found",
    "in use",
    "internal",
    "slow",
]
NEVER = "never opened"
DARK = "dark-door"  # sends nothing
# Nothing but the sweep can see it: "not found" is what deleting something deleted answers.
BY_SWEEP = {("DeleteProcessor", "not found"), ("DisableImages", "not found")}
IMAGES_ONLY = {"EnableImages", "DisableImages"}
# Where video or records would have to stop for each cell: they have tests of their own.
BY_SILENCE = {"ShallOwnerKnowSilence", "TellSilence", "TellRecords"}
# When a running session is asked to stop, for the states that it comes to before.
STOP_AFTER_SECONDS = {"Paused": 5}
_dark = threading.Lock()


@dataclass(frozen=True)
class Cell:
    """One state and what happens to an execution in it."""

    state: str
    failure: str

    def faults(self, execution):
        """Lines of the faults' file; one more where a state is only come to by a failure."""
        found = [self._fault(execution)]
        if self.state == "EndedByProblem":
            denied = "DynamoDb.AccessDeniedException"
            found.append({"execution": execution, "state": "MarkRunning", "error": denied})
        return found

    @property
    def status(self):
        """How such an execution has to end, if that is certain: else the cell tests nothing."""
        if self.state == "Ended":  # where it has succeeded before it can be aborted
            return None
        return {"aborted": "ABORTED", "timed out": "TIMED_OUT"}.get(self.failure)

    def _fault(self, execution):
        line = {"execution": execution, "state": self.state}
        if self.failure in ("aborted", "timed out"):
            return line | {"do": "abort" if self.failure == "aborted" else "time-out"}
        if self.failure == "slow":
            return line | {"error": "States.Timeout", "times": 1}
        service = STATES[self.state]["Resource"].split(":")[5 if is_plain(self.state) else 6]
        error, times = ERRORS[service][self.failure]
        return line | {"error": error} | ({"times": times} if times else {})


def is_plain(state):
    return "aws-sdk" not in STATES[state]["Resource"]


def cells(images):
    """Every state aborted and timed out, every call failing in each way, for one engine."""
    only = IMAGES_ONLY if images else set(STATES) - IMAGES_ONLY - BY_SILENCE
    return [
        Cell(state, failure)
        for state in STATES
        if state in only
        for failure in FAILURES
        if failure in ("aborted", "timed out") or state in TASKS
    ]


class Faults:
    """The failures of all sessions under way; several workers add and remove theirs."""

    def __init__(self, laptop):
        self._laptop, self._lines, self._lock = laptop, {}, threading.Lock()

    def put(self, execution, lines):
        with self._lock:
            self._lines[execution] = lines
            self._write()

    def clear(self, execution):
        with self._lock:
            del self._lines[execution]
            self._write()

    def _write(self):
        meet(self._laptop, *(line for lines in self._lines.values() for line in lines))


class Runner:
    """Runs cells on one camera, one session each."""

    def __init__(self, laptop, stack, table, camera, faults, inbox, sweep):
        self._clients = {
            name: laptop.client(name)
            for name in ("stepfunctions", "rekognition", "kinesisvideo", "s3")
        }
        self._stack, self._table, self._camera = stack, table, camera
        self._faults, self._inbox, self._sweep = faults, inbox, sweep

    def run(self, cell):
        """What came of it: ended by, seconds until nothing was left, or what was left."""
        if cell.state == "WaitForMedia":  # one at a time on that camera
            with _dark:
                return self._run(cell)
        return self._run(cell)

    def _run(self, cell):
        name = f"m-{uuid.uuid4().hex[:10]}"
        self._faults.put(name, cell.faults(name))
        try:
            status, ended = self._play(cell, name)
            gone = self._wait(lambda: self._left(name), 30)
            swept = not gone
            if swept:
                self._sweep()
                gone = self._wait(lambda: self._left(name), 5)
            seconds = round(time.monotonic() - ended, 1)
            left = [] if gone else self._left(name)
            by = self._row(name).get("endedBy", NEVER)
            # Aborted before it was open: it is as if it had never been asked for.
            silent = by in AS_PLANNED or (by == NEVER and status != "FAILED")
            if not silent and not self._wait(lambda: name not in self._inbox(), 10):
                left.append("no message")
            if cell.status not in (None, status):
                left.append(f"it was {status}")
            return {"by": by, "seconds": seconds, "left": left, "swept": swept}
        finally:
            self._faults.clear(name)

    def _play(self, cell, name):
        settings = {"healthCheckSeconds": 1, "tell": ["start", "problem"], "mediaWaitSeconds": 20}
        settings["silenceSeconds"] = 60
        request = {"camera": self._camera, "minutes": 1, "settings": settings}
        if cell.state == "Refused":
            request["minutes"] = -1
        if cell.state == "WaitForMedia":
            settings["mediaWaitSeconds"] = 4
            request["camera"] = DARK
        return self._executed(cell, name, request)

    def _executed(self, cell, name, request):
        sfn, camera = self._clients["stepfunctions"], self._camera
        execution = sfn.start_execution(
            stateMachineArn=self._stack.machine_arn, name=name, input=json.dumps(request)
        )["executionArn"]
        until, stop_at = time.monotonic() + 150, None
        while self._status(execution) == "RUNNING" and (now := time.monotonic()) < until:
            if stop_at is None and "runningAt" in self._row(name):
                stop_at = now + STOP_AFTER_SECONDS.get(cell.state, 1)
                if cell.state == "Paused":
                    request_pause(self._table, sfn, camera, round(time.time() * 1000) + 2000)
            if stop_at is not None and now > stop_at:
                request_stop(self._table, sfn, camera)
                stop_at = now + 5
            time.sleep(0.1)
        return self._status(execution), time.monotonic()

    def _status(self, execution):
        found = self._clients["stepfunctions"].describe_execution(executionArn=execution)
        return found["status"]

    def _row(self, name):
        found = self._table.get_item(Key=session_key(name), ConsistentRead=True)
        return found.get("Item", {})

    def _left(self, name):
        """What of the session is still there; nothing is asked of the execution's history."""
        listed = self._clients["rekognition"].list_stream_processors()["StreamProcessors"]
        left = [one["Name"] for one in listed if one["Name"].endswith(name)]
        for camera in (self._camera, DARK):
            lock = self._table.get_item(Key=lock_key(camera), ConsistentRead=True).get("Item", {})
            if lock.get("held") and lock["session"] == name:
                left.append("the lock")
        if self._images_on():
            left.append("images")
        if "endedBy" in self._row(name) and not self._report(name):
            left.append("no report")
        if "camera" in (row := self._row(name)) and "endedBy" not in row:
            left.append("not ended")
        return left

    def _images_on(self):
        client, stream = self._clients["kinesisvideo"], f"{self._stack.name}-{self._camera}"
        found = client.describe_image_generation_configuration(StreamName=stream)
        return found.get("ImageGenerationConfiguration", {}).get("Status") == "ENABLED"

    def _report(self, name):
        listed = self._clients["s3"].list_objects_v2(
            Bucket=self._stack.bucket, Prefix=f"sessions/{name}.json"
        )
        return listed["KeyCount"]

    def _wait(self, left, seconds):
        until = time.monotonic() + seconds
        while left():
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True


def table_of_results(results):
    """The matrix as lines: how each ended, and after how many seconds nothing was left."""
    lines = ["state".ljust(24) + "".join(failure.ljust(17) for failure in FAILURES)]
    for state in dict.fromkeys(cell.state for cell in results):
        line = state.ljust(24)
        for failure in FAILURES:
            found = results.get(Cell(state, failure))
            text = f"{found['by']} {found['seconds']}" if found else "-"
            text = f"{found['by']} (sweep)" if found and found["swept"] else text
            line += (f"!{found['left']}" if found and found["left"] else text).ljust(17)
        lines.append(line)
    return "\n".join(lines)
