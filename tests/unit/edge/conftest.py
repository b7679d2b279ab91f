"""Fixtures of the edge's unit tests."""

import socket

import pytest


@pytest.fixture
def closed_port():
    """A port on which nobody listens, and nobody else can meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
