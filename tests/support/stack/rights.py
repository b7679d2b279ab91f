"""What each role was really seen to use: rights that nobody needs are too many."""

import json
from pathlib import Path

TABLE = Path(__file__).parents[2] / "unit" / "permissions.txt"
# Rights that AWS itself uses, or that only rare failures need: no run of the product on the
# laptop AWS meets them.
UNSEEN = {
    # Lambda writes the logs with the function's role; the laptop AWS does it by itself.
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    # S3 asks for it only to answer "not there" instead of "denied"; the laptop's S3 never does.
    "s3:ListBucket",
    # A processor may write records in batches (Rekognition, access to Kinesis streams).
    "kinesis:PutRecords",
}


# CloudFormation cuts the names of roles; 13 characters and a hyphen at their end are its own.
LONGEST_NAME = 64 - 14


def granted(role: str) -> set[str]:
    """The actions that the template grants to a role."""
    lines = (line.split(" ") for line in TABLE.read_text().splitlines())
    return {line[1] for line in lines if line[0] == role}


def used(laptop, stack: str, role: str) -> set[str]:
    """The actions that the laptop AWS allowed to that role of that stack."""
    found, start = set(), f"{stack}-{role}"[:LONGEST_NAME]
    with (laptop.directory / "iam.jsonl").open() as lines:
        for line in lines:
            decision = json.loads(line)
            if decision["allowed"] and decision["principal"].startswith(start):
                found.add(decision["action"])
    return found


def unused(laptop, stack: str, role: str) -> set[str]:
    """Actions granted to a role that it has not used."""
    return granted(role) - used(laptop, stack, role) - UNSEEN
