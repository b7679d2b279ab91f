"""One session as the demo runs it: start, film, alerts as they come, and always an end."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.demo.drain import Backlog
from cli.demo.edge_process import Edge
from cli.demo.inbox import Received, Subscriber
from cli.demo.scenario import Case
from cli.errors import VerbError
from cli.interrupts import Interrupts
from cli.setup.laptop_stack import CAMERA, Stack, table_of
from local.laptop import LaptopAWS
from whosthere.session.requests import request_stop
from whosthere.session_store import session_key

START_SECONDS = 90  # from asking for the session until its engine runs
END_SECONDS = 120  # from the wish to stop until the execution is over


@dataclass(slots=True)
class Run:
    """What a session did, as seen from outside."""

    session_id: str
    received: list[Received] = field(default_factory=list)
    first_capture: datetime | None = None
    status: str = "RUNNING"
    error: str = ""
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Show:
    """What a session is shown, by which engine, and where logs go."""

    case: Case
    engine: str
    logs: Path
    verbose: bool

    @property
    def tag(self) -> str:
        """Whether the edge tags fragments for image generation."""
        return "always" if self.engine == "image-search" else "never"


@dataclass(frozen=True, slots=True)
class Audience:
    """Who hears of it: an alert when it arrives, and how far things are."""

    tell: Callable[[Run, Received], None]
    status: Callable[[str], None]


class Conductor:
    """Starts the session and the edge, and sees both to their end."""

    def __init__(
        self,
        laptop: LaptopAWS,
        stack: Stack,
        show: Show,
        audience: Audience,
        interrupts: Interrupts,
    ) -> None:
        self._laptop = laptop
        self._stack = stack
        self._show = show
        self._audience = audience
        self._interrupts = interrupts
        self._subscriber = Subscriber(laptop, stack)
        self._stepfunctions = laptop.client("stepfunctions")
        self._table = table_of(laptop, stack)
        self._execution = ""
        self._run = Run(datetime.now(UTC).strftime("demo-%Y%m%d-%H%M%S"))

    def conduct(self, meanwhile: Callable[[], None]) -> Run:
        """Run the session to its end, whatever ends it: film, deadline or Ctrl-C.

        `meanwhile` is done while the session starts; the film waits for both.
        """
        self._start()
        try:
            with self._interrupts.deferred():
                with self._edge() as edge:
                    meanwhile()
                    self._wait_until_running(edge)
                    if not self._interrupts.asked:
                        edge.play()
                        self._play(edge)
                self._end()
        except BaseException:
            # Whatever went wrong here, a session must not be left running.
            with suppress(Exception):
                request_stop(self._table, self._stepfunctions, CAMERA)
            raise
        self._receive()
        self._run.interrupted = self._interrupts.asked
        return self._run

    def _start(self) -> None:
        case = self._show.case
        request = {"camera": CAMERA, "minutes": case.minutes, "settings": case.settings}
        self._execution = self._stepfunctions.start_execution(
            stateMachineArn=self._stack.machine_arn,
            name=self._run.session_id,
            input=json.dumps(request),
        )["executionArn"]

    def _edge(self) -> Edge:
        """The camera, on from the start: it shows the film's first picture until the session runs.

        A session starts its engine only when video arrives, and what passes until then is lost.
        """
        show = self._show
        variables, log = self._laptop.environment(), show.logs / "edge.log"
        return Edge(
            show.case.source,
            variables,
            log,
            tag=show.tag,
            is_live=show.case.camera is not None,
            verbose=show.verbose,
        )

    def _wait_until_running(self, edge: Edge) -> None:
        until = time.monotonic() + START_SECONDS
        while not self._interrupts.asked and self._is_running():
            if "runningAt" in self._row():
                return
            edge.look()
            if time.monotonic() > until:
                raise VerbError(f"the session's engine did not run within {START_SECONDS} s")
            time.sleep(0.2)

    def _play(self, edge: Edge) -> None:
        """Until the film is over and worked off, the session has ended, or Ctrl-C."""
        backlog: Backlog | None = None
        while not self._interrupts.asked and self._is_running():
            self._receive()
            ended = edge.look()
            self._run.first_capture = edge.first_capture
            self._audience.status(self._position(ended=ended))
            if not ended and self._is_over():
                edge.stop()
            if ended and self._is_worked_off(backlog := backlog or self._backlog()):
                return

    def _is_over(self) -> bool:
        """Whether a camera, which never ends by itself, has been looked at long enough."""
        case, begun = self._show.case, self._run.first_capture
        if case.camera is None or begun is None:
            return False
        return (datetime.now(UTC) - begun).total_seconds() >= case.seconds

    def _backlog(self) -> Backlog:
        show = self._show
        return Backlog(self._laptop, self._stack, self._run.session_id, show.engine)

    def _is_worked_off(self, backlog: Backlog) -> bool:
        begun = self._run.first_capture
        return begun is None or backlog.is_done(begun.timestamp() + self._show.case.seconds)

    def _end(self) -> None:
        self._audience.status("the session is ending")
        request_stop(self._table, self._stepfunctions, CAMERA)
        until = time.monotonic() + END_SECONDS
        while self._is_running():
            self._receive()
            if time.monotonic() > until:
                raise VerbError(f"the session did not end within {END_SECONDS} s of being asked to")

    def _is_running(self) -> bool:
        found = self._stepfunctions.describe_execution(executionArn=self._execution)
        self._run.status = found["status"]
        if found["status"] not in ("RUNNING", "SUCCEEDED"):
            self._run.error = f"{found.get('error', '')}: {found.get('cause', '')}"
        return bool(found["status"] == "RUNNING")

    def _receive(self) -> None:
        for received in self._subscriber.receive():
            self._run.received.append(received)
            self._audience.tell(self._run, received)

    def _row(self) -> dict[str, Any]:
        key = session_key(self._run.session_id)
        return dict(self._table.get_item(Key=key, ConsistentRead=True).get("Item", {}))

    @property
    def _what(self) -> str:
        return "film" if self._show.case.camera is None else "video"

    def _position(self, *, ended: bool) -> str:
        if ended:
            return f"the {self._what} is over; waiting for its last records"
        begun = self._run.first_capture
        if begun is None:
            return f"the {self._what} begins"
        seconds = (datetime.now(UTC) - begun).total_seconds()
        alerts = len(self._run.received)
        return f"{self._what} {seconds:.0f} of {self._show.case.seconds:.0f} s, {alerts} alerts"
