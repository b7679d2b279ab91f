"""Signed requests to Kinesis Video that no SDK would let out."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import ServiceModel

SECONDS = 20
SERVICES = {
    "kinesisvideo": "endpoint",
    "kinesis-video-media": "media_endpoint",
    "kinesis-video-archived-media": "media_endpoint",
}


@dataclass(frozen=True)
class Answer:
    """What came back, whatever it was."""

    status: int
    headers: dict
    body: bytes

    @property
    def error(self):
        """Return the error's name from the header that SDKs read."""
        return self.headers.get("x-amzn-errortype", "")

    @property
    def document(self):
        return json.loads(self.body)


def operations():
    """Yield the name, path, model and port of each of AWS's operations."""
    loader = Loader()
    for service, port in SERVICES.items():
        model = ServiceModel(loader.load_service_model(service, "service-2"), service)
        for name in model.operation_names:
            operation = model.operation_model(name)
            yield name, operation.http["requestUri"], operation, port


def send(laptop, port, path, body, method="POST", content_type="application/json", **headers):
    """One request, signed by the owner, over a connection of its own."""
    url = laptop.facts[port]
    keys = Credentials(laptop.facts["access_key_id"], laptop.facts["secret_access_key"])
    given = {**({"content-type": content_type} if content_type else {}), **headers}
    request = AWSRequest(method, url + path, data=body, headers=given)
    SigV4Auth(keys, "kinesisvideo", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
    try:
        connection.request(method, path, body, dict(request.headers.items()))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())
    finally:
        connection.close()
