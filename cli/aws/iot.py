"""A camera's identity in AWS IoT: its thing, its certificates, and how they end."""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cli.errors import VerbError

# Detaching takes AWS some seconds (DetachThingPrincipal).
DETACHED_WITHIN_S = 30
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
    """A certificate just made, with the private key that only this machine has."""

    id: str
    arn: str
    pem: str
    key_pem: str


class Things:
    """The things of one stack; each belongs to a camera and has the name of its video stream."""

    def __init__(self, iot: Any, stack: str) -> None:
        self._iot = iot
        self._stack = stack

    @property
    def access_name(self) -> str:
        """The name of the stack's role alias and of its IoT policy, as in template.yaml."""
        return f"{self._stack}-camera"

    def name(self, camera: str) -> str:
        """The camera's thing."""
        return f"{self._stack}-{camera}"

    def check(self) -> None:
        """VerbError if the stack was deployed before cameras had a role alias."""
        if self.keys_s() is None:
            raise VerbError(
                f"the stack {self._stack} has no role alias {self.access_name}: it was deployed "
                "before cameras had one. `sam build && sam deploy`"
            )

    def keys_s(self) -> int | None:
        """For how many seconds keys are good; None if the stack has no role alias."""
        try:
            found = self._iot.describe_role_alias(roleAlias=self.access_name)
        except self._iot.exceptions.ResourceNotFoundException:
            return None
        return int(found["roleAliasDescription"]["credentialDurationSeconds"])

    def credential_endpoint(self) -> str:
        """The host where certificates are good for keys."""
        found = self._iot.describe_endpoint(endpointType="iot:CredentialProvider")
        return str(found["endpointAddress"])

    def certificates(self, camera: str) -> list[Certificate]:
        """Those attached to the camera's thing; none, if it has no thing."""
        try:
            found = self._iot.list_thing_principals(thingName=self.name(camera))
        except self._iot.exceptions.ResourceNotFoundException:
            return []
        return [self._described(arn) for arn in found["principals"]]

    def _described(self, arn: str) -> Certificate:
        name = arn.rpartition("/")[2]
        found = self._iot.describe_certificate(certificateId=name)["certificateDescription"]
        return Certificate(name, arn, found["status"], found["creationDate"])

    def add_certificate(self, camera: str) -> NewCertificate:
        """Make the thing if need be, and a certificate for it that may have the role's keys."""
        thing = self.name(camera)
        key_pem, request = _request(thing)
        self._iot.create_thing(thingName=thing)
        made = self._iot.create_certificate_from_csr(
            certificateSigningRequest=request, setAsActive=True
        )
        arn = made["certificateArn"]
        try:
            self._iot.attach_policy(policyName=self.access_name, target=arn)
            self._iot.attach_thing_principal(thingName=thing, principal=arn)
        except BaseException:
            self.revoke(arn)
            raise
        return NewCertificate(made["certificateId"], arn, made["certificatePem"], key_pem)

    def revoke(self, arn: str) -> None:
        """Deactivate, detach and delete a certificate: it is good for nothing from now on."""
        name = arn.rpartition("/")[2]
        self._iot.update_certificate(certificateId=name, newStatus="INACTIVE")
        for policy in self._iot.list_attached_policies(target=arn)["policies"]:
            self._iot.detach_policy(policyName=policy["policyName"], target=arn)
        for thing in self._iot.list_principal_things(principal=arn)["things"]:
            self._iot.detach_thing_principal(thingName=thing, principal=arn)
        self._patiently(lambda: self._iot.delete_certificate(certificateId=name, forceDelete=True))

    def remove_thing(self, camera: str) -> bool:
        """Take the thing away; say whether there was one."""
        thing = self.name(camera)
        try:
            self._iot.describe_thing(thingName=thing)
        except self._iot.exceptions.ResourceNotFoundException:
            return False
        self._patiently(lambda: self._iot.delete_thing(thingName=thing))
        return True

    def _patiently(self, call: Any) -> None:
        until = time.monotonic() + DETACHED_WITHIN_S
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


# Something is still attached: DeleteCertificate says the first, DeleteThing the second.
CONFLICTS = ("DeleteConflictException", "InvalidRequestException")


def _request(thing: str) -> tuple[str, str]:
    """A new private key and a certificate signing request for it, both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, thing[:64])])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem.decode(), request.public_bytes(serialization.Encoding.PEM).decode()
