"""The botocore session of a camera: with its certificate, else with the usual AWS chain."""

import functools
from collections.abc import Callable
from typing import Any

import botocore.session
from botocore.client import BaseClient
from botocore.credentials import Credentials
from botocore.loaders import Loader

from ..config import Config
from . import credential_endpoint
from .credentials import IotCredentials


def create_botocore_session(config: Config, log: Callable[[str], None]) -> "BotocoreSession":
    """Create the camera's session; `log` gets a line for each failed refresh of its credentials."""
    made = BotocoreSession(endpoint_url=config.endpoint_url)
    if config.region:
        made.set_config_variable("region", config.region)
    if config.ca:
        made.set_config_variable("ca_bundle", str(config.ca))
    if config.identity:
        fetch = functools.partial(credential_endpoint.fetch_credentials, config.identity, config.ca)
        made.iot_credentials = IotCredentials(fetch, log)
    return made


class BotocoreSession(botocore.session.Session):
    """A botocore session that can have IoT credentials and one endpoint for all services."""

    def __init__(self, *, endpoint_url: str = "") -> None:
        """Create the session; an empty `endpoint_url` means AWS's own endpoints."""
        super().__init__()
        self.register_component("data_loader", SmallDataLoader())
        self.iot_credentials: IotCredentials | None = None
        self._endpoint_url = endpoint_url

    def get_credentials(self) -> Credentials | None:
        """Return the camera's credentials, else those that the AWS chain finds."""
        return self.iot_credentials or super().get_credentials()

    def create_client(self, service_name: str, **options: Any) -> BaseClient:  # type: ignore[override]
        """Create a client of that service at this session's endpoint."""
        if self._endpoint_url:
            options.setdefault("endpoint_url", self._endpoint_url)
        return super().create_client(service_name, **options)


class SmallDataLoader(Loader):
    """A loader of botocore's data that skips its list of all endpoints, which takes 7 MB.

    botocore derives an endpoint from the service's own rules. It reads the list only for the
    partitions, and a small file has those too.
    """

    def load_data_with_path(self, name: str) -> tuple[dict[str, Any], str]:
        """Return a data file's content and path; build `endpoints` from the partitions."""
        if name != "endpoints":
            return super().load_data_with_path(name)
        known, path = super().load_data_with_path("partitions")
        partitions = [_without_services(partition) for partition in known["partitions"]]
        return {"version": 3, "partitions": partitions}, path


def _without_services(partition: dict[str, Any]) -> dict[str, Any]:
    return {
        "partition": partition["id"],
        "partitionName": partition["id"],
        "dnsSuffix": partition["outputs"]["dnsSuffix"],
        "regionRegex": partition["regionRegex"],
        "regions": {name: {} for name in partition["regions"]},
        "defaults": {
            "hostname": "{service}.{region}.{dnsSuffix}",
            "protocols": ["https"],
            "signatureVersions": ["v4"],
        },
        "services": {},
    }
