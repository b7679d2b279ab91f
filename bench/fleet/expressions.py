"""The update and condition expressions of DynamoDB, as far as the product writes them."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

Row = dict[str, Any]
Names = Mapping[str, str]
Values = Mapping[str, Any]
# Each takes the row, and the names and values that its expression refers to.
Test = Callable[[Row, Names, Values], bool]
Read = Callable[[Row, Names, Values], Any]
Change = Callable[[Row, Names, Values], Row]
TOKEN = re.compile(r"[(),=+]|[\w#:.]+")
SECTIONS = ("SET", "REMOVE", "ADD")
MISSING = object()


class _Parser:
    """Reads an expression token by token."""

    def __init__(self, text: str) -> None:
        self._tokens = TOKEN.findall(text)

    def next(self) -> str:
        return str(self._tokens.pop(0))

    def take(self, *wanted: str) -> bool:
        """Skip the next token if it is one of these."""
        if self._tokens and self._tokens[0] in wanted:
            del self._tokens[0]
            return True
        return False

    def either(self) -> Test:
        """Return conditions of which one has to hold."""
        tests = [self.all()]
        while self.take("OR"):
            tests.append(self.all())
        return lambda *given: any(test(*given) for test in tests)

    def all(self) -> Test:
        """Return conditions that have to hold together."""
        tests = [self.one()]
        while self.take("AND"):
            tests.append(self.one())
        return lambda *given: all(test(*given) for test in tests)

    def one(self) -> Test:
        """Return a condition in brackets, a function, or an equation."""
        if self.take("("):
            inner = self.either()
            self.take(")")
            return inner
        if self._tokens[0].startswith("attribute_"):
            wanted = self.next() == "attribute_exists"
            self.take("(")
            read = _reader(self.next())
            self.take(")")
            return lambda *given: (read(*given) is not MISSING) == wanted
        left = self.operand()
        if not self.take("="):
            raise ValueError(f"no comparison is known before {self._tokens}")
        right = self.operand()
        return lambda *given: left(*given) == right(*given)

    def sum(self) -> Read:
        """Return an operand, or two that are added."""
        left = self.operand()
        if not self.take("+"):
            return left
        right = self.operand()
        return lambda *given: left(*given) + right(*given)

    def operand(self) -> Read:
        """Return a value, a path, or a path with a default."""
        token = self.next()
        if token != "if_not_exists":
            return _reader(token)
        self.take("(")
        first = _reader(self.next())
        self.take(",")
        default = self.operand()
        self.take(")")

        def read(*given: Any) -> Any:
            found = first(*given)
            return default(*given) if found is MISSING else found

        return read

    def changes(self) -> Change:
        """Return all changes of an update; each reads the row as it was before."""
        steps = []
        while self._tokens:
            section = self.next()
            if section not in SECTIONS:
                raise ValueError(f"{section} is no section that is known")
            steps.append(self._step(section))
            while self.take(","):
                steps.append(self._step(section))

        def change(row: Row, names: Names, values: Values) -> Row:
            after = dict(row)
            for path, read in steps:
                _assign(after, _parts(path, names), read(row, names, values))
            return after

        return change

    def _step(self, section: str) -> tuple[str, Read]:
        path = self.next()
        if section == "REMOVE":
            return path, lambda *_given: MISSING
        if section == "SET":
            self.take("=")
            return path, self.sum()
        old, more = _reader(path), _reader(self.next())
        return path, lambda *given: _added(old(*given), more(*given))


@cache
def condition(text: str) -> Test:
    """Return what tells whether a row meets the condition."""
    return _Parser(text).either()


@cache
def update(text: str) -> Change:
    """Return what makes the changed row of a row."""
    return _Parser(text).changes()


def _reader(token: str) -> Read:
    if token.startswith(":"):
        return lambda _row, _names, values: values[token]

    def read(row: Row, names: Names, _values: Values) -> Any:
        found: Any = row
        for part in _parts(token, names):
            found = found.get(part, MISSING) if isinstance(found, dict) else MISSING
        return found

    return read


def _parts(path: str, names: Names) -> list[str]:
    return [names[part] if part.startswith("#") else part for part in path.split(".")]


def _assign(row: Row, parts: list[str], value: Any) -> None:
    """Set or remove a nested attribute; what is around it is copied, not changed."""
    for part in parts[:-1]:
        row[part] = dict(row[part])
        row = row[part]
    if value is MISSING:
        row.pop(parts[-1], None)
    else:
        row[parts[-1]] = value


def _added(old: Any, more: Any) -> Any:
    if old is MISSING:
        return more
    return old | more if isinstance(more, set) else old + more
