"""Takes what a source gives, passes it on or encodes it, and cuts it into fragments."""

import threading
from collections.abc import Iterable

from ..config import Config
from ..monitor.report import Report
from ..sources.decode import Decoding
from ..sources.samples import Coded, Picture
from ..sources.source import Source
from ..tagging.tagger import Tagger
from .encode_pipeline import Encoding, Thinned
from .passthrough import Passed, Passing
from .segmenter import Buffer, Cutter

# What PutMedia asks of a fragment; one that is under way is not cut shorter.
SHORTEST_FRAGMENT_MS = 1000
# Key frames that a camera was asked for come about this much too early.
KEY_LEEWAY = 0.1
# So many packets are looked at for B-frames, where nothing else tells of them.
FILM_TRIAL, LIVE_TRIAL = 300, 8


class Capture:
    """One opened source on its way into the buffer; `run` ends with the source."""

    def __init__(
        self,
        config: Config,
        source: Source,
        buffer: Buffer,
        report: Report,
        stop: threading.Event,
    ) -> None:
        self._source = source
        source.on_playing = report.playing
        self._buffer = buffer
        self._report = report
        self._stop = stop
        self._tagger = Tagger(config)
        self.counts = self._cutter = Cutter(
            buffer,
            round(config.fragment_seconds * 1000),
            self._tagger.is_tagged,
            is_only_tagged=config.is_only_tagged,
        )
        self._encoding = Encoding(
            self._cutter,
            self._tagger,
            size=config.size,
            rate=min(config.rate, source.rate),
            bitrate_kbit=config.bitrate_kbit,
        )
        self._thinned = Thinned(config.rate)
        self._decoding: Decoding | None = None
        self._passing: Passing | None = None
        if source.is_passable:
            trial = LIVE_TRIAL if source.is_live else FILM_TRIAL
            self._passing = Passing(source.extradata, trial)

    def run(self) -> None:
        """Capture until the source ends or somebody says stop.

        Raises SourceLostError when a live source dies or stalls; what was captured until
        then is in the buffer, which stays open for when the source is back.
        """
        try:
            for sample in self._source.samples():
                self._take(sample)
                if self._is_enough():
                    break
            else:
                self._take_rest()
            self._encoding.rest()
        finally:
            self._cutter.end()
        self._buffer.close()

    def _is_enough(self) -> bool:
        return self._stop.is_set() and self._cutter.is_enough(SHORTEST_FRAGMENT_MS)

    def _take(self, sample: Coded | Picture) -> None:
        if isinstance(sample, Picture):
            self._write_picture(sample)
        elif self._passing is None:
            self._decode([sample])
        else:
            self._write_passed(self._passing.take(sample))
            if self._passing.fault:
                self._encode_from_here(self._passing)

    def _take_rest(self) -> None:
        if self._passing is not None:
            self._write_passed(self._passing.rest())
        if self._decoding is not None:
            self._write_pictures(self._decoding.rest())

    def _encode_from_here(self, passing: Passing) -> None:
        if self._source.is_live:
            self._report.say(f"The source is encoded anew: {passing.fault}.")
        self._passing = None
        self._decode(passing.replay)

    def _decode(self, samples: list[Coded]) -> None:
        if self._decoding is None:
            assert self._source.decoder is not None, "packets without a decoder"
            self._decoding = Decoding(self._source.decoder, self._source.rate)
        for sample in samples:
            self._write_pictures(self._decoding.take(sample))

    def _write_pictures(self, pictures: Iterable[Picture]) -> None:
        for picture in pictures:
            self._write_picture(picture)
            if self._is_enough():
                break

    def _write_picture(self, picture: Picture) -> None:
        timeline = self._source.timeline
        if not self._thinned.keeps(picture.seconds):
            return
        timeline.wait(picture.seconds, self._stop)
        at_ms = timeline.at_ms(picture.seconds)
        # When encoding begins in the middle of a group, its first frames have been passed.
        if at_ms > self._cutter.last_ms:
            self._encoding.write(picture.image, at_ms, self._source.aspect)
            self._tell_start()

    def _write_passed(self, several: list[Passed]) -> None:
        for passed in several:
            self._source.timeline.wait(passed.seconds, self._stop)
            at_ms = self._source.timeline.at_ms(passed.seconds)
            frame = passed.at(at_ms)
            self._tagger.pass_by(frame, passed.track, is_due=self._is_due(at_ms))
            self._cutter.write(frame, passed.track, self._leeway_ms)
            self._tell_start()
            if self._is_enough():
                break

    def _is_due(self, at_ms: int) -> bool:
        return self._cutter.is_due(at_ms, self._leeway_ms)

    @property
    def _leeway_ms(self) -> float:
        return self._cutter.length_ms * KEY_LEEWAY

    def _tell_start(self) -> None:
        if self._cutter.captured == 1:
            self._report.started(self._cutter.first_ms)
