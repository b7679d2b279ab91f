"""Whether an unmatched face is a known person's, turned away, who is recognised next.

Strangers are confirmed at the end of a batch, and the next frame may show who it is. That frame
cannot come to the same worker: its shard waits for it. But it comes to the function that alerts
for persons, which reads the stream on its own. So this worker waits as long as a face is
associated with a person, and then looks at the visits of persons.
"""

from collections.abc import Mapping

from whosthere.faces.match import ASSOCIATION_WINDOW_MS
from whosthere.faces.tracker import FaceTrack
from whosthere.geometry import distance
from whosthere.visits.visit import Visit

READ_MS = 1000  # until the other function has read the next frame: Lambda polls once a second


def wait_ms(track: FaceTrack) -> int:
    """Return how long to wait before the face of a track is a stranger's."""
    followed_ms = track.box_ms - track.sightings[0].frame.captured_ms
    return max(0, ASSOCIATION_WINDOW_MS + READ_MS - followed_ms)


def person_of(track: FaceTrack, visits: Mapping[str, Visit]) -> str | None:
    """Return the person who was recognised where the track ends, right after it, or None."""
    frames = {sighting.frame.captured_ms for sighting in track.sightings}
    for who, visit in visits.items():
        if frames.intersection(visit.times):
            continue  # both were seen in one frame
        soon = any(0 < time_ms - track.box_ms <= ASSOCIATION_WINDOW_MS for time_ms in visit.times)
        elapsed_ms = max(0, visit.box_ms - track.box_ms)
        if soon and distance(track.box, visit.box, elapsed_ms) is not None:
            return who
    return None
