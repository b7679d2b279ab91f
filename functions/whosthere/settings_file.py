"""The owner's `settings.json` in the bucket."""

import json
from typing import Any

from botocore.exceptions import ClientError

from whosthere.errors import SessionInputError

KEY = "settings.json"


def read(s3: Any, bucket: str) -> dict[str, Any]:
    """What the file says, unchecked, or nothing if there is none; SessionInputError if no object.

    Who reads it needs `s3:ListBucket`: S3 answers 403 without, where nothing is.
    """
    try:
        body = s3.get_object(Bucket=bucket, Key=KEY)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return {}
        raise
    try:
        loaded = json.loads(body)
    except ValueError as error:
        raise SessionInputError(f"{KEY}: not JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise SessionInputError(f"{KEY}: has to be an object")
    return loaded
