"""Fixtures of the emulator's unit tests."""

import pytest


@pytest.fixture(autouse=True)
def _always_keyless(keyless: None) -> None:
    """Nothing of the caller's AWS configuration reaches a test."""
