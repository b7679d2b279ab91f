"""Whether a face that nobody knows is a known person's, turned away, who is recognised next.

Strangers are told by frames up to the end of a batch, and the next frame may show who it
is. That frame cannot come to the same worker: its shard waits for it. But it comes to the
function that alerts for persons, which reads the stream on its own; so this worker waits
for the time in which a face belongs to a person, and then looks at the visits of persons.
"""

from collections.abc import Mapping

from whosthere.faces.match import CLAIM_MS
from whosthere.faces.tracker import Track
from whosthere.geometry import distance
from whosthere.visits.visit import Visit

READ_MS = 1000  # until the other function has read the next frame: Lambda polls once a second


def patience_ms(track: Track) -> int:
    """How long to wait before the face of a track is a stranger's."""
    followed_ms = track.box_ms - track.hits[0].captured_ms
    return max(0, CLAIM_MS + READ_MS - followed_ms)


def person_of(track: Track, visits: Mapping[str, Visit]) -> str | None:
    """The person who was recognised where the track ends, right after it, or None."""
    frames = {hit.captured_ms for hit in track.hits}
    for who, visit in visits.items():
        if frames.intersection(visit.times):
            continue  # both were seen in one frame
        soon = any(0 < time_ms - track.box_ms <= CLAIM_MS for time_ms in visit.times)
        elapsed_ms = max(0, visit.box_ms - track.box_ms)
        if soon and distance(track.box, visit.box, elapsed_ms) is not None:
            return who
    return None
