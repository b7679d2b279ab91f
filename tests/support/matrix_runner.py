"""Plays the cells of the matrix, each a real execution, and looks at what is left of it."""

import json
import threading
import time
import uuid
from contextlib import ExitStack, nullcontext

from local.tests.support.faults import first_met, meet
from tests.support.matrix import BY_SILENCE, NEVER, STOP_AFTER_SECONDS, WITHOUT_RECORDS
from whosthere.session.close import AS_PLANNED
from whosthere.session.requests import request_pause, request_stop
from whosthere.session_store import lock_key, session_key


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
