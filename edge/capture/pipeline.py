"""Passes one source's video through or encodes it, tags it and cuts it into fragments."""

import threading
import time
from collections.abc import Callable, Iterable

from ..config import Config
from ..errors import SourceLostError
from ..media.codec import CODECS, H264
from ..media.mkv import VideoTrack
from ..monitor.event_log import EventLog
from ..sources.packet_decoder import PacketDecoder
from ..sources.samples import CodedPacket, DecodedFrame
from ..sources.source import Source
from ..tagging.tagger import Tagger
from .encode_pipeline import RATE_LEEWAY, EncodePipeline, FrameRateLimiter
from .passthrough import Passthrough, PassthroughFrame
from .segmenter import FragmentSink, Segmenter

# PutMedia's minimum. The last fragment of a run is not cut shorter either.
SHORTEST_FRAGMENT_MS = 1000
# A key frame may come this share of a fragment's length too early: cameras are not exact.
KEY_LEEWAY = 0.1
# How many packets are searched for B-frames if the parameter sets do not rule them out.
FILM_TRIAL, LIVE_TRIAL = 300, 8
# A fragment that should end waits so long for its last frames, by the wall clock: their own times
# may be what is broken.
LONGEST_FINISH_S = 3.0
UNLIMITED = (
    "{} is passed on as it is: --size, --rate and --bitrate limit encoded video only. "
    "With --encode they hold."
)
ONLY_H264 = "The source's {} is encoded to H.264, because Rekognition reads nothing else."


