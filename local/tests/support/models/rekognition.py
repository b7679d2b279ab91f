"""Raw answers of Rekognition, each checked against AWS's own model."""

from typing import Any

import pytest

from local.laptop import LaptopAWS
from local.security.signing import ServiceError
from local.tests.support.models.checks import ask


def answered(laptop: LaptopAWS, operation: str, **parameters: Any) -> dict[str, Any]:
    """Return the answer as it came over the wire, after a check against AWS's model."""
    code, answer = ask(laptop, "rekognition", operation, parameters)
    if code:
        raise ServiceError(code, answer["message"])
    return dict(answer)


def service_error(laptop: LaptopAWS, operation: str, **parameters: Any) -> str:
    """Return the code of the error that a single request brings, without an SDK's retries."""
    with pytest.raises(ServiceError) as caught:
        answered(laptop, operation, **parameters)
    return caught.value.code
