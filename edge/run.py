"""The run: from the source through the buffer to the service, watched over."""

import contextlib
import threading

from .auth import identity
from .capture.thread import Capturing, Intake
from .config import Config
from .errors import UnreachableError
from .fragments import FragmentBuffer
from .media.mkv import Track
from .monitor.report import Report
from .storage import kept_fragments
from .supervisor import Supervisor
from .timeouts import Patience
from .upload.delivery import CATCH_UP_SPEED
from .upload.sender import Sender
from .upload.stream import VideoStream
from .waiting import wait_for


def run(config: Config, report: Report, stop: threading.Event) -> bool:
    """Send what the source gives until it ends; say whether all of it was stored."""
    with contextlib.closing(Capturing(config, report)) as capturing:
        stream = VideoStream(config.stream, identity.session(config, report.say), report.say)
        if not _look_for(stream, report, stop, is_patient=capturing.is_live):
            return True
        with kept_fragments(config, stream.address, report.say) as (buffer, read):
            patience = Patience(first_attempts=float("inf") if capturing.is_live else 3)
            speed = float("inf") if config.is_unpaced else CATCH_UP_SPEED
            sender = Sender(buffer, stream, report.say, read=read, speed=speed, patience=patience)
            intake = _intake(config, report, stream, buffer)
            supervisor = Supervisor(config, report, stop, capturing, buffer, sender)
            sender.start()
            try:
                if supervisor.wait_for_acceptance():
                    capturing.start(intake)
                    supervisor.watch_capture()
                    supervisor.wait_for_last_acks()
            finally:
                supervisor.end()
                sender.stop()
            return supervisor.is_whole


def _look_for(
    stream: VideoStream, report: Report, stop: threading.Event, *, is_patient: bool
) -> bool:
    """Ask for the stream, so that a wrong name is told at once; say whether to go on.

    A camera starts with the house after a power cut, before the network is there: what
    it sees until then is kept.
    """
    try:
        return wait_for(stream.retention_hours, stop)
    except UnreachableError as exc:
        if not is_patient:
            raise
        report.say(f"{exc} Fragments are kept until it can.")
        return True


def _intake(config: Config, report: Report, stream: VideoStream, buffer: FragmentBuffer) -> Intake:
    def on_track(track: Track) -> None:
        hours = 0 if stream.final_event == "RECEIVED" else 1
        report.connecting(config, stream.region, track, hours)

    return Intake(buffer, on_track)
