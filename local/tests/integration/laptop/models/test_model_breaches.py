"""Every constraint of AWS's models, of every member of every implemented operation, is applied."""

from functools import cache

import pytest

from local.kinesisvideo import validation as kinesisvideo
from local.kinesisvideo.errors import KinesisVideoError
from local.rekognition.api import validation as rekognition
from local.rekognition.errors import RekognitionError
from local.tests.support.models.breaches import breaches, sample
from local.tests.support.models.checks import ask, model
from local.tests.support.models.requests import ROWS

# test_model_answers.py sees to it that these are the operations which are implemented.
OPERATIONS = [
    (service, name)
    for service, rows in ROWS.items()
    for name in model(service).operation_names
    if name in rows
]
ids = [name for _, name in OPERATIONS]
REFUSALS = {
    "InvalidParameterException",
    "InvalidArgumentException",
    "ImageTooLargeException",
    "SerializationException",
}


def shape_of(service, name):
    return model(service).operation_model(name).input_shape


@cache
def broken(service, name):
    """Every breach of an operation's requests; made once, some are large."""
    return list(breaches(shape_of(service, name), name))


def complaint(service, name, parameters):
    """What our own validation says of a request; empty if nothing."""
    checked = rekognition.checked if service == "rekognition" else kinesisvideo.checked
    try:
        checked(name, parameters)
    except (RekognitionError, KinesisVideoError) as error:
        return error.message
    return ""


@pytest.mark.parametrize(("service", "name"), OPERATIONS, ids=ids)
def test_a_request_that_breaks_one_constraint_is_refused_and_the_same_without_it_is_not(
    service, name
):
    assert not complaint(service, name, sample(shape_of(service, name)))
    missed = [
        f"{where}: {constraint}"
        for where, constraint, value in broken(service, name)
        if not complaint(service, name, value)
    ]
    assert missed == []


@pytest.mark.parametrize(("service", "name"), OPERATIONS, ids=ids)
def test_the_running_service_refuses_them_by_aws_s_name(laptop, request, service, name):
    """Each with `--long`, else one in four: the check itself has just been seen to find all."""
    some = slice(None, None, 1 if request.config.getoption("--long") else 4)
    for where, constraint, value in broken(service, name)[some]:
        code, answer = ask(laptop, service, name, value)
        assert code in REFUSALS, f"{where}: {constraint}: {answer}"


def test_every_kind_of_constraint_is_among_them():
    found = {one.constraint for operation in OPERATIONS for one in broken(*operation)}
    assert found == {"type", "min", "max", "enum", "pattern", "required"}
