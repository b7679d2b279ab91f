"""A boto3 session for several threads: the owner's page asks from many at once."""

from threading import RLock
from typing import Any

import boto3
import botocore.session


class SharedSession(boto3.Session):
    """A session that makes one client at a time, and the client of a service once.

    boto3's own may not be asked for clients by two threads at once; clients may be used by any
    number (boto3 guide, "Multithreading or multiprocessing with clients").
    """

    def __init__(self, core: botocore.session.Session | None = None) -> None:
        """Begin without a client; without `core` by the settings of this shell."""
        super().__init__(botocore_session=core)
        self._making = RLock()
        self._made: dict[str, Any] = {}

    def client(self, service_name: Any, *given: Any, **more: Any) -> Any:
        """Return the client of a service: its only one, unless more than its name is given."""
        with self._making:
            if given or more:
                return super().client(service_name, *given, **more)
            if service_name not in self._made:
                self._made[service_name] = super().client(service_name)
            return self._made[service_name]

    def resource(self, service_name: Any, *given: Any, **more: Any) -> Any:
        """Return a resource of its own: unlike a client it is for one thread."""
        with self._making:
            return super().resource(service_name, *given, **more)
