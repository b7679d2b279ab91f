"""Hands on good H.264 untouched, and says when it is not good."""

from dataclasses import dataclass

from ..fragments import EncodedFrame
from ..media import h264, h264_sps
from ..media.mkv import Track
from ..sources.samples import Coded

# A viewer, and whoever looks for pictures, waits for the next key frame at most this long.
LONGEST_GROUP_S = 2.0
# Key frames of a real camera are not quite regular.
GROUP_LEEWAY_S = 0.1
# Baseline, Main, Extended and High: what every player decodes.
PROFILES = {66, 77, 88, 100}
NO_PARAMETERS = "it has no parameter sets"


@dataclass(frozen=True, slots=True)
class Passed:
    """One frame as Matroska holds it, and when it comes by the source's clock."""

    data: bytes
    seconds: float
    is_key: bool
    track: Track

    def at(self, at_ms: int) -> EncodedFrame:
        """Date the frame."""
        return EncodedFrame(at_ms, self.is_key, self.data)


class Framing:
    """Makes frames out of packets, whichever way their units are set apart."""

    def __init__(self, extradata: bytes) -> None:
        is_record = extradata[:1] == b"\x01"
        self._octets = (extradata[4] & 3) + 1 if is_record else 0
        self._parameters: list[bytes] = []
        self.sequence: h264_sps.Sequence | None = None
        self.track: Track | None = None
        self._take_parameters(h264.parameters_of(extradata) if is_record else h264.units(extradata))

    def units(self, data: bytes) -> list[bytes]:
        """Split a packet, and take note of parameter sets in it."""
        units = list(h264.prefixed_units(data, self._octets)) if self._octets else h264.units(data)
        self._take_parameters(units)
        return units

    def joined(self, data: bytes, units: list[bytes]) -> bytes:
        """Give a packet's units with lengths of 4 octets; their content stays as it is."""
        return data if self._octets == 4 else h264.join(units)

    def _take_parameters(self, units: list[bytes]) -> None:
        kinds = (h264.SEQUENCE_PARAMETERS, h264.PICTURE_PARAMETERS)
        found = [unit for unit in units if unit and h264.kind(unit) in kinds]
        if not found or set(found) <= set(self._parameters):
            return
        replaced = {h264.kind(unit) for unit in found}
        kept = [unit for unit in self._parameters if h264.kind(unit) not in replaced]
        self._parameters = found + kept
        if {h264.kind(unit) for unit in self._parameters} == set(kinds):
            self._begin_track()

    def _begin_track(self) -> None:
        unit = h264.one_of(self._parameters, h264.SEQUENCE_PARAMETERS)
        self.sequence = h264_sps.read(unit)
        record = h264.codec_private(self._parameters)
        self.track = Track(self.sequence.width, self.sequence.height, record)


class Passing:
    """Takes packets, and gives them as frames once it is known that they are good.

    Where the parameter sets don't say whether there are B-frames, up to `trial` packets
    are looked at before the first is given. `fault` says in words why the stream can't
    be passed; from then on nothing is given, and `replay` is what a decoder needs to go
    on from where this ended.
    """

    def __init__(self, extradata: bytes, trial: int) -> None:
        self.fault: str | None = None
        self.replay: list[Coded] = []
        self._framing = Framing(extradata)
        self._trial = trial
        self._held: list[Passed] = []
        self._is_good = False
        self._has_key = False
        self._group_seconds: float | None = None

    def take(self, sample: Coded) -> list[Passed]:
        """Give the frames that are fit to be sent; none while it is not yet known."""
        passed = self._pass(sample)
        if passed is None:
            return []
        self._held.append(passed)
        if self._is_good or self._is_over(self._framing.sequence):
            return self._release()
        return []

    def rest(self) -> list[Passed]:
        """Give what is held when the stream has ended: nothing bad was found in it."""
        return [] if self.fault else self._release()

    def _pass(self, sample: Coded) -> Passed | None:
        data = bytes(sample.packet)
        units = self._framing.units(data)
        is_key = any(h264.is_key(unit) for unit in units)
        if is_key or self._group_seconds is None:
            self._group_seconds = sample.seconds
            self._has_key = self._has_key or is_key
            self.replay = self.replay if self._held else []
        self.replay.append(sample)
        self.fault = self._fault_of(units, sample.seconds - self._group_seconds)
        track = self._framing.track
        if self.fault or not self._has_key or track is None:
            return None
        return Passed(self._framing.joined(data, units), sample.seconds, is_key, track)

    def _fault_of(self, units: list[bytes], group_s: float) -> str | None:
        sequence = self._framing.sequence
        if sequence is None:
            return NO_PARAMETERS if self._has_key or group_s > LONGEST_GROUP_S else None
        if sequence.profile not in PROFILES or not sequence.is_plain:
            return "few players decode its profile"
        if not sequence.is_progressive:
            return "it is interlaced"
        if sequence.reorder or any(h264.looks_ahead(unit) for unit in units):
            return "it has B-frames"
        if group_s > LONGEST_GROUP_S + GROUP_LEEWAY_S:
            return f"its key frames are more than {LONGEST_GROUP_S:g} s apart"
        return None

    def _is_over(self, sequence: h264_sps.Sequence | None) -> bool:
        says_so = sequence is not None and sequence.reorder == 0
        return says_so or len(self._held) >= self._trial

    def _release(self) -> list[Passed]:
        self._is_good = True
        released, self._held = self._held, []
        return released
