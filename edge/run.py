"""One run: connects source, buffer and sender, and supervises them."""

import contextlib
import threading

from .auth import identity
from .capture.thread import CaptureThread
from .config import Config
from .errors import UnreachableError
from .interruptible import call_until_stopped
from .media.mkv import Track
from .monitor.event_log import EventLog
from .storage import kept_fragments
from .supervisor import Supervisor
from .timeouts import Timeouts
from .upload.delivery import CATCH_UP_SPEED
from .upload.sender import Sender
from .upload.stream import VideoStream


def run(config: Config, event_log: EventLog, stop: threading.Event) -> bool:
    """Send the source's video until it ends or `stop` is set; return whether all was stored."""
    with contextlib.closing(CaptureThread(config, event_log)) as capture:
        session = identity.create_botocore_session(config, event_log.log)
        stream = VideoStream(config.stream, session, event_log.log)
        if not _find_stream(stream, event_log, stop, waits_for_network=capture.is_live):
            return True

        def on_track(track: Track) -> None:
            hours = 0 if stream.final_event == "RECEIVED" else 1
            event_log.connecting(config, stream.region, track, hours)

        with kept_fragments(config, stream.address, event_log.log) as (buffer, read):
            timeouts = Timeouts(max_first_attempts=float("inf") if capture.is_live else 3)
            speed = float("inf") if config.is_unpaced else CATCH_UP_SPEED
            sender = Sender(
                buffer, stream, event_log.log, read=read, speed=speed, timeouts=timeouts
            )
            supervisor = Supervisor(config, event_log, stop, capture, buffer, sender)
            sender.start()
            try:
                if supervisor.wait_until_accepted():
                    capture.start(buffer, on_track)
                    supervisor.watch_capture()
                    supervisor.wait_for_last_acks()
            finally:
                supervisor.finish()
                sender.stop()
            return supervisor.is_all_stored


def _find_stream(
    stream: VideoStream, event_log: EventLog, stop: threading.Event, *, waits_for_network: bool
) -> bool:
    """Look the stream up, so that a wrong name is an error at once; return whether to go on.

    After a power cut a camera may start before its network: a live source is captured anyway.
    """
    try:
        return call_until_stopped(stream.retention_hours, stop)
    except UnreachableError as exc:
        if not waits_for_network:
            raise
        event_log.log(f"{exc} Captured video is kept until AWS can be reached.")
        return True
