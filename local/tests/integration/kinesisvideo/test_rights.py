"""Who may do what on the media plane."""

from local.tests.support.kinesisvideo.client import Producer

NOON = 1_800_000_000_000


def test_put_media_needs_its_action_on_the_very_stream(laptop, stream, stream_arn, film, user):
    allowed = user(kinesisvideo_PutMedia=stream_arn)
    with Producer(laptop, stream, keys=allowed) as producer:
        acks = producer.send(film.header, film.fragment(NOON)).end()
    assert acks[-1]["EventType"] == "PERSISTED"
    others = user(
        kinesisvideo_PutMedia=stream_arn.replace(stream, "other"), kinesisvideo_GetMedia=stream_arn
    )
    with Producer(laptop, stream, keys=others) as producer:
        assert producer.status == 403
        name, message = producer.error()
    assert name == "AccessDeniedException"
    assert f"not authorized to perform: kinesisvideo:PutMedia on resource: {stream_arn}" in message
