"""The answer to a request without a usable key, in the form of the service that it is for."""

import uuid
from collections.abc import Callable, Mapping, MutableMapping
from types import SimpleNamespace
from typing import Any

from local.ministack import names
from local.ministack.services import Answer

INVALID = "The security token included in the request is invalid."


def refusal(service: str | None = None) -> Callable[..., Answer]:
    """Return what words a refusal, for requests to one service or to whichever they name."""

    def answer(
        scope: MutableMapping[str, Any],
        headers: Mapping[str, str],
        query: Mapping[str, list[str]],
        code: str,
    ) -> Answer:
        asked = service or names.DETECT_SERVICE.get()(
            scope["method"], scope["path"], dict(headers), dict(query)
        )
        request_id, failed = str(uuid.uuid4()), SimpleNamespace(code=code, message=INVALID)
        refused = names.CREDENTIAL_FAILURE.get()(asked, "", request_id, failed, dict(headers))
        status, named, body = refused
        # S3's clients read the second, all others the first.
        return (
            status,
            {**named, "x-amzn-requestid": request_id, "x-amz-request-id": request_id},
            body,
        )

    return answer
