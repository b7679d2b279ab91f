"""The laptop's credential provider: who gets keys, who doesn't, and what they are good for."""

import datetime
import http.client
import json
import socket
import ssl
import subprocess
import uuid
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "credentials.iot.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::*/${credentials-iot:ThingName}/*",
        },
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": "*",
            "Condition": {"StringEquals": {"credentials-iot:ThingName": "none-of-that-name"}},
        },
    ],
}


def request_for_a_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem.decode(), request.public_bytes(serialization.Encoding.PEM).decode()


class Device:
    """A thing, its certificate in two files, and a policy for one role alias."""

    def __init__(self, laptop, folder, alias, alias_arn):
        self.iot, self.alias = laptop.client("iot"), alias
        self.name = f"thing-{uuid.uuid4().hex[:8]}"
        self.policy = f"{self.name}-policy"
        key, request = request_for_a_certificate()
        made = self.iot.create_certificate_from_csr(
            certificateSigningRequest=request, setAsActive=True
        )
        self.certificate_id, self.certificate = made["certificateId"], made["certificateArn"]
        self.files = folder / f"{self.name}.pem", folder / f"{self.name}.key"
        self.files[0].write_text(made["certificatePem"])
        self.files[1].write_text(key)
        self.iot.create_thing(thingName=self.name)
        self.iot.attach_thing_principal(thingName=self.name, principal=self.certificate)
        allowed = {
            "Effect": "Allow",
            "Action": "iot:AssumeRoleWithCertificate",
            "Resource": alias_arn,
        }
        document = {"Version": "2012-10-17", "Statement": [allowed]}
        self.iot.create_policy(policyName=self.policy, policyDocument=json.dumps(document))
        self.iot.attach_policy(policyName=self.policy, target=self.certificate)


@pytest.fixture(scope="module")
def role(laptop):
    name = f"role-{uuid.uuid4().hex[:8]}"
    iam = laptop.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(RIGHTS))
    return SimpleNamespace(name=name, arn=iam.get_role(RoleName=name)["Role"]["Arn"])


@pytest.fixture(scope="module")
def alias(laptop, role):
    made = laptop.client("iot").create_role_alias(
        roleAlias=f"alias-{role.name}", roleArn=role.arn, credentialDurationSeconds=900
    )
    return SimpleNamespace(name=made["roleAlias"], arn=made["roleAliasArn"])


@pytest.fixture
def device(laptop, alias, tmp_path):
    return Device(laptop, tmp_path, alias.name, alias.arn)


@pytest.fixture
def ask(laptop):
    def ask(device, alias=None, thing="its own"):
        host, port = endpoint(laptop)
        context = ssl.create_default_context(cafile=laptop.facts["authority"])
        if device is not None:
            context.load_cert_chain(*device.files)
        connection = http.client.HTTPSConnection(host, port, context=context, timeout=20)
        name = device.name if device is not None and thing == "its own" else thing
        headers = {"x-amzn-iot-thingname": name} if name else {}
        asked = alias or device.alias
        try:
            connection.request("GET", f"/role-aliases/{asked}/credentials", headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    return ask


def endpoint(laptop):
    found = laptop.client("iot").describe_endpoint(endpointType="iot:CredentialProvider")
    host, _, port = found["endpointAddress"].partition(":")
    return host, int(port)


def client(laptop, service, keys):
    return boto3.client(
        service,
        endpoint_url=laptop.endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys["accessKeyId"],
        aws_secret_access_key=keys["secretAccessKey"],
        aws_session_token=keys["sessionToken"],
    )


def test_a_device_gets_keys_for_the_aliass_time_that_carry_the_roles_rights(
    laptop, device, role, ask
):
    before = datetime.datetime.now(datetime.UTC)
    status, answer = ask(device)
    assert status == 200
    keys = answer["credentials"]
    assert keys.keys() == {"accessKeyId", "secretAccessKey", "sessionToken", "expiration"}
    ends = datetime.datetime.fromisoformat(keys["expiration"])
    assert 890 <= (ends - before).total_seconds() <= 960
    who = client(laptop, "sts", keys).get_caller_identity()["Arn"]
    assert who.endswith(f":assumed-role/{role.name}/{device.certificate_id}")


def test_policy_variables_and_conditions_see_the_things_name(laptop, device, ask):
    bucket = f"bucket-{uuid.uuid4().hex[:8]}"
    laptop.client("s3").create_bucket(Bucket=bucket)
    s3 = client(laptop, "s3", ask(device)[1]["credentials"])
    s3.put_object(Bucket=bucket, Key=f"{device.name}/a", Body=b"a")
    for key in ("another/a", "${credentials-iot:ThingName}/a", "a"):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"a")
    with pytest.raises(ClientError, match="AccessDenied|403"):
        s3.get_object(Bucket=bucket, Key=f"{device.name}/a")


