"""Advice for the owner about AWS's error codes."""

_KEYS = "Check the credentials: `aws sts get-caller-identity` shows whose they are."

# Error codes of all AWS services and of Kinesis Video Streams.
ADVICE = {
    "AccessDeniedException": (
        "These credentials lack the permission. A camera needs "
        "kinesisvideo:DescribeStream, GetDataEndpoint and PutMedia on its stream."
    ),
    "ExpiredTokenException": "The credentials have expired. Get new ones and start again.",
    "IncompleteSignatureException": _KEYS,
    "InvalidClientTokenId": _KEYS,
    "InvalidSignatureException": f"{_KEYS} Check this machine's clock too.",
    "MissingAuthenticationTokenException": _KEYS,
    "ResourceNotFoundException": (
        "There is no such stream here. Deploy the stack with this camera, or check "
        "--camera, --stack, --stream and the region."
    ),
    "SignatureDoesNotMatch": _KEYS,
    "UnrecognizedClientException": _KEYS,
}
ADVICE["NotAuthorizedException"] = ADVICE["AccessDeniedException"]
ADVICE["AccessDenied"] = ADVICE["AccessDeniedException"]
ADVICE["ExpiredToken"] = ADVICE["ExpiredTokenException"]


def advice(code: str) -> str:
    """Return what to do about an AWS error; an empty text if AWS's own message must do."""
    return ADVICE.get(code, "")
