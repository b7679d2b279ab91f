"""The log of a run."""

import io

from edge.config import parse
from edge.monitor.event_log import EventLog


def test_a_log_that_cannot_be_written_stops_nobody():
    class Closed(io.StringIO):
        def flush(self):
            raise BrokenPipeError

    EventLog(parse(["--camera", "gate"]), Closed(), Closed()).log("something unusual")
