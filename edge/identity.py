"""Who this camera is to AWS: the certificate it was paired with, else the usual AWS chain."""

import functools
from collections.abc import Callable
from typing import Any

import botocore.session

from . import credential_endpoint
from .config import Config
from .keys import RenewedKeys


def session(config: Config, say: Callable[[str], None]) -> "CameraSession":
    """A botocore session with this camera's keys; `say` hears when they cannot be renewed."""
    made = CameraSession(endpoint_url=config.endpoint_url)
    if config.region:
        made.set_config_variable("region", config.region)
    if config.ca:
        made.set_config_variable("ca_bundle", str(config.ca))
    if config.identity:
        fetch = functools.partial(credential_endpoint.fetch, config.identity, config.ca)
        made.keys = RenewedKeys(fetch, say)
    return made


class CameraSession(botocore.session.Session):
    """A session that may have keys and an endpoint of its own."""

    def __init__(self, *, endpoint_url: str = "") -> None:
        super().__init__()
        self.keys: RenewedKeys | None = None
        self._endpoint_url = endpoint_url

    def get_credentials(self) -> Any:
        """The camera's keys, else whatever the AWS chain finds."""
        return self.keys or super().get_credentials()

    def create_client(self, service_name: str, **options: Any) -> Any:  # type: ignore[override]
        """A client for that service at this session's endpoint."""
        if self._endpoint_url:
            options.setdefault("endpoint_url", self._endpoint_url)
        return super().create_client(service_name, **options)