def test_without_a_things_name_no_statement_that_names_it_matches(laptop, device, ask):
    bucket = f"bucket-{uuid.uuid4().hex[:8]}"
    laptop.client("s3").create_bucket(Bucket=bucket)
    status, answer = ask(device, thing=None)
    assert status == 200
    s3 = client(laptop, "s3", answer["credentials"])
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key=f"{device.name}/a", Body=b"a")


def test_a_thing_the_certificate_does_not_belong_to_is_refused(
    laptop, device, alias, ask, tmp_path
):
    another = Device(laptop, tmp_path, alias.name, alias.arn)
    assert ask(device, thing=another.name) == (403, {"message": "Invalid thing name passed"})
    laptop.client("iot").detach_thing_principal(thingName=device.name, principal=device.certificate)
    assert ask(device) == (403, {"message": "Invalid thing name passed"})


def test_a_certificate_that_is_not_active_is_refused(laptop, device, ask):
    iot = laptop.client("iot")
    iot.update_certificate(certificateId=device.certificate_id, newStatus="INACTIVE")
    refused = (403, {"message": "Certificate is invalid on this endpoint"})
    assert ask(device) == refused
    iot.detach_thing_principal(thingName=device.name, principal=device.certificate)
    iot.delete_certificate(certificateId=device.certificate_id, forceDelete=True)
    assert ask(device) == refused


def test_the_certificates_policies_decide_which_alias_it_may_use(laptop, device, role, ask):
    laptop.client("iot").create_role_alias(roleAlias=f"other-{role.name}", roleArn=role.arn)
    assert ask(device, alias=f"other-{role.name}") == (403, {"message": "Access Denied"})
    laptop.client("iot").detach_policy(policyName=device.policy, target=device.certificate)
    assert ask(device) == (403, {"message": "Access Denied"})


def test_an_alias_that_is_gone_is_not_found(laptop, role, ask, tmp_path):
    iot = laptop.client("iot")
    made = iot.create_role_alias(roleAlias=f"short-{uuid.uuid4().hex[:8]}", roleArn=role.arn)
    device = Device(laptop, tmp_path, made["roleAlias"], made["roleAliasArn"])
    iot.delete_role_alias(roleAlias=made["roleAlias"])
    assert ask(device) == (404, {"message": "Role alias does not exist"})


def test_the_role_must_trust_the_provider_and_live_long_enough(laptop, ask, tmp_path):
    iam, iot = laptop.client("iam"), laptop.client("iot")
    name = f"role-{uuid.uuid4().hex[:8]}"
    trust = json.dumps(TRUST).replace("credentials.iot", "lambda")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    arn = iam.get_role(RoleName=name)["Role"]["Arn"]
    made = iot.create_role_alias(roleAlias=name, roleArn=arn, credentialDurationSeconds=7200)
    device = Device(laptop, tmp_path, name, made["roleAliasArn"])
    status, answer = ask(device)
    assert status == 400
    assert "exceeds the MaxSessionDuration" in answer["message"]
    iot.update_role_alias(roleAlias=name, credentialDurationSeconds=900)
    status, answer = ask(device)
    assert status == 400
    assert answer["message"].startswith("Unable to assume the role")
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(TRUST))
    assert ask(device)[0] == 200


def test_without_a_certificate_of_our_authority_there_is_no_answer(device, ask, tmp_path):
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(None, alias=device.alias)
    foreign = SimpleNamespace(name=device.name, alias=device.alias, files=self_signed(tmp_path))
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(foreign)


def self_signed(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "own.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "own.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "own.pem", folder / "own.key"


def test_who_connects_and_says_nothing_holds_up_nobody(laptop, device, ask):
    silent = [socket.create_connection(endpoint(laptop)) for _ in range(20)]
    assert ask(device)[0] == 200
    for each in silent:
        each.close()


def test_role_aliases_can_be_listed_described_changed_and_are_checked(laptop, alias, role):
    iot = laptop.client("iot")
    assert alias.name in iot.list_role_aliases()["roleAliases"]
    described = iot.describe_role_alias(roleAlias=alias.name)["roleAliasDescription"]
    assert described["roleArn"] == role.arn
    assert described["credentialDurationSeconds"] == 900
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException):
        iot.create_role_alias(roleAlias=alias.name, roleArn=role.arn)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_role_alias(roleAlias="none")
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.create_role_alias(roleAlias="none", roleArn="arn:aws:iam::aws:policy/none")


def test_the_command_line_shows_the_endpoint(laptop):
    command = ["aws", "iot", "describe-endpoint", "--endpoint-type", "iot:CredentialProvider"]
    done = subprocess.run(
        command, env=laptop.environment(), capture_output=True, text=True, check=True, timeout=60
    )
    shown = json.loads(done.stdout)["endpointAddress"]
    assert shown == "{}:{}".format(*endpoint(laptop))
