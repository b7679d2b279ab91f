"""The cells of the matrix state x failure: what is asked for, and what is left of each."""

import json
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass

from tests.local.faults import first_met, meet
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
DARK = "dark-door"  # sends only when it is told to
# Nothing but the sweep can see it: "not found" is what somebody who stops twice is answered.
BY_SWEEP = {("LookForProcessor", "not found"), ("DisableImages", "not found")}
# What is in use now (a name just freed, a processor that is STOPPING) passes by itself.
PATIENT = {
    ("CreateProcessor", "in use"),
    ("DeleteProcessor", "in use"),
    ("EnableImages", "in use"),
    ("DisableImages", "in use"),
}
IMAGES_ONLY = {"EnableImages", "DisableImages"}
PROCESSOR_ONLY = {
    "CreateProcessor",
    "StartProcessor",
    "DescribeProcessor",
    "IsItRunning",
    "WaitForProcessor",
    "StopProcessor",
    "DeleteProcessor",
    "LookForProcessor",
}
# Come to only where no video comes, or none any more: a camera of their own.
BY_SILENCE = {"ShallOwnerKnowSilence", "TellSilence"}
WITHOUT_RECORDS = {"TellRecords"}
IN_THE_DARK = {"WaitForMedia"} | BY_SILENCE | WITHOUT_RECORDS
# What else has to go wrong for a session to come to a state at all.
ON_THE_WAY = {
    "EndedByProblem": ("MarkRunning", "DynamoDb.AccessDeniedException"),
    "LookForProcessor": ("DeleteProcessor", "Rekognition.ResourceNotFoundException"),
}
# When a running session is asked to stop, for the states that it comes to before.
STOP_AFTER_SECONDS = {"Paused": 5} | dict.fromkeys(BY_SILENCE | WITHOUT_RECORDS, 15)
SETTINGS = {
    "healthCheckSeconds": 1,
    "tell": ["start", "problem"],
    "mediaWaitSeconds": 20,
    "silenceSeconds": 60,
}


