"""What the tests over the wire share; the laptop AWS itself is support/running.py's."""

import pytest

from local.tests.support.kinesisvideo.fixtures import (  # noqa: F401
    archive,
    film,
    media,
    stored,
    stream,
    stream_arn,
    streams,
    unharmed,
    user,
)


@pytest.fixture(scope="session", autouse=True)
def _all_answers_keep_to_the_models(answers_keep_to_the_models: None) -> None:
    """Whichever test asks."""
