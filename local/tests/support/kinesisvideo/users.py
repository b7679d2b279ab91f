"""Users with just the rights that a test gives them."""

import contextlib
import json
import uuid


class Users:
    """Makes users, takes rights from them, and cleans up behind them."""

    def __init__(self, laptop):
        self._laptop = laptop
        self._iam = laptop.client("iam")
        self._names = {}

    def __call__(self, **allowed):
        """Return the key and secret of a user with an action (`s3_PutObject`) per resource."""
        name = f"user-{uuid.uuid4().hex[:8]}"
        self._iam.create_user(UserName=name)
        key = self._iam.create_access_key(UserName=name)["AccessKey"]
        self._names[key["AccessKeyId"]] = name
        self.allow(key["AccessKeyId"], **allowed)
        return key["AccessKeyId"], key["SecretAccessKey"]

    def client(self, service, keys):
        """Return a boto3 client of a user."""
        key_id, secret = keys
        return self._laptop.session().client(
            service,
            endpoint_url=self._laptop.facts["endpoint"],
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
        )

    def allow(self, key_id, **allowed):
        """What the user may do from now on, instead of what was allowed before."""
        statements = [
            {"Effect": "Allow", "Action": action.replace("_", ":"), "Resource": resource}
            for action, resource in allowed.items()
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self._iam.put_user_policy(
            UserName=self._names[key_id], PolicyName="own", PolicyDocument=document
        )

    def remove(self):
        for key, name in self._names.items():
            self._iam.delete_access_key(UserName=name, AccessKeyId=key)
            self._iam.delete_user_policy(UserName=name, PolicyName="own")
            self._iam.delete_user(UserName=name)


@contextlib.contextmanager
def users(laptop):
    """Users that last as long as the block."""
    made = Users(laptop)
    try:
        yield made
    finally:
        made.remove()
