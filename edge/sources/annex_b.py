"""Finds the frames in a byte stream of H.264 as it comes out of a pipe."""

from dataclasses import dataclass

from ..media import h264

SUPPLEMENT = 6
FRAME_SLICES = (h264.SLICE, h264.KEY_SLICE)
# What can only stand before a frame's first slice.
FRAME_HEADS = (SUPPLEMENT, h264.SEQUENCE_PARAMETERS, h264.PICTURE_PARAMETERS, h264.DELIMITER)
# So many frames in a row must have come whole before a pause is taken as a frame's end.
TRUSTED_AFTER, MISTRUSTED_FOR = 5, 300
# A key frame of the largest picture at its best is a tenth of that.
LONGEST_FRAME = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of one frame, and when the first of them came, in seconds."""

    data: bytes
    seconds: float


class Frames:
    """Splits what is fed into frames.

    That a frame has ended is certain only once the next begins. A writer that hands over
    each frame whole pauses after it, and then its frames need not wait for the next: this
    is believed after some have been seen, and for long not any more after one that was not.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._seconds = 0.0
        self._seen = 0
        self._has_slice = False
        self._whole = 0
        self._was_quiet = False
        self._is_torn = False

    def feed(self, data: bytes, seconds: float) -> list[Frame]:
        """Take in what was read just now; give the frames that have ended."""
        if self._was_quiet:
            self._was_quiet = False
            self._judge_pause(data)
        if self._is_torn:
            data = self._behind_tear(data)
        if not self._data:
            self._seconds = seconds
        self._data += data
        ended: list[Frame] = []
        while (border := self._next_border()) is not None:
            ended.append(self._cut(border, seconds))
        if len(self._data) > LONGEST_FRAME:
            self._forget()
        return ended

    def quiet(self) -> list[Frame]:
        """Take note of a pause; give the frame it ends, if that can be believed."""
        self._was_quiet = True
        if self._whole < TRUSTED_AFTER or not self._has_slice:
            return []
        return [self._cut(len(self._data), self._seconds)]

    def rest(self) -> list[Frame]:
        """Give what is left when the stream has ended."""
        return [self._cut(len(self._data), self._seconds)] if self._has_slice else []

    def _forget(self) -> None:
        """Whatever is that long is no frame, and memory has an end."""
        self._data.clear()
        self._seen, self._has_slice, self._is_torn = 0, False, True

    def _judge_pause(self, data: bytes) -> None:
        begins_anew = data.startswith((b"\0" + h264.START_CODE, h264.START_CODE))
        if begins_anew:
            self._whole += 1
        else:
            self._is_torn = not self._data
            self._whole = -MISTRUSTED_FOR

    def _behind_tear(self, data: bytes) -> bytes:
        """Leave out the rest of a frame that was given too early."""
        at = data.find(h264.START_CODE)
        self._is_torn = at < 0
        return b"" if at < 0 else data[at:]

    def _next_border(self) -> int | None:
        while True:
            at = self._data.find(h264.START_CODE, self._seen)
            if at < 0 or at + 4 >= len(self._data):
                # The start code and the two octets behind it may still be under way.
                self._seen = max(self._seen, len(self._data) - 4) if at < 0 else at
                return None
            self._seen = at + 3
            if self._begins_frame(at + 3):
                return at - 1 if at and not self._data[at - 1] else at

    def _begins_frame(self, at: int) -> bool:
        """Say whether the unit there is the first of a frame, behind another's slices."""
        kind = self._data[at] & 0x1F
        # A slice that begins with the picture's first block has a 1 for its first bit.
        is_first_slice = kind in FRAME_SLICES and bool(self._data[at + 1] & 0x80)
        is_border = self._has_slice and (is_first_slice or kind in FRAME_HEADS)
        self._has_slice = kind in FRAME_SLICES or (self._has_slice and not is_border)
        return is_border

    def _cut(self, border: int, seconds: float) -> Frame:
        frame = Frame(bytes(self._data[:border]), self._seconds)
        del self._data[:border]
        self._seen = max(0, self._seen - border)
        self._has_slice = self._has_slice and bool(self._data)
        self._seconds = seconds
        return frame
