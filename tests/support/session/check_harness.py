"""What tests of a session's check need: what it reads of AWS, in memory."""

from datetime import UTC, datetime

from tests.support.session.stop_harness import refusal
from whosthere.names import StackNames
from whosthere.session.sources import CheckContext, Sources


class Services:
    """What a check reads of AWS, and the order in which it does; each can be made to fail."""

    def __init__(self):
        self.asked, self.failing, self.status, self.is_live = [], {}, "RUNNING", True
        self.fragments = None  # those that a test gives, in place of good ones

    def _note(self, what):
        self.asked.append(what)
        if what in self.failing:
            raise self.failing[what]

    def get_data_endpoint(self, **_):
        self._note("media")
        return {"DataEndpoint": "https://one"}

    def get_paginator(self, operation):
        self._note(operation)
        pages = {"list_fragments": [{"Fragments": self._fragments()}], "list_shards": []}
        return type("Pages", (), {"paginate": lambda _, **__: pages[operation]})()

    def _fragments(self):
        if self.fragments is not None:
            return self.fragments
        one = {"ServerTimestamp": datetime.now(UTC), "FragmentLengthInMilliseconds": 10}
        return [one] if self.is_live else []

    def describe_stream_processor(self, Name):
        self._note("engine")
        if self.status is None:
            raise refusal("ResourceNotFoundException")
        return {"Status": self.status}

    def info(self, *_, **__):
        pass

    warning = info


def check_context_of(table, services, publish):
    """What a check works with: all of these services are one."""
    sources = Sources(services, services, services, services, lambda _url: services)
    names = StackNames("whosthere", "bucket", "topic")
    return CheckContext(table, sources, names, publish, services)
