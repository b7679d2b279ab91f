"""The steps of a demo, from nothing to nothing left."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.demo import leaks as leftovers
from cli.demo import photos
from cli.demo.enroll import Refusal, enrol
from cli.demo.inbox import Received
from cli.demo.report import alert_line
from cli.demo.result import SEEN, Outcome, collect, position
from cli.demo.runner import Audience, Conductor, Run, Show
from cli.demo.scenario import Case, Photo
from cli.errors import VerbError
from cli.interrupts import Interrupts
from cli.progress import Progress
from cli.setup import function_logs
from cli.setup.laptop_stack import Sam, Stack, bring_up
from local.laptop import LaptopAWS, LaptopError

# On AWS it takes a minute until images are generated; nobody waits for that here.
LAPTOP_SETTINGS = {"KVS_IMAGE_DELAY_SECONDS": "1"}


@dataclass(frozen=True, slots=True)
class Played:
    """What a demo leaves to be written down."""

    outcome: Outcome
    received: list[Received]
    report: dict[str, Any]
    interrupted: bool


@dataclass(slots=True)
class Demo:
    """One demo run; `play` does all of it."""

    case: Case
    engine: str
    logs: Path
    downloads: Mapping[str, str]
    progress: Progress
    interrupts: Interrupts
    verbose: bool

    def play(self) -> Played:
        """Laptop AWS, stack, people, session; then everything is taken away again."""
        begun = time.time()
        sam = Sam(self.engine, self.logs, self.downloads, verbose=self.verbose)
        laptop = LaptopAWS(self.logs / "laptop", settings=LAPTOP_SETTINGS)
        try:
            run, outcome, left = self._on(laptop, sam)
        except LaptopError as error:
            raise VerbError(str(error)) from error
        finally:
            self.interrupts.ignore()
            if laptop.ports():
                function_logs.save(laptop, self.logs / "functions.log")
            laptop.stop()
        report = _report(outcome, left | leftovers.of_laptop(laptop), begun)
        return Played(outcome, run.received, report, run.interrupted)

    def _on(self, laptop: LaptopAWS, sam: Sam) -> tuple[Run, Outcome, dict[str, Any]]:
        people = dict(self.case.people)

        def look_at_photos() -> None:
            with self.progress.step("a look at the photos"):
                refused = photos.check(laptop, people)
            people.update(photos.without(people, refused))
            self._tell_refused(refused)

        stack = bring_up(laptop, sam, self.progress, look_at_photos)
        run = self._session(laptop, stack, people)
        return run, collect(laptop, stack, run), leftovers.of_session(laptop, stack)

    def _session(
        self, laptop: LaptopAWS, stack: Stack, people: Mapping[str, tuple[Photo, ...]]
    ) -> Run:
        show = Show(self.case, self.engine, self.logs, self.verbose)
        audience = Audience(self._tell, self.progress.status)
        conductor = Conductor(laptop, stack, show, audience, self.interrupts)

        def enrol_people() -> None:
            with self.progress.step(f"enrolling {', '.join(people) or 'nobody'}"):
                refused = enrol(laptop, stack, people)
            self._tell_refused(refused)
            what = "film at the door" if self.case.camera is None else f"{self.case.camera}"
            self.progress.say(f"  session: {self.case.seconds:.0f} s of {what}")
            self.progress.status("the session starts")

        with self.progress.live("the session starts"):
            run = conductor.conduct(enrol_people)
        if run.status != "SUCCEEDED" and not run.interrupted:
            raise VerbError(f"the session failed ({run.status}): {run.error}")
        return run

    def _tell_refused(self, refused: list[Refusal]) -> None:
        for refusal in refused:
            self.progress.say(f"  not used: {refusal.photo.path}: {refusal.reason}")

    def _tell(self, run: Run, received: Received) -> None:
        alert = received.body
        if alert["kind"] in SEEN:
            self.progress.say(alert_line(alert, position(alert, run.first_capture)))
        else:
            self.progress.say(f"  {alert['kind']}: {alert.get('message', '')}")


def _report(outcome: Outcome, left: dict[str, Any], begun: float) -> dict[str, Any]:
    """The object of `--json`."""
    started = outcome.first_capture.timestamp() if outcome.first_capture else time.time()
    return {
        "session": outcome.session,
        "alerts": outcome.alerts,
        "strangers": outcome.strangers,
        "records": outcome.records,
        "left": left,
        "setup_seconds": round(started - begun, 1),
        "run_seconds": round(time.time() - begun, 1),
    }
