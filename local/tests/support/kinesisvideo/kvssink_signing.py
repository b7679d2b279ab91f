"""Signature Version 4 by hand: the producers differ in what they sign, and SDKs hide it."""

import hashlib
import hmac

EMPTY = hashlib.sha256(b"").hexdigest()


def authorization(keys, region, path, headers, signed, payload=EMPTY):
    """Return the Authorization header of a POST that signs the listed headers only.

    `keys` are an access key id and its secret, `headers` have lower-case names.
    """
    lines = ["POST", path, "", *(f"{name}:{headers[name]}" for name in signed)]
    canonical = "\n".join([*lines, "", ";".join(signed), payload])
    moment = headers["x-amz-date"]
    scope = (moment[:8], region, "kinesisvideo", "aws4_request")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", moment, "/".join(scope), digest])
    key = f"AWS4{keys[1]}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    found = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = "/".join((keys[0], *scope))
    return (
        f"AWS4-HMAC-SHA256 Credential={credential}, "
        f"SignedHeaders={';'.join(signed)}, Signature={found}"
    )
