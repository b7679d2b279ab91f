"""Plays the cells of the matrix, each a real execution, and looks at what is left of it."""

import json
import threading
import time
import uuid
from collections import defaultdict
from contextlib import ExitStack, nullcontext

from local.tests.support.laptop.faults import first_met, meet
from tests.support.session.matrix import NEVER, ON_THE_WAY, PAUSED, RECORDLESS, SILENT
from tests.support.stack.functions import invoke
from whosthere.session.close import AS_PLANNED
from whosthere.session.requests import request_pause
from whosthere.session_store import latest_session, session_key

CAMERA = "front-door"
# A session is asked to stop once it searches or, if a failure keeps it from that, so long after.
PATIENCE_SECONDS = 15
LATE_MESSAGE_SECONDS = 30
GOING_ON_SECONDS = 3
RULE_SECONDS = 25  # a safeguard by an event has so long after the end of an execution
SETTLE_SECONDS = 2  # a message takes its way
SWEEP_SECONDS = 10
HOUR_MS = 3_600_000
# What finishes a session: its own last step, the rule on ended executions, the hourly sweep.
ITSELF, RULE, SWEEP = "itself", "rule", "sweep"
BY_RULE = ("aborted", "timed out", "failed")
STARTED, SILENCE, NO_RECORDS = "Session started", "No video from", "Faces are not searched"
AFTER_ALL = "Stopped after all"


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
    """Runs cells on the camera of one stack, one session each; `sending` lets a dark one send."""

    def __init__(self, product, faults, sending=None):
        self._door, self._faults, self._sending = product, faults, sending or nullcontext
        self._messages, self._played = defaultdict(list), {}

    def run(self, cell):
        """Note what came of it: ended by what, seconds until nothing was left, what was left."""
        name = f"m-{uuid.uuid4().hex[:10]}"
        self._door.forget_messages()
        self._faults.put(name, cell.faults(name, self._door.stack.name, CAMERA))
        began = time.time()
        try:
            found = self._finished(name, *self._play(cell, name))
        except Exception as error:  # the other cells are played all the same
            found = {
                "by": "?",
                "status": "?",
                "seconds": 0,
                "left": [repr(error)],
                "safeguard": "?",
            }
        finally:
            self._faults.clear(name)
        found["cell seconds"] = round(time.time() - began, 1)
        if cell.status not in (None, found["status"]):
            found["left"].append(f"it was {found['status']}")
        if first_met(self._door.laptop, name) is None:
            found["left"].append("the failure was never met")
        self._played[cell] = name, found

    def results(self):
        """What came of the cells, once all messages have come."""
        self._read()
        for cell, (name, found) in self._played.items():
            found["left"] += self._untold(cell, name, found)
        return {cell: found for cell, (_, found) in self._played.items()}

    def _finished(self, name, status, ended):
        """Wait until nothing is left of the session, by whichever safeguard."""
        limits = {ITSELF: SETTLE_SECONDS, RULE: RULE_SECONDS, SWEEP: SWEEP_SECONDS}
        for safeguard, seconds in limits.items():
            if safeguard == SWEEP:
                self._sweep_an_hour_later(name)
            if self._wait(lambda: self._left(name), seconds):
                break
        now, left = time.time(), self._left(name)
        by = self._row(name).get("endedBy", NEVER)
        if safeguard == ITSELF and (by in BY_RULE or (by == NEVER and status != "FAILED")):
            safeguard = RULE
        # What went on in spite of its failure is measured from its end.
        begun = ended if by in AS_PLANNED else first_met(self._door.laptop, name) or ended
        found = {"by": by, "status": status, "safeguard": safeguard, "left": left}
        return found | {"seconds": round(now - begun, 1)}

    def _sweep_an_hour_later(self, name):
        """Invoke the sweep as if the session had ended an hour before."""
        if "endedAt" in self._row(name):
            self._door.table.update_item(
                Key=session_key(name),
                UpdateExpression="SET endedAt = endedAt - :hour",
                ExpressionAttributeValues={":hour": HOUR_MS},
            )
        invoke(self._door, "SweepSessionsFunction", {})

    def _play(self, cell, name):
        """How its execution ended, and when."""
        with ExitStack() as sending:
            if cell.situation in (SILENT, RECORDLESS):
                sending.enter_context(self._sending())
            execution = self._door.execute(cell.request(CAMERA), name)
            self._wait(lambda: self._is_on_its_way(name, execution), 60)
            if cell.situation == SILENT:
                sending.close()
            return self._watched(cell, execution)

    def _watched(self, cell, execution):
        if cell.situation == PAUSED:
            until_ms = round(time.time() * 1000) + 5000
            request_pause(self._door.table, self._door.client("stepfunctions"), CAMERA, until_ms)
        if cell.situation in ON_THE_WAY:
            self._wait(lambda: self._has_met_nothing(execution), ON_THE_WAY[cell.situation])
        self._wait(lambda: self._awaits(cell.late_message, execution), LATE_MESSAGE_SECONDS)
        self._wait(lambda: self._status(execution) == "RUNNING", GOING_ON_SECONDS)
        until = time.monotonic() + 150
        while self._status(execution) == "RUNNING" and time.monotonic() < until:
            self._door.stop()
            self._wait(lambda: self._status(execution) == "RUNNING", 5)
        return self._status(execution), time.time()

    def _has_met_nothing(self, execution):
        met = first_met(self._door.laptop, execution.rpartition(":")[2])
        return met is None and self._status(execution) == "RUNNING"

    def _awaits(self, message, execution):
        self._read()
        told = [one["subject"] for one in self._messages[execution.rpartition(":")[2]]]
        is_told = any(message in subject for subject in told)
        return bool(message) and not is_told and self._status(execution) == "RUNNING"

    def _is_on_its_way(self, name, execution):
        met = first_met(self._door.laptop, name)
        held_up = met is not None and time.time() - met > PATIENCE_SECONDS
        return (
            not held_up
            and "runningAt" not in self._row(name)
            and self._status(execution) == "RUNNING"
        )

    def _status(self, execution):
        return self._door.state(execution)["status"]

    def _row(self, name):
        found = self._door.table.get_item(Key=session_key(name), ConsistentRead=True)
        return found.get("Item", {})

    def _left(self, name):
        """What of the session is still there; nothing is asked of the execution's history."""
        left = [one for one in self._door.processors() if one.endswith(name)]
        latest = latest_session(self._door.table, CAMERA)
        if latest is not None and latest.held and latest.id == name:
            left.append("the lock")
        if self._images_on():
            left.append("images")
        row = self._row(name)
        if "camera" in row and "endedBy" not in row:
            left.append("not ended")
        elif "endedBy" in row and self._reported(name) != row["endedBy"]:
            left.append("no report of how it ended")
        if not left and not self._ends(name):
            left.append("its end was not told")
        return left

    def _images_on(self):
        client, stream = self._door.client("kinesisvideo"), f"{self._door.stack.name}-{CAMERA}"
        found = client.describe_image_generation_configuration(StreamName=stream)
        return found.get("ImageGenerationConfiguration", {}).get("Status") == "ENABLED"

    def _reported(self, name):
        """How the session ended, as its report says; None without one."""
        s3 = self._door.client("s3")
        try:
            found = s3.get_object(Bucket=self._door.stack.bucket, Key=f"sessions/{name}.json")
        except s3.exceptions.NoSuchKey:
            return None
        return json.loads(found["Body"].read())["endedBy"]

    def _read(self):
        for one in self._door.messages():
            self._messages[one["session"]].append(one)

    def _ends(self, name):
        """Messages of the session's end until now."""
        self._read()
        return [
            one
            for one in self._messages[name]
            if ("endedBy" in one and not one["subject"].startswith(AFTER_ALL))
            or one["subject"].startswith("No session at")
        ]

    def _untold(self, cell, name, found):
        """What the owner was not told, or more than once."""
        ends = self._ends(name)
        # What the sweep has to finish is a problem, whatever ended it.
        wanted = {"session" if found["by"] in AS_PLANNED else "problem"}
        wanted |= {"problem"} if found["safeguard"] == SWEEP else set()
        wrong = [f"told as {one['kind']}" for one in ends if one["kind"] not in wanted]
        if len(ends) > cell.most_ends:
            wrong.append(f"{len(ends)} ends were told")
        subjects = [one["subject"] for one in self._messages[name]]
        due = [STARTED] if "runningAt" in self._row(name) else []
        due += {SILENT: [SILENCE], RECORDLESS: [NO_RECORDS]}.get(cell.situation, [])
        if cell.is_lasting:
            due = [text for text in due if text != cell.call.purpose]  # it cannot be told
        wrong += [f"not told: {one}" for one in due if not any(one in text for text in subjects)]
        return wrong

    def _wait(self, left, seconds):
        until = time.monotonic() + seconds
        while left():
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True