class CapturePipeline:
    """Moves the video of one opened source into the buffer."""

    def __init__(
        self,
        config: Config,
        source: Source,
        buffer: FragmentSink,
        event_log: EventLog,
        stop: threading.Event,
        on_track: Callable[[VideoTrack], None] = lambda _track: None,
    ) -> None:
        """Prepare the stages that the source needs; `on_track` is called when the format changes.

        Raises SourceError when the tagger's mask, face model or folder cannot be used.
        """
        self.video = ""
        self._config = config
        self._source = source
        source.on_playing = event_log.playing
        self._event_log = event_log
        self._stop = stop
        self._tagger = Tagger(config)
        self.segmenter = Segmenter(
            buffer,
            round(config.fragment_seconds * 1000),
            self._tagger.tags,
            is_only_tagged=config.is_only_tagged,
            on_track=self._describe,
        )
        self._on_track = on_track
        self._encode_pipeline = EncodePipeline(
            self.segmenter,
            self._tagger,
            size=config.size,
            rate=min(config.rate, source.rate),
            bitrate_kbit=config.bitrate_kbit,
        )
        # Times of arrival are uneven: they must not drop frames of a source that is slow enough.
        is_slow_enough = not source.has_times and source.rate <= config.rate
        self._rate_limiter = FrameRateLimiter(float("inf") if is_slow_enough else config.rate)
        self._decoder: PacketDecoder | None = None
        self._passthrough = self._create_passthrough()
        self._finish_by = float("inf")

    def _create_passthrough(self) -> Passthrough | None:
        source, wanted = self._source, self._config.passthrough
        codec = CODECS.get(source.decoder.name) if source.decoder else None
        if codec is None or not source.can_pass_through or wanted == "never":
            return None
        is_forced = wanted == "always"
        if codec is not H264 and not is_forced:
            if source.is_live:
                self._event_log.log(ONLY_H264.format(codec.title))
            return None
        return Passthrough(
            source.extradata,
            LIVE_TRIAL if source.is_live else FILM_TRIAL,
            codec=codec,
            is_forced=is_forced,
            has_times=source.has_times,
        )

    def run(self) -> None:
        """Capture until the source ends or `stop` is set.

        Raises SourceLostError when a live source dies or stalls. The buffer then holds what was
        captured so far.
        """
        try:
            for sample in self._source.samples():
                self._process(sample)
                if self._is_finished():
                    break
            else:
                self._flush()
        except SourceLostError:
            # The decoder holds back the last frames of a stream with B-frames.
            self._flush()
            raise
        finally:
            self._encode_pipeline.flush()
            self.segmenter.end()

    def _is_finished(self) -> bool:
        if not self._stop.is_set():
            return False
        self._finish_by = min(self._finish_by, time.monotonic() + LONGEST_FINISH_S)
        is_whole = self.segmenter.finish(SHORTEST_FRAGMENT_MS)
        return is_whole or time.monotonic() >= self._finish_by

    def _process(self, sample: CodedPacket | DecodedFrame) -> None:
        if isinstance(sample, DecodedFrame):
            self._encode_frame(sample)
        elif self._passthrough is None:
            self._decode([sample])
        else:
            self._pass_through(self._passthrough.push(sample))
            if self._passthrough.fault:
                self._encode_from_here(self._passthrough)

    def _flush(self) -> None:
        if self._passthrough is not None:
            self._pass_through(self._passthrough.flush())
        if self._decoder is not None:
            self._encode_frames(self._decoder.flush())

    def _encode_from_here(self, passthrough: Passthrough) -> None:
        if self._source.is_live:
            self._event_log.log(f"The source is encoded again, because {passthrough.fault}.")
        self._passthrough = None
        self._decode(passthrough.replay)

    def _decode(self, samples: list[CodedPacket]) -> None:
        if self._decoder is None:
            assert self._source.decoder is not None, "packets without a decoder"
            self._decoder = PacketDecoder(self._source.decoder, self._source.rate)
        for sample in samples:
            self._encode_frames(self._decoder.push(sample))

    def _encode_frames(self, frames: Iterable[DecodedFrame]) -> None:
        for frame in frames:
            self._encode_frame(frame)
            if self._is_finished():
                break

    def _encode_frame(self, frame: DecodedFrame) -> None:
        timeline = self._source.timeline
        if not self._rate_limiter.keeps(frame.seconds):
            return
        timeline.wait(frame.seconds, self._stop)
        at_ms = timeline.at_ms(frame.seconds)
        # Encoding can begin inside a group of pictures: its first frames were passed through.
        if at_ms > self.segmenter.last_ms:
            self._encode_pipeline.write(frame.image, at_ms, self._source.aspect)
            self._log_start()

    def _pass_through(self, frames: list[PassthroughFrame]) -> None:
        for passed in frames:
            self._source.timeline.wait(passed.seconds, self._stop)
            at_ms = self._source.timeline.at_ms(passed.seconds)
            frame = passed.dated(at_ms)
            self._tagger.on_packet(frame, passed.track, is_due=self._is_due(at_ms))
            self.segmenter.write(
                frame, passed.track, self._leeway_ms, is_reordered=passed.is_reordered
            )
            self._log_start()
            if self._is_finished():
                break

    def _is_due(self, at_ms: int) -> bool:
        return self.segmenter.is_due(at_ms, self._leeway_ms)

    def _describe(self, track: VideoTrack) -> None:
        """Note what is sent, for the status, and say so if it is larger than the limits allow."""
        size, codec = f"{track.width}x{track.height}", track.codec
        if self._passthrough is None:
            self.video = f"{_codec_title(self._source)} encoded to {codec.title} at {size}"
        else:
            self.video = f"{codec.title} at {size} passed on"
            self._log_limits(track)
        self._on_track(track)

    def _log_limits(self, track: VideoTrack) -> None:
        long_side, short_side = max(self._config.size), min(self._config.size)
        is_larger = max(track.width, track.height) > long_side
        is_larger = is_larger or min(track.width, track.height) > short_side
        if is_larger or self._source.rate > self._config.rate * (1 + RATE_LEEWAY):
            size = f"{track.width}x{track.height}"
            what = f"{track.codec.title} at {size} and {self._source.rate:g} frames a second"
            self._event_log.log(UNLIMITED.format(what))

    @property
    def _leeway_ms(self) -> float:
        return self.segmenter.length_ms * KEY_LEEWAY

    def _log_start(self) -> None:
        if self.segmenter.frame_count == 1:
            self._event_log.started(self.segmenter.first_ms)


def _codec_title(source: Source) -> str:
    if source.decoder is None:
        return "pictures"
    codec = CODECS.get(source.decoder.name)
    return codec.title if codec else source.decoder.name.upper()
