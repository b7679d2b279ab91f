"""What to do about the errors with which AWS says no."""

_KEYS = "Check the credentials: `aws sts get-caller-identity` shows whose they are."

# Error codes common to all AWS services, and those of Kinesis Video Streams.
ADVICE = {
    "AccessDeniedException": (
        "These credentials may not do that. A camera needs "
        "kinesisvideo:DescribeStream, GetDataEndpoint and PutMedia on its stream."
    ),
    "ExpiredTokenException": "The credentials have ended. Get new ones, start again.",
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
    """Say what to do about an AWS error, or nothing when its own text must do."""
    return ADVICE.get(code, "")
