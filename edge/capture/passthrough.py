"""Passes packets through without encoding them again, and detects why a stream cannot be."""

from dataclasses import dataclass

from ..media import h264, h264_sps, hevc
from ..media.codec import H264, HEVC, Codec
from ..media.mkv import EncodedFrame, VideoTrack
from ..sources.samples import CodedPacket

# Viewers and image generation wait at most this long for the next key frame.
LONGEST_GROUP_S = 2.0
# With --passthrough always: the longest fragment that PutMedia takes, by AWS's older page.
LONGEST_FRAGMENT_S = 10.0
# The key frames of real cameras are not exactly regular.
GROUP_LEEWAY_S = 0.1
# Baseline, Main, Extended and High, which every player decodes.
PROFILES = {66, 77, 88, 100}
NO_PARAMETERS = "it has no parameter sets"


@dataclass(frozen=True, slots=True)
class PassthroughFrame:
    """One frame with NAL unit lengths, as Matroska holds it; `seconds` by the source's clock.

    `is_reordered` says that frames of its stream may be shown before frames that precede them.
    """

    data: bytes
    seconds: float
    is_key: bool
    track: VideoTrack
    is_reordered: bool

    def dated(self, at_ms: int) -> EncodedFrame:
        """Return the frame with a time in milliseconds since 1970."""
        return EncodedFrame(at_ms, self.is_key, self.data)


class NalParser:
    """Splits packets into NAL units, for Annex B and for length prefixes alike."""

    def __init__(self, codec: Codec, extradata: bytes) -> None:
        """Read the parameter sets of the container; empty `extradata` means Annex B."""
        is_record = extradata[:1] == b"\x01"
        self._codec = codec
        self._octets = (extradata[codec.length_at] & 3) + 1 if is_record else 0
        self._parameters: list[bytes] = []
        self.sequence: h264_sps.SequenceParameters | None = None
        self.track: VideoTrack | None = None
        self._store_parameters(
            codec.parameter_sets(extradata) if is_record else h264.split_annex_b(extradata)
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
        kind_of, kinds = self._codec.nal_type, self._codec.parameter_types
        found = [unit for unit in units if unit and kind_of(unit) in kinds]
        if not found or set(found) <= set(self._parameters):
            return
        replaced = {kind_of(unit) for unit in found}
        kept = [unit for unit in self._parameters if kind_of(unit) not in replaced]
        self._parameters = found + kept
        if {kind_of(unit) for unit in self._parameters} == kinds:
            self._begin_track()

    def _begin_track(self) -> None:
        record = self._codec.codec_private(self._parameters)
        if self._codec is HEVC:
            unit = next(unit for unit in self._parameters if hevc.nal_type(unit) == hevc.SPS)
            size = hevc.parse_sps(unit)
            self.track = VideoTrack(size.width, size.height, record)
            return
        unit = h264.first_of_type(self._parameters, h264.SPS)
        self.sequence = h264_sps.parse_sps(unit)
        self.track = VideoTrack(self.sequence.width, self.sequence.height, record)


class Passthrough:
    """Checks packets and returns them as frames once the stream is known to be usable.

    If the parameter sets do not say whether there are B-frames, the first `trial` packets are held
    back and checked. `fault` names why the stream cannot be passed through; from then on no frame
    is returned, and `replay` holds the packets that a decoder needs to continue from there.
    """

    def __init__(
        self,
        extradata: bytes,
        trial: int,
        *,
        codec: Codec = H264,
        is_forced: bool = False,
        has_times: bool = True,
    ) -> None:
        """Start with the container's parameter sets, if it has any.

        With `is_forced`, only what a fragment cannot hold is a fault; frames that are reordered
        need `has_times`, presentation times of the source's own.
        """
        self.fault: str | None = None
        self.replay: list[CodedPacket] = []
        self._codec = codec
        self._nal_parser = NalParser(codec, extradata)
        self._trial = trial
        self._is_forced = is_forced
        self._has_times = has_times
        self._held: list[PassthroughFrame] = []
        self._is_good = False
        self._has_key = False
        self._has_b_frames = False
        self._key_frame_seconds: float | None = None

    def push(self, sample: CodedPacket) -> list[PassthroughFrame]:
        """Check a packet; return the frames to send, none while the check is undecided."""
        passed = self._pass(sample)
        if passed is None:
            return []
        self._held.append(passed)
        if self._is_good or self._is_decided():
            return self._release()
        return []

    def flush(self) -> list[PassthroughFrame]:
        """Return the frames that are held back at the end of the stream, if it has no fault."""
        return [] if self.fault else self._release()

    def _pass(self, sample: CodedPacket) -> PassthroughFrame | None:
        data = bytes(sample.packet)
        units = self._nal_parser.split(data)
        is_key = any(self._codec.is_key(unit) for unit in units)
        if is_key or self._key_frame_seconds is None:
            self._key_frame_seconds = sample.seconds
            self._has_key = self._has_key or is_key
            self.replay = self.replay if self._held else []
        self.replay.append(sample)
        self.fault = self._find_fault(sample, units)
        track = self._nal_parser.track
        # A packet without a slice is no picture: a server that is killed leaves a lone delimiter.
        has_slice = any(self._codec.is_slice(unit) for unit in units)
        if self.fault or not self._has_key or track is None or not has_slice:
            return None
        data = self._nal_parser.to_avcc(data, units)
        return PassthroughFrame(data, sample.seconds, is_key, track, self._is_reordered)

    @property
    def _is_reordered(self) -> bool:
        sequence = self._nal_parser.sequence
        return (
            self._codec is HEVC or self._has_b_frames or bool(sequence and sequence.reorder_frames)
        )

    def _find_fault(self, sample: CodedPacket, units: list[bytes]) -> str | None:
        assert self._key_frame_seconds is not None
        group_s = sample.seconds - self._key_frame_seconds
        if self._nal_parser.track is None:
            return NO_PARAMETERS if self._has_key or group_s > LONGEST_GROUP_S else None
        find_fault = self._find_hevc_fault if self._codec is HEVC else self._find_h264_fault
        if fault := find_fault(units):
            return fault
        longest_s = LONGEST_FRAGMENT_S if self._is_forced else LONGEST_GROUP_S
        if group_s > longest_s + GROUP_LEEWAY_S:
            return f"its key frames are more than {longest_s:g} s apart"
        return None

    def _find_hevc_fault(self, units: list[bytes]) -> str | None:
        if not self._has_times:
            return "it has no timestamps"
        if any(hevc.nal_type(unit) in hevc.LEADING_TYPES for unit in units):
            return "its groups of pictures cannot be decoded alone"
        return None

    def _find_h264_fault(self, units: list[bytes]) -> str | None:
        sequence = self._nal_parser.sequence
        assert sequence is not None
        self._has_b_frames = self._has_b_frames or any(h264.is_b_slice(unit) for unit in units)
        if not self._is_forced:
            if sequence.profile not in PROFILES or not sequence.is_8bit_420:
                return "few players decode its profile"
            if not sequence.is_progressive:
                return "it is interlaced"
        if self._is_reordered and not (self._is_forced and self._has_times):
            return "it has B-frames"
        return None

    def _is_decided(self) -> bool:
        sequence = self._nal_parser.sequence
        is_ruled_out = sequence is not None and sequence.reorder_frames == 0
        return self._is_forced or is_ruled_out or len(self._held) >= self._trial

    def _release(self) -> list[PassthroughFrame]:
        self._is_good = True
        released, self._held = self._held, []
        return released
