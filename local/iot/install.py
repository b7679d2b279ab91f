"""Puts role aliases and the credential provider's address into MiniStack's IoT Core."""

import json
from collections.abc import Mapping
from typing import Any

from local.iot.cloudformation import HANDLERS
from local.iot.role_aliases import answer
from local.ministack import CFN_HANDLERS, Answer, iot


def install(credential_endpoint: str) -> None:
    """Register role aliases and the endpoint that DescribeEndpoint returns, after `check_names`."""

    def answer_role_aliases(
        method: str, path: str, body: bytes, query: Mapping[str, Any]
    ) -> Answer | None:
        if path == "/role-aliases" or path.startswith("/role-aliases/"):
            return answer(method, path, body)
        if path == "/endpoint" and "iot:CredentialProvider" in query.get("endpointType", ""):
            content = {"endpointAddress": credential_endpoint}
            return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()
        return None

    iot.intercept_requests(answer_role_aliases)
    CFN_HANDLERS.get().update({kind: dict(handlers) for kind, handlers in HANDLERS.items()})
