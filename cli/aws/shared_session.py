"""A boto3 session for several threads: the owner's page asks from many at once."""

from threading import RLock, local
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
        self._of_thread = local()

    def client(self, service_name: Any, *given: Any, **more: Any) -> Any:
        """Return the client of a service: its only one, unless more than its name is given."""
        with self._making:
            if given or more:
                return super().client(service_name, *given, **more)
            if service_name not in self._made:
                self._made[service_name] = super().client(service_name)
            return self._made[service_name]

    def resource(self, service_name: Any, *given: Any, **more: Any) -> Any:
        """Return the resource of a service: the only one of this thread, as it is for one only."""
        if given or more:
            return self._make_resource(service_name, *given, **more)
        made = self._of_thread.__dict__
        if service_name not in made:
            made[service_name] = self._make_resource(service_name)
        return made[service_name]

    def _make_resource(self, service_name: Any, *given: Any, **more: Any) -> Any:
        with self._making:
            return super().resource(service_name, *given, **more)
