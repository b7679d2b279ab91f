"""The stack that a verb finds."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from cli.aws import target as targets


def test_every_client_gives_up_soon(aws, monkeypatch) -> None:
    # moto's CloudFormation needs packages of its own; which stack is found does not matter here.
    monkeypatch.setattr(targets, "_describe", lambda _formation, _stack: None)
    found = targets.find_stack("whosthere", must_exist=False)
    target = replace(found, outputs={"TableName": "whosthere"})
    for client in (target.session.client("s3"), target.table().meta.client):
        assert client.meta.config.connect_timeout == targets.CLIENT_CONFIG.connect_timeout
        assert client.meta.config.read_timeout == targets.CLIENT_CONFIG.read_timeout
        assert client.meta.config.retries["mode"] == "standard"


def test_a_thread_has_one_resource_of_a_service_and_no_other_has_it(target):
    make = target.session.resource
    own = make("dynamodb")
    with ThreadPoolExecutor(1) as other:
        theirs = [other.submit(make, "dynamodb").result() for _ in range(2)]
    assert make("dynamodb") is own and theirs[0] is theirs[1]
    assert theirs[0] is not own
    assert make("dynamodb", region_name="eu-west-3").meta.client.meta.region_name == "eu-west-3"
