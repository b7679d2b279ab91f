"""Names of persons: bounded, shown as written, and compared without case and Unicode form."""

import unicodedata

MOST_CHARACTERS = 100  # a subject of a message has 100 (SNS, Publish), and alerts name more
TOO_LONG = f"A name has at most {MOST_CHARACTERS} characters, and this one has {{}}. Shorten it."
SLASH = "A name cannot contain a slash."
INVISIBLE = "A name needs at least one character that can be seen."


def written_name(text: str) -> str:
    """Return a name as it is shown: without outer spaces, accents composed (NFC)."""
    return unicodedata.normalize("NFC", text).strip()


def folded_name(text: str) -> str:
    """Return what is equal for two names that differ only in case, Unicode form or spaces.

    (The Unicode Standard, 3.13, D146: compatibility caseless match.)
    """
    folded = unicodedata.normalize("NFD", text)
    for _ in range(2):  # what is composed may have a case again
        folded = unicodedata.normalize("NFKC", folded.casefold())
    return " ".join(folded.split())


def why_no_name(text: str) -> str | None:
    """Return why a text cannot be the name of a person; None if it can."""
    name = written_name(text)
    if len(name) > MOST_CHARACTERS:
        return TOO_LONG.format(len(name))
    if not any(sign.isprintable() and not sign.isspace() for sign in name):
        return INVISIBLE
    return SLASH if "/" in name else None
