"""One run: connects source, buffer and sender, and supervises them."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from .auth import identity
from .buffer.buffer import FragmentBuffer
from .buffer.disk_writer import DiskWriter
from .buffer.fragment import Limits
from .buffer.storage import FragmentFiles, open_files, recover_copies
from .capture.thread import CaptureThread
from .config import Config, runtime_folder
from .errors import UnreachableError
from .interruptible import call_until_stopped
from .media.mkv import VideoTrack
from .monitor.event_log import EventLog
from .supervisor import Supervisor
from .timeouts import Timeouts
from .upload.delivery import CATCH_UP_SPEED
from .upload.sender import Sender
from .upload.stream import VideoStream

# An unpaced film is captured at most this far ahead of the service.
FRAGMENTS_AHEAD = 16


def run(config: Config, event_log: EventLog, stop: threading.Event) -> bool:
    """Send the source's video until it ends or `stop` is set; return whether all was stored."""
    with contextlib.closing(CaptureThread(config, event_log)) as capture:
        session = identity.create_botocore_session(config, event_log.log)
        stream = VideoStream(config.stream, session, event_log.log)
        if not _find_stream(stream, event_log, stop, waits_for_network=capture.is_live):
            return True

        def on_track(track: VideoTrack) -> None:
            hours = 0 if stream.final_event == "RECEIVED" else 1
            event_log.connecting(config, stream.region, track, hours)

        with open_buffer(config, stream.address, event_log.log) as buffer:
            timeouts = Timeouts(max_first_attempts=float("inf") if capture.is_live else 3)
            speed = float("inf") if config.is_unpaced else CATCH_UP_SPEED
            sender = Sender(buffer, stream, event_log.log, speed=speed, timeouts=timeouts)
            supervisor = Supervisor(
                config, event_log, stop, capture, buffer, sender, stream.clock_skew
            )
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


@contextlib.contextmanager
def open_buffer(
    config: Config, address: str, log: Callable[[str], None]
) -> Iterator[FragmentBuffer]:
    """Open the buffer with the previous run's fragments; at the end, keep what is not stored."""
    files, copies = _open_folders(config, address, log)
    recovered = files.recover(log) if files else []
    recovered += recover_copies(copies, recovered, log) if copies else []
    if recovered:
        log(f"{len(recovered)} fragments that were kept on disk are sent first.")
    limits = buffer_limits(config) if copies else replace(buffer_limits(config), memory_s=0.0)
    buffer = FragmentBuffer(limits, holds_until_complete=config.is_only_tagged, recovered=recovered)
    if files is None:
        buffer.set_trouble(f"The buffer folder {config.buffer_folder} cannot be used.")
    writer = DiskWriter(buffer, files, log, copies)
    buffer.drop_older_than(round(time.time() * 1000))
    try:
        writer.start()
        yield buffer
    finally:
        writer.stop()
        _log_remaining(buffer, log)


def _log_remaining(buffer: FragmentBuffer, log: Callable[[str], None]) -> None:
    in_memory = buffer.in_memory()
    copied = sum(bool(fragment.copy) for fragment in in_memory)
    if kept := buffer.counts.waiting - len(in_memory):
        log(f"{kept} fragments are kept on disk for the next start.")
    if copied:
        log(f"{copied} fragments could not be written to disk; a copy is kept until a reboot.")
    if lost := len(in_memory) - copied:
        log(f"{lost} fragments are lost: they could not be written to disk.")


def buffer_limits(config: Config) -> Limits:
    """Return the buffer's limits; an unpaced film waits for room, and never becomes too old."""
    buffer_bytes = config.buffer_mb * 1024 * 1024
    if config.is_unpaced:
        return Limits(buffer_bytes, ahead=FRAGMENTS_AHEAD)
    return Limits(buffer_bytes, behind_s=config.max_behind_s)


def _open_folders(
    config: Config, address: str, log: Callable[[str], None]
) -> tuple[FragmentFiles | None, FragmentFiles | None]:
    """Open the buffer folder, and the one for copies in memory; None if that is not possible."""
    files = copies = None
    try:
        files = open_files(config.buffer_folder, address, config.max_behind_s)
    except OSError as exc:
        log(
            f"Fragments cannot be kept on disk and stay in memory: {exc}. "
            "Give a folder that this user may write to as --buffer-folder."
        )
    with contextlib.suppress(OSError):
        if parent := runtime_folder(config.camera, os.environ):
            # A run with another buffer folder must not take these copies.
            copies_address = f"{config.buffer_folder.resolve()} {address}"
            copies = open_files(parent, copies_address, config.max_behind_s)
    return files, copies


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
