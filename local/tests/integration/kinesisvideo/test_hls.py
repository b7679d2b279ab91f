"""GetHLSStreamingSessionURL, as media players use what it answers."""

import shutil
import subprocess
import urllib.error
import urllib.request

import av
import pytest

from local.tests.support.kinesisvideo.archive import FRAGMENTS, GAP, START, between, error_of
from local.tests.support.kinesisvideo.client import Producer
from local.tests.support.media import mkv

ON_DEMAND = {"PlaybackMode": "ON_DEMAND"}
FRAMES = 10  # of each fragment, a tenth of a second apart


def url_of(archive, stream, **asked):
    answer = archive.get_hls_streaming_session_url(StreamName=stream, **asked)
    return answer["HLSStreamingSessionURL"]


def on_demand(archive, stream, start=START, end=GAP + 1, **more):
    selector = between(start, end)
    return url_of(archive, stream, HLSFragmentSelector=selector, **ON_DEMAND, **more)


def fetched(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.headers["content-type"], answer.read()


def status_of(url):
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetched(url)
    refused.value.close()
    return refused.value.code


def playlist(url):
    """The lines of the media playlist that a master playlist names."""
    kind, master = fetched(url)
    assert kind == "application/x-mpegURL"
    (link,) = [line for line in master.decode().splitlines() if not line.startswith("#")]
    return fetched(url.rpartition("/")[0] + "/" + link)[1].decode().splitlines()


def times_of(url):
    with av.open(url) as film:
        return [round(frame.time, 3) for frame in film.decode(video=0)]


def test_every_frame_of_an_archive_is_played_at_its_time(archive, stored):
    times = times_of(on_demand(archive, stored))
    seconds = [*range(FRAGMENTS), GAP - START]
    wanted = [second + frame / 10 for second in seconds for frame in range(FRAMES)]
    assert [time - times[0] for time in times] == pytest.approx(wanted, abs=0.002)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg here")
def test_ffmpeg_plays_it(archive, stored):
    command = ["ffmpeg", "-v", "error", "-i", on_demand(archive, stored), "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_playlist_of_an_archive_is_whole_and_ends(archive, stored):
    lines = playlist(on_demand(archive, stored, DiscontinuityMode="ON_DISCONTINUITY"))
    assert lines.count("#EXTINF:1.000,") == FRAGMENTS + 1
    assert lines.count("#EXT-X-DISCONTINUITY") == 1  # before what comes after the gap
    assert lines[-1] == "#EXT-X-ENDLIST"
    first = playlist(on_demand(archive, stored, MaxMediaPlaylistFragmentResults=2))
    assert first.count("#EXTINF:1.000,") == 2


def test_a_live_playlist_has_the_newest_fragments_and_goes_on(laptop, archive, stored, film):
    url = url_of(archive, stored)
    before = playlist(url)
    assert before.count("#EXTINF:1.000,") == 5
    assert "#EXT-X-ENDLIST" not in before
    with Producer(laptop, stored) as producer:
        producer.send(film.header, film.fragment((GAP + 20) * 1000), mkv.end())
        number = producer.until("PERSISTED")["FragmentNumber"]
        producer.end()
    assert f"FragmentNumber={number}&" in playlist(url)[-1]


def test_nothing_outside_of_the_range_is_given(archive, stored):
    wide, narrow = (playlist(on_demand(archive, stored, end=end)) for end in (GAP, START + 1))
    other = next(line for line in reversed(wide) if "FragmentNumber" in line)
    own = next(line for line in narrow if "FragmentNumber" in line)
    base = on_demand(archive, stored).rpartition("/")[0]
    link = (
        f"{base}/{other.partition('SessionToken')[0]}SessionToken{own.partition('SessionToken')[2]}"
    )
    assert status_of(link) == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda url: url[:-3], 401),
        (lambda url: url.partition("?")[0] + "?SessionToken=", 401),
        (lambda url: url.partition("?")[0], 403),
        (lambda url: url + "&Action=Publish", 403),
        (lambda url: url.replace("getHLSMasterPlaylist", "getElse"), 403),
    ],
)
def test_without_the_token_nothing_is_given(archive, stored, change, status):
    assert status_of(change(on_demand(archive, stored))) == status


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"PlaybackMode": "LIVE_REPLAY"}, ("InvalidArgumentException", 400)),
        ({"ContainerFormat": "MPEG_TS"}, ("InvalidArgumentException", 400)),
        (ON_DEMAND, ("InvalidArgumentException", 400)),
        (
            {**ON_DEMAND, "HLSFragmentSelector": between(1, 2)},
            ("ResourceNotFoundException", 404),
        ),
    ],
)
def test_what_cannot_be_played_is_refused(archive, stored, asked, error):
    call = archive.get_hls_streaming_session_url
    assert error_of(call, StreamName=stored, **asked) == error
