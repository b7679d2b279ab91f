"""Run one session with the demo's video: start it, print alerts as they come, always end it."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cli.demo.drain import DrainMonitor
from cli.demo.edge_process import EdgeProcess
from cli.demo.inbox import AlertInbox, ReceivedAlert
from cli.demo.scenario import DemoConfig
from cli.errors import VerbError
from cli.interrupts import Interrupts
from cli.progress import Progress
from cli.setup.laptop_stack import CAMERA, Stack, table_of
from local.laptop import LaptopAWS
from whosthere import dynamodb
from whosthere.dynamodb import Row
from whosthere.session.requests import request_stop
from whosthere.session_store import session_key

START_TIMEOUT_SECONDS = 90  # from starting the execution until its engine runs
END_TIMEOUT_SECONDS = 120  # from the stop request until the execution is over
POLL_SECONDS = 0.2

OnAlert = Callable[[ReceivedAlert, datetime | None], None]


@dataclass(slots=True)
class ObservedSession:
    """A session as seen from outside: its alerts, and how it ended."""

    id: str
    received: list[ReceivedAlert] = field(default_factory=list)
    first_capture: datetime | None = None
    status: str = "RUNNING"
    error: str = ""
    interrupted: bool = False


class DemoSession:
    """Starts the session and the edge, and sees both to their end."""

    def __init__(
        self,
        laptop: LaptopAWS,
        stack: Stack,
        config: DemoConfig,
        progress: Progress,
        interrupts: Interrupts,
        on_alert: OnAlert,
    ) -> None:
        """Subscribe to the alerts; `on_alert` gets each, and when the video began."""
        self._laptop = laptop
        self._stack = stack
        self._config = config
        self._scenario = config.scenario
        self._progress = progress
        self._interrupts = interrupts
        self._on_alert = on_alert
        self._inbox = AlertInbox(laptop, stack)
        self._stepfunctions = laptop.client("stepfunctions")
        self._table = table_of(laptop, stack)
        self._execution = ""
        self._observed = ObservedSession(datetime.now(UTC).strftime("demo-%Y%m%d-%H%M%S"))

    def run(self, meanwhile: Callable[[], None]) -> ObservedSession:
        """Run the session to its end, whatever ends it: film, deadline or Ctrl-C.

        `meanwhile` is called while the session starts; the film waits for both.
        """
        self._start()
        try:
            with self._interrupts.deferred():
                with self._start_edge() as edge:
                    meanwhile()
                    self._wait_until_running(edge)
                    if not self._interrupts.asked:
                        edge.play()
                        self._watch(edge)
                self._end()
        except BaseException:
            # Whatever went wrong here, a session must not be left running.
            with suppress(Exception):
                request_stop(self._table, self._stepfunctions, CAMERA)
            raise
        self._receive()
        self._observed.interrupted = self._interrupts.asked
        return self._observed

    def _start(self) -> None:
        scenario = self._scenario
        request = {
            "camera": CAMERA,
            "minutes": scenario.minutes,
            "settings": scenario.settings,
        }
        self._execution = self._stepfunctions.start_execution(
            stateMachineArn=self._stack.machine_arn,
            name=self._observed.id,
            input=json.dumps(request),
        )["executionArn"]

    def _start_edge(self) -> EdgeProcess:
        """Start the camera, which sends the film's first picture until the session runs.

        A session starts its engine only when video arrives, and is blind to what came before.
        """
        return EdgeProcess(
            self._scenario.source,
            self._laptop.environment(),
            self._config.logs / "edge.log",
            tag=self._config.tag,
            is_live=self._scenario.camera is not None,
            verbose=self._config.verbose,
        )

    def _wait_until_running(self, edge: EdgeProcess) -> None:
        until = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._interrupts.asked and self._is_running():
            if "runningAt" in self._row():
                return
            edge.poll()
            if time.monotonic() > until:
                raise VerbError(
                    f"the session's engine did not run within {START_TIMEOUT_SECONDS} s"
                )
            time.sleep(POLL_SECONDS)

    def _watch(self, edge: EdgeProcess) -> None:
        """Wait until the film is over and all its records are processed, or the session ends."""
        drain: DrainMonitor | None = None
        while not self._interrupts.asked and self._is_running():
            self._receive()
            ended = edge.poll()
            self._observed.first_capture = edge.first_capture
            self._progress.status(self._status(ended=ended))
            if not ended and self._is_camera_time_over():
                edge.stop()
            if ended and self._is_drained(drain := drain or self._drain_monitor()):
                return

    def _is_camera_time_over(self) -> bool:
        """Return whether a camera, which never ends by itself, was watched long enough."""
        begun = self._observed.first_capture
        if self._scenario.camera is None or begun is None:
            return False
        return (datetime.now(UTC) - begun).total_seconds() >= self._scenario.seconds

    def _drain_monitor(self) -> DrainMonitor:
        return DrainMonitor(self._laptop, self._stack, self._observed.id, self._config.engine)

    def _is_drained(self, drain: DrainMonitor) -> bool:
        begun = self._observed.first_capture
        return begun is None or drain.is_drained(begun.timestamp() + self._scenario.seconds)

    def _end(self) -> None:
        self._progress.status("the session is ending")
        request_stop(self._table, self._stepfunctions, CAMERA)
        until = time.monotonic() + END_TIMEOUT_SECONDS
        while self._is_running():
            self._receive()
            if time.monotonic() > until:
                raise VerbError(
                    f"the session did not end within {END_TIMEOUT_SECONDS} s of the stop request"
                )

    def _is_running(self) -> bool:
        found = self._stepfunctions.describe_execution(executionArn=self._execution)
        self._observed.status = found["status"]
        if found["status"] not in ("RUNNING", "SUCCEEDED"):
            self._observed.error = f"{found.get('error', '')}: {found.get('cause', '')}"
        return bool(found["status"] == "RUNNING")

    def _receive(self) -> None:
        for received in self._inbox.receive():
            self._observed.received.append(received)
            self._on_alert(received, self._observed.first_capture)

    def _row(self) -> Row:
        return dynamodb.read(self._table, session_key(self._observed.id)) or {}

    def _status(self, *, ended: bool) -> str:
        """Return the text of the live line."""
        what = "film" if self._scenario.camera is None else "video"
        if ended:
            return f"the {what} is over; waiting for its last records"
        begun = self._observed.first_capture
        if begun is None:
            return f"the {what} begins"
        seconds = (datetime.now(UTC) - begun).total_seconds()
        alerts = len(self._observed.received)
        return f"{what} {seconds:.0f} of {self._scenario.seconds:.0f} s, {alerts} alerts"
