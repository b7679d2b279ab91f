"""Create and revoke a camera's identity in AWS IoT: its thing and its certificates."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cli.errors import VerbError

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

# AWS needs some seconds to detach (DetachThingPrincipal).
DETACH_TIMEOUT_S = 30
POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that is attached to a thing."""

    id: str
    arn: str
    status: str
    since: datetime


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """A new certificate, with the private key that only this machine has."""

    id: str
    arn: str
    pem: str
    key_pem: str


class ThingRegistry:
    """The IoT things of one stack: one for each camera, named like its video stream."""

    def __init__(self, iot: "IoTClient", stack: str) -> None:
        """Take the IoT client and the stack's name."""
        self._iot = iot
        self._stack = stack

    @property
    def role_alias(self) -> str:
        """Return the name of the role alias and of the IoT policy, as in template.yaml."""
        return f"{self._stack}-camera"

    def thing_name(self, camera: str) -> str:
        """Return the name of the camera's thing."""
        return f"{self._stack}-{camera}"

    def require_role_alias(self) -> None:
        """Raise VerbError if the stack was deployed before cameras had a role alias."""
        if self.credential_seconds() is None:
            raise VerbError(
                f"the stack {self._stack} has no role alias {self.role_alias}: it was deployed "
                "before cameras had one. `sam build && sam deploy`"
            )

    def credential_seconds(self) -> int | None:
        """Return how long credentials are valid; None if the stack has no role alias."""
        try:
            found = self._iot.describe_role_alias(roleAlias=self.role_alias)
        except self._iot.exceptions.ResourceNotFoundException:
            return None
        return found["roleAliasDescription"]["credentialDurationSeconds"]

    def credential_endpoint(self) -> str:
        """Return the host that gives credentials to a certificate."""
        found = self._iot.describe_endpoint(endpointType="iot:CredentialProvider")
        return found["endpointAddress"]

    def certificates(self, camera: str) -> list[Certificate]:
        """Return the certificates attached to the camera's thing."""
        try:
            found = self._iot.list_thing_principals(thingName=self.thing_name(camera))
        except self._iot.exceptions.ResourceNotFoundException:
            return []
        return [self._describe(arn) for arn in found["principals"]]

    def _describe(self, arn: str) -> Certificate:
        name = arn.rpartition("/")[2]
        found = self._iot.describe_certificate(certificateId=name)["certificateDescription"]
        return Certificate(name, arn, found["status"], found["creationDate"])

    def create_certificate(self, camera: str) -> NewCertificate:
        """Create the camera's thing, if it does not exist, and a certificate for the role alias."""
        thing = self.thing_name(camera)
        key_pem, request = _signing_request(thing)
        self._iot.create_thing(thingName=thing)
        made = self._iot.create_certificate_from_csr(
            certificateSigningRequest=request, setAsActive=True
        )
        arn = made["certificateArn"]
        try:
            self._iot.attach_policy(policyName=self.role_alias, target=arn)
            self._iot.attach_thing_principal(thingName=thing, principal=arn)
        except BaseException:
            self.revoke_certificate(arn)
            raise
        return NewCertificate(made["certificateId"], arn, made["certificatePem"], key_pem)

    def revoke_certificate(self, arn: str) -> None:
        """Deactivate, detach and delete a certificate, so that it gives no credentials any more."""
        name = arn.rpartition("/")[2]
        self._iot.update_certificate(certificateId=name, newStatus="INACTIVE")
        for policy in self._iot.list_attached_policies(target=arn)["policies"]:
            self._iot.detach_policy(policyName=policy["policyName"], target=arn)
        for thing in self._iot.list_principal_things(principal=arn)["things"]:
            self._iot.detach_thing_principal(thingName=thing, principal=arn)
        self._retry_while_attached(
            lambda: self._iot.delete_certificate(certificateId=name, forceDelete=True)
        )

    def delete_thing(self, camera: str) -> bool:
        """Delete the camera's thing; return whether there was one."""
        thing = self.thing_name(camera)
        try:
            self._iot.describe_thing(thingName=thing)
        except self._iot.exceptions.ResourceNotFoundException:
            return False
        self._retry_while_attached(lambda: self._iot.delete_thing(thingName=thing))
        return True

    def _retry_while_attached(self, call: Callable[[], object]) -> None:
        """Call until AWS has detached everything; what is already deleted is no error."""
        until = time.monotonic() + DETACH_TIMEOUT_S
        while time.monotonic() < until:
            with suppress(self._iot.exceptions.ResourceNotFoundException):
                try:
                    call()
                except ClientError as error:
                    if error.response["Error"]["Code"] not in CONFLICTS:
                        raise
                    time.sleep(POLL_S)
                    continue
            return
        call()


# Errors while something is attached: DeleteCertificate raises the first, DeleteThing the second.
CONFLICTS = ("DeleteConflictException", "InvalidRequestException")


def _signing_request(thing: str) -> tuple[str, str]:
    """Return a new private key and a certificate signing request for it, both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, thing[:64])])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem.decode(), request.public_bytes(serialization.Encoding.PEM).decode()
