"""Where on disk a run keeps its fragments, and what is done when it can't."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from .config import Config
from .copies import COPY_BYTES, Copies, taken_over
from .fragment import Fragment, Place
from .fragments import FragmentBuffer, Limits
from .keeper import Keeper
from .ring import SEGMENT_BYTES, SUFFIX, Ring
from .upload.sender import nowhere

Say = Callable[[str], None]
# A film without a pace is captured no further ahead of the service than this.
FRAGMENTS_AHEAD = 16


@contextlib.contextmanager
def kept_fragments(
    config: Config, address: str, say: Say
) -> Iterator[tuple[FragmentBuffer, Callable[[Place], bytes]]]:
    """Give the buffer of a run, and what reads from its disk.

    It begins with what the run before has left, and leaves what is not stored at its end.
    """
    limits = limits_of(config)
    delete_outdated(config.buffer_folder, config.max_behind_s)
    ring = open_ring(config.buffer_folder, address, limits.buffer_bytes, say)
    copied = open_copies(config, address) if ring else None
    found = _found(ring, copied) if ring else []
    if found:
        say(f"{len(found)} fragments that were kept on disk are sent first.")
    if copied is None:
        limits = replace(limits, memory_s=0.0)
    buffer = FragmentBuffer(limits, is_held_back=config.is_only_tagged, found=found, say=say)
    buffer.drop_older_than(round(time.time() * 1000))
    keeper = Keeper(buffer, ring, say, Copies(copied) if copied else None) if ring else None
    try:
        if keeper:
            keeper.start()
        yield buffer, ring.read if ring else nowhere
    finally:
        if keeper:
            keeper.stop()
        _tell_of_the_rest(buffer, say)


def _found(ring: Ring, copied: Ring | None) -> list[Fragment]:
    found = ring.find()
    return found + list(taken_over(copied, ring, found)) if copied else found


def _tell_of_the_rest(buffer: FragmentBuffer, say: Say) -> None:
    kept = buffer.fragments_on_disk
    if kept:
        say(f"{kept} fragments are kept on disk for the next start.")
    if lost := buffer.counts.waiting - kept:
        say(f"{lost} fragments are lost: the disk took none.")


def limits_of(config: Config) -> Limits:
    """Say how much is kept: a film without a pace waits, and nothing of it is too old."""
    buffer_bytes = config.buffer_mb * 1024 * 1024
    if config.is_unpaced:
        return Limits(buffer_bytes, ahead=FRAGMENTS_AHEAD)
    return Limits(buffer_bytes, behind_s=config.max_behind_s)


def open_ring(parent: Path, address: str, buffer_bytes: int, say: Say) -> Ring | None:
    """Open the folder of one stream; None, and why is said, where nothing can be written.

    `address` says which stream of which service: what was captured for one is never
    sent to another.
    """
    try:
        return Ring(_own_folder(parent, address), segment_bytes(buffer_bytes))
    except OSError as exc:
        say(
            f"Nothing can be kept on disk, fragments stay in memory: {exc}. "
            "Give a folder that this user may write to as --buffer-folder."
        )
        return None


def open_copies(
    config: Config, address: str, environment: Mapping[str, str] = os.environ
) -> Ring | None:
    """Open the folder for copies of what is in memory; None where no folder is in memory."""
    if given := environment.get("RUNTIME_DIRECTORY"):
        parent = Path(given.split(":")[0])
    elif given := environment.get("XDG_RUNTIME_DIR"):
        parent = Path(given) / "whosthere-edge" / config.camera
    else:
        return None
    # They belong to what lies on disk: another buffer folder has others.
    own = _own_folder(parent, f"{config.buffer_folder.resolve()} {address}")
    delete_outdated(parent, config.max_behind_s)
    try:
        return Ring(own, COPY_BYTES)
    except OSError:
        return None


def _own_folder(parent: Path, address: str) -> Path:
    own = hashlib.sha256(address.encode()).hexdigest()[:8]
    return parent / f"{address.split()[-1]}-{own}"


def segment_bytes(buffer_bytes: int) -> int:
    """Say how large a ring's files get: a small ring must not be one file."""
    return min(SEGMENT_BYTES, max(64 * 1024, buffer_bytes // 8))


def delete_outdated(parent: Path, older_than_s: float) -> None:
    """Delete what was captured for streams that are not sent to any more.

    It shows people, and too much time has passed for anybody to send it.
    """
    last = time.time() - older_than_s
    for folder in parent.glob("*-????????"):
        with contextlib.suppress(OSError):
            newest = max((path.stat().st_mtime for path in folder.glob(f"*{SUFFIX}")), default=0.0)
            if newest < last and _is_nobodys(folder):
                shutil.rmtree(folder)


def _is_nobodys(folder: Path) -> bool:
    file = os.open(folder / "lock", os.O_WRONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True
