"""The stack that a verb finds."""

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
