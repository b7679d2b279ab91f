"""Passes H.264 through without encoding it again, and detects why a stream cannot be."""

from dataclasses import dataclass

from ..media import h264, h264_sps
from ..media.mkv import EncodedFrame, VideoTrack
from ..sources.samples import CodedPacket

# Viewers and image generation wait at most this long for the next key frame.
LONGEST_GROUP_S = 2.0
# The key frames of real cameras are not exactly regular.
GROUP_LEEWAY_S = 0.1
# Baseline, Main, Extended and High, which every player decodes.
PROFILES = {66, 77, 88, 100}
NO_PARAMETERS = "it has no parameter sets"


@dataclass(frozen=True, slots=True)
class PassthroughFrame:
    """One frame with NAL unit lengths, as Matroska holds it; `seconds` by the source's clock."""

    data: bytes
    seconds: float
    is_key: bool
    track: VideoTrack

    def dated(self, at_ms: int) -> EncodedFrame:
        """Return the frame with a time in milliseconds since 1970."""
        return EncodedFrame(at_ms, self.is_key, self.data)


class NalParser:
    """Splits packets into NAL units, for Annex B and for length prefixes alike."""

    def __init__(self, extradata: bytes) -> None:
        """Read the parameter sets of the container; empty `extradata` means Annex B."""
        is_record = extradata[:1] == b"\x01"
        self._octets = (extradata[4] & 3) + 1 if is_record else 0
        self._parameters: list[bytes] = []
        self.sequence: h264_sps.SequenceParameters | None = None
        self.track: VideoTrack | None = None
        self._store_parameters(
            h264.parameter_sets(extradata) if is_record else h264.split_annex_b(extradata)
        )

    def split(self, data: bytes) -> list[bytes]:
        """Return a packet's NAL units; keep the parameter sets among them."""
        units = (
            list(h264.split_avcc(data, self._octets)) if self._octets else h264.split_annex_b(data)
        )
        self._store_parameters(units)
        return units

    def to_avcc(self, data: bytes, units: list[bytes]) -> bytes:
        """Return the packet with 4-byte NAL unit lengths; the units themselves stay the same."""
        return data if self._octets == 4 else h264.join_avcc(units)

    def _store_parameters(self, units: list[bytes]) -> None:
        kinds = (h264.SPS, h264.PPS)
        found = [unit for unit in units if unit and h264.nal_type(unit) in kinds]
        if not found or set(found) <= set(self._parameters):
            return
        replaced = {h264.nal_type(unit) for unit in found}
        kept = [unit for unit in self._parameters if h264.nal_type(unit) not in replaced]
        self._parameters = found + kept
        if {h264.nal_type(unit) for unit in self._parameters} == set(kinds):
            self._begin_track()

    def _begin_track(self) -> None:
        unit = h264.first_of_type(self._parameters, h264.SPS)
        self.sequence = h264_sps.parse_sps(unit)
        record = h264.codec_private(self._parameters)
        self.track = VideoTrack(self.sequence.width, self.sequence.height, record)


class H264Passthrough:
    """Checks packets of H.264 and returns them as frames once the stream is known to be usable.

    If the parameter sets do not say whether there are B-frames, the first `trial` packets are held
    back and checked. `fault` names why the stream cannot be passed through; from then on no frame
    is returned, and `replay` holds the packets that a decoder needs to continue from there.
    """

    def __init__(self, extradata: bytes, trial: int) -> None:
        """Start with the container's parameter sets, if it has any."""
        self.fault: str | None = None
        self.replay: list[CodedPacket] = []
        self._nal_parser = NalParser(extradata)
        self._trial = trial
        self._held: list[PassthroughFrame] = []
        self._is_good = False
        self._has_key = False
        self._key_frame_seconds: float | None = None

    def push(self, sample: CodedPacket) -> list[PassthroughFrame]:
        """Check a packet; return the frames to send, none while the check is undecided."""
        passed = self._pass(sample)
        if passed is None:
            return []
        self._held.append(passed)
        if self._is_good or self._is_decided(self._nal_parser.sequence):
            return self._release()
        return []

    def flush(self) -> list[PassthroughFrame]:
        """Return the frames that are held back at the end of the stream, if it has no fault."""
        return [] if self.fault else self._release()

    def _pass(self, sample: CodedPacket) -> PassthroughFrame | None:
        data = bytes(sample.packet)
        units = self._nal_parser.split(data)
        is_key = any(h264.is_idr(unit) for unit in units)
        if is_key or self._key_frame_seconds is None:
            self._key_frame_seconds = sample.seconds
            self._has_key = self._has_key or is_key
            self.replay = self.replay if self._held else []
        self.replay.append(sample)
        self.fault = self._find_fault(units, sample.seconds - self._key_frame_seconds)
        track = self._nal_parser.track
        if self.fault or not self._has_key or track is None:
            return None
        return PassthroughFrame(
            self._nal_parser.to_avcc(data, units), sample.seconds, is_key, track
        )

    def _find_fault(self, units: list[bytes], group_s: float) -> str | None:
        sequence = self._nal_parser.sequence
        if sequence is None:
            return NO_PARAMETERS if self._has_key or group_s > LONGEST_GROUP_S else None
        if sequence.profile not in PROFILES or not sequence.is_8bit_420:
            return "few players decode its profile"
        if not sequence.is_progressive:
            return "it is interlaced"
        if sequence.reorder_frames or any(h264.is_b_slice(unit) for unit in units):
            return "it has B-frames"
        if group_s > LONGEST_GROUP_S + GROUP_LEEWAY_S:
            return f"its key frames are more than {LONGEST_GROUP_S:g} s apart"
        return None

    def _is_decided(self, sequence: h264_sps.SequenceParameters | None) -> bool:
        is_ruled_out = sequence is not None and sequence.reorder_frames == 0
        return is_ruled_out or len(self._held) >= self._trial

    def _release(self) -> list[PassthroughFrame]:
        self._is_good = True
        released, self._held = self._held, []
        return released
