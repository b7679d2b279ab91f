"""Who this camera is to AWS: the certificate it was paired with, else the usual AWS chain."""

import functools
from collections.abc import Callable
from typing import Any

import botocore.session
from botocore.loaders import Loader

from ..config import Config
from . import credential_endpoint
from .credentials import RenewedKeys


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
        self.register_component("data_loader", SmallData())
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


class SmallData(Loader):
    """botocore's data without its list of every endpoint there is: that takes 7 MB.

    Where a service is follows from rules of its own; of the list only the partitions
    are asked for, and those have a small file too.
    """

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        """Give a file's content, and the path it was read from."""
        if name != "endpoints":
            given: tuple[Any, str] = super().load_data_with_path(name)
            return given
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
