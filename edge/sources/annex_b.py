"""Finds the frames (access units) in an H.264 byte stream that is read from a pipe."""

from dataclasses import dataclass

from ..media import h264

SEI = 6
FRAME_SLICES = (h264.SLICE, h264.IDR_SLICE)
# Units that can only precede a frame's first slice.
FRAME_HEADS = (SEI, h264.SPS, h264.PPS, h264.AUD)
# Pauses are trusted after so many whole frames in a row, and not for so many after a torn one.
TRUSTED_AFTER, MISTRUSTED_FOR = 5, 300
# A key frame of the largest picture at the best quality is a tenth of that.
LONGEST_FRAME = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """The bytes of one frame; `seconds` is when the first of them arrived."""

    data: bytes
    seconds: float


class AccessUnitParser:
    """Splits a byte stream into access units.

    The end of a frame is certain only when the next one begins. A writer that writes whole frames
    pauses after each, so a pause can end a frame without that wait. The parser trusts pauses once
    several of them were right. After a wrong one it ignores pauses for a long time.
    """

    def __init__(self) -> None:
        """Start with no data and no trust in pauses."""
        self._data = bytearray()
        self._seconds = 0.0
        self._seen = 0
        self._has_slice = False
        self._whole_in_a_row = 0
        self._was_paused = False
        self._is_torn = False

    def feed(self, data: bytes, seconds: float) -> list[AccessUnit]:
        """Add the data that arrived at `seconds`; return the frames that have ended."""
        if self._was_paused:
            self._was_paused = False
            self._check_pause(data)
        if self._is_torn:
            data = self._skip_torn(data)
        if not self._data:
            self._seconds = seconds
        self._data += data
        ended: list[AccessUnit] = []
        while (boundary := self._next_boundary()) is not None:
            ended.append(self._cut(boundary, seconds))
        if len(self._data) > LONGEST_FRAME:
            self._discard()
        return ended

    def on_pause(self) -> list[AccessUnit]:
        """Record that no data arrives; return the frame that has ended, if pauses are trusted."""
        self._was_paused = True
        if self._whole_in_a_row < TRUSTED_AFTER or not self._has_slice:
            return []
        return [self._cut(len(self._data), self._seconds)]

    def flush(self) -> list[AccessUnit]:
        """Return the last frame, at the end of the stream."""
        return [self._cut(len(self._data), self._seconds)] if self._has_slice else []

    def _discard(self) -> None:
        """Drop data that is too long for a frame, to bound memory."""
        self._data.clear()
        self._seen, self._has_slice, self._is_torn = 0, False, True

    def _check_pause(self, data: bytes) -> None:
        starts_unit = data.startswith((b"\0" + h264.START_CODE, h264.START_CODE))
        if starts_unit:
            self._whole_in_a_row += 1
        else:
            self._is_torn = not self._data
            self._whole_in_a_row = -MISTRUSTED_FOR

    def _skip_torn(self, data: bytes) -> bytes:
        """Drop the rest of a frame that was returned too early."""
        at = data.find(h264.START_CODE)
        self._is_torn = at < 0
        return b"" if at < 0 else data[at:]

    def _next_boundary(self) -> int | None:
        while True:
            at = self._data.find(h264.START_CODE, self._seen)
            if at < 0 or at + 4 >= len(self._data):
                # The start code and the two bytes behind it may not have arrived yet.
                self._seen = max(self._seen, len(self._data) - 4) if at < 0 else at
                return None
            self._seen = at + 3
            if self._begins_frame(at + 3):
                return at - 1 if at and not self._data[at - 1] else at

    def _begins_frame(self, at: int) -> bool:
        """Return whether the unit at that index begins a new frame after another's slices."""
        nal_type = self._data[at] & 0x1F
        # first_mb_in_slice is 0 in a picture's first slice, and ue(v) writes 0 as a single 1 bit.
        is_first_slice = nal_type in FRAME_SLICES and bool(self._data[at + 1] & 0x80)
        is_boundary = self._has_slice and (is_first_slice or nal_type in FRAME_HEADS)
        self._has_slice = nal_type in FRAME_SLICES or (self._has_slice and not is_boundary)
        return is_boundary

    def _cut(self, boundary: int, seconds: float) -> AccessUnit:
        frame = AccessUnit(bytes(self._data[:boundary]), self._seconds)
        del self._data[:boundary]
        self._seen = max(0, self._seen - boundary)
        self._has_slice = self._has_slice and bool(self._data)
        self._seconds = seconds
        return frame