@dataclass(frozen=True)
class Cell:
    """One state and what happens to an execution in it."""

    state: str
    failure: str

    def faults(self, execution, stream):
        """Lines of the faults' file; one more where a state is only come to by a failure."""
        found = [self._fault(execution)]
        if self.state in WITHOUT_RECORDS:
            found.append({"stream": stream, "records": "lost"})
        if self.state in ON_THE_WAY:
            state, error = ON_THE_WAY[self.state]
            found.append({"execution": execution, "state": state, "error": error})
        return found

    def request(self, camera):
        """The input of its session."""
        asked = {"camera": camera, "minutes": -1 if self.state == "Refused" else 1}
        limits = {"mediaWaitSeconds": 10} if self.state == "WaitForMedia" else {}
        if self.state in BY_SILENCE:
            limits = {"silenceSeconds": 3}
        if self.state in WITHOUT_RECORDS:
            limits = {"recordsMissingSeconds": 2}
        return asked | {"settings": SETTINGS | limits}

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
    """Every state aborted and timed out, every call failing in each way, for one engine.

    Of what both engines come to, calls fail with a processor only.
    """
    never = PROCESSOR_ONLY | IN_THE_DARK if images else IMAGES_ONLY
    return [
        Cell(state, failure)
        for state in STATES
        if state not in never
        for failure in FAILURES
        if failure in ("aborted", "timed out")
        or (state in TASKS and (not images or state in IMAGES_ONLY))
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

    def __init__(self, laptop, stack, table, camera, faults, inbox, sweep, sending=nullcontext):
        self._clients = {
            name: laptop.client(name)
            for name in ("stepfunctions", "rekognition", "kinesisvideo", "s3")
        }
        self._laptop, self._stack, self._table, self._camera = laptop, stack, table, camera
        self._faults, self._inbox, self._sweep = faults, inbox, sweep
        self._sending = sending

    def run(self, cell):
        """What came of it: ended by, seconds until nothing was left, or what was left."""
        name = f"m-{uuid.uuid4().hex[:10]}"
        self._faults.put(name, cell.faults(name, f"{self._stack.name}-{self._camera}"))
        try:
            status, ended = self._play(cell, name)
            gone = self._wait(lambda: self._left(name), 30)
            swept = not gone
            if swept:
                self._sweep()
                gone = self._wait(lambda: self._left(name), 5)
            now, left = time.time(), [] if gone else self._left(name)
            by = self._row(name).get("endedBy", NEVER)
            # What went on in spite of its failure is measured from its end.
            begun = ended if by in AS_PLANNED else first_met(self._laptop, name) or ended
            seconds = round(now - begun, 1)
            if by not in AS_PLANNED and not self._wait(lambda: name not in self._inbox(), 40):
                left.append("no message")
            if cell.status not in (None, status):
                left.append(f"it was {status}")
            return {"by": by, "seconds": seconds, "left": left, "swept": swept}
        finally:
            self._faults.clear(name)

    def _play(self, cell, name):
        """How its execution ended, and when."""
        with ExitStack() as sending:
            if cell.state in BY_SILENCE | WITHOUT_RECORDS:
                sending.enter_context(self._sending())
            execution = self._clients["stepfunctions"].start_execution(
                stateMachineArn=self._stack.machine_arn,
                name=name,
                input=json.dumps(cell.request(self._camera)),
            )["executionArn"]
            self._wait(lambda: self._is_on_its_way(name, execution), 60)
            if cell.state in BY_SILENCE:
                sending.close()
            return self._watched(cell, execution)

    def _watched(self, cell, execution):
        searches = time.monotonic()
        if cell.state == "Paused":
            until_ms = round(time.time() * 1000) + 2000
            request_pause(self._table, self._clients["stepfunctions"], self._camera, until_ms)
        self._wait(
            lambda: self._status(execution) == "RUNNING",
            STOP_AFTER_SECONDS.get(cell.state, 1) - (time.monotonic() - searches),
        )
        until = time.monotonic() + 150
        while self._status(execution) == "RUNNING" and time.monotonic() < until:
            request_stop(self._table, self._clients["stepfunctions"], self._camera)
            self._wait(lambda: self._status(execution) == "RUNNING", 5)
        return self._status(execution), time.time()

    def _is_on_its_way(self, name, execution):
        return "runningAt" not in self._row(name) and self._status(execution) == "RUNNING"

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
        key = lock_key(self._camera)
        lock = self._table.get_item(Key=key, ConsistentRead=True).get("Item", {})
        if lock.get("held") and lock["session"] == name:
            left.append("the lock")
        if self._images_on():
            left.append("images")
        row = self._row(name)
        if "camera" in row and "endedBy" not in row:
            left.append("not ended")
        elif "endedBy" in row and self._reported(name) != row["endedBy"]:
            left.append("no report of how it ended")
        return left

    def _images_on(self):
        client, stream = self._clients["kinesisvideo"], f"{self._stack.name}-{self._camera}"
        found = client.describe_image_generation_configuration(StreamName=stream)
        return found.get("ImageGenerationConfiguration", {}).get("Status") == "ENABLED"

    def _reported(self, name):
        """How the session ended, as its report says; None without one."""
        s3 = self._clients["s3"]
        try:
            found = s3.get_object(Bucket=self._stack.bucket, Key=f"sessions/{name}.json")
        except s3.exceptions.NoSuchKey:
            return None
        return json.loads(found["Body"].read())["endedBy"]

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
        cells = [_text(results.get(Cell(state, failure))) for failure in FAILURES]
        lines.append(state.ljust(24) + "".join(text.ljust(17) for text in cells))
    lines.append("- : a state that makes no call, so none of it can fail")
    lines.append(_totals(results.values()))
    return "\n".join(lines)


def _text(found):
    if found is None:
        return "-"
    if found["left"]:
        return f"!{found['left']}"
    return f"{found['by']} {'(sweep)' if found['swept'] else found['seconds']}"


def _totals(found):
    slowest = max((one["seconds"] for one in found if not one["swept"]), default=0)
    ended = ", ".join(f"{many} {by}" for by, many in Counter(one["by"] for one in found).items())
    return (
        f"{len(found)} sessions; something left of {sum(bool(one['left']) for one in found)}; "
        f"{sum(one['swept'] for one in found)} by the sweep, all others at most {slowest} s "
        f"after the failure, or after their end if they went on. Ended by: {ended}"
    )
