"""Run a demo from beginning to end: laptop AWS, stack, people, session, and nothing left."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cli.demo.enroll import check_photos, enroll_people
from cli.demo.inbox import ReceivedAlert
from cli.demo.leaks import laptop_leaks, session_leaks
from cli.demo.photos import People, RefusedPhoto, without
from cli.demo.report import alert_line
from cli.demo.result import VISIT_KINDS, DemoResult, collect_result, film_position
from cli.demo.scenario import DemoConfig
from cli.demo.session import DemoSession, ObservedSession
from cli.errors import VerbError
from cli.interrupts import Interrupts
from cli.progress import Progress
from cli.setup import function_logs
from cli.setup.laptop_stack import Sam, Stack, bring_up
from local.laptop import LaptopAWS, LaptopError

# On AWS it takes a minute until images are generated; nobody waits for that here.
LAPTOP_SETTINGS = {"KVS_IMAGE_DELAY_SECONDS": "1"}


@dataclass(frozen=True, slots=True)
class FinishedDemo:
    """A demo that is over, and what is to be written down of it."""

    result: DemoResult
    received: list[ReceivedAlert]
    report: dict[str, Any]
    interrupted: bool


@dataclass(slots=True)
class DemoRunner:
    """Runs one demo; `run` does all of it.

    `look_around`, if given, is called while the stack still stands, unless Ctrl-C ended the film.
    """

    config: DemoConfig
    progress: Progress
    interrupts: Interrupts
    look_around: Callable[[LaptopAWS, Stack, DemoResult], None] | None = None

    def run(self) -> FinishedDemo:
        """Start everything, play the video, stop everything, and check that nothing is left."""
        begun = time.time()
        config = self.config
        sam = Sam(config.engine, config.logs, config.downloads, verbose=config.verbose)
        laptop = LaptopAWS(config.logs / "laptop", settings=LAPTOP_SETTINGS)
        try:
            observed, result, left = self._run_on(laptop, sam)
        except LaptopError as error:
            raise VerbError(str(error)) from error
        finally:
            self.interrupts.ignore()
            try:
                if laptop.ports():
                    function_logs.save(laptop, config.logs / "functions.log")
            finally:  # also on a full disk
                laptop.stop()
        report = _report(result, left | laptop_leaks(laptop), begun)
        return FinishedDemo(result, observed.received, report, observed.interrupted)

    def _run_on(
        self, laptop: LaptopAWS, sam: Sam
    ) -> tuple[ObservedSession, DemoResult, dict[str, Any]]:
        people = dict(self.config.scenario.people)

        def check() -> None:
            with self.progress.step("checking the photos"):
                refused = check_photos(laptop, people)
            people.update(without(people, refused))
            self._print_refused(refused)

        stack = bring_up(laptop, sam, self.progress, check)
        observed = self._run_session(laptop, stack, people)
        result, left = collect_result(laptop, stack, observed), session_leaks(laptop, stack)
        if self.look_around and not observed.interrupted:
            self.look_around(laptop, stack, result)
        return observed, result, left

    def _run_session(self, laptop: LaptopAWS, stack: Stack, people: People) -> ObservedSession:
        session = DemoSession(
            laptop, stack, self.config, self.progress, self.interrupts, self._print_alert
        )

        def enroll() -> None:
            with self.progress.step(f"enrolling {', '.join(people) or 'nobody'}"):
                refused = enroll_people(laptop, stack, people)
            self._print_refused(refused)
            scenario = self.config.scenario
            what = "film at the door" if scenario.camera is None else f"{scenario.camera}"
            self.progress.print(f"  session: {scenario.seconds:.0f} s of {what}")

        with self.progress.live("the session starts"):
            observed = session.run(enroll)
        if observed.status != "SUCCEEDED" and not observed.interrupted:
            raise VerbError(f"the session failed ({observed.status}): {observed.error}")
        return observed

    def _print_refused(self, refused: list[RefusedPhoto]) -> None:
        for one in refused:
            self.progress.print(f"  not used: {one.photo.path}: {one.reason}")

    def _print_alert(self, received: ReceivedAlert, first_capture: datetime | None) -> None:
        alert = received.body
        if alert["kind"] in VISIT_KINDS:
            # Before the film plays, it stands on its first picture.
            at = film_position(alert, first_capture) or 0.0
            self.progress.print(alert_line(alert, at))
        else:
            self.progress.print(f"  {alert['kind']}: {alert.get('message', '')}")


def _report(result: DemoResult, left: dict[str, Any], begun: float) -> dict[str, Any]:
    """Return the object of `--json`."""
    started = result.first_capture.timestamp() if result.first_capture else time.time()
    return {
        "session": result.session,
        "alerts": result.alerts,
        "strangers": result.strangers,
        "unsure": result.unsure,
        "records": result.records,
        "left": left,
        "setup_seconds": round(started - begun, 1),
        "run_seconds": round(time.time() - begun, 1),
    }
