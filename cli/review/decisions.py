"""What the owner decides on the page: about strangers, and about visits of somebody else."""

from collections.abc import Mapping
from typing import Any

from cli.aws.people.not_person import WrongMatches
from cli.aws.people.visits import VisitHistory
from cli.aws.target import Target
from cli.errors import InputError
from cli.review.acts import Act, Acts
from cli.review.pictures import PictureShelf

NOT = "not:"  # what undoes a wrong match that was taken back begins with it


class Decisions:
    """The owner's decisions, as the page sends them."""

    def __init__(self, target: Target, shelf: PictureShelf) -> None:
        """Decide about the strangers of a stack, whose pictures the shelf holds."""
        self._target, self._shelf, self._acts = target, shelf, Acts(target)

    def do(self, act: str, content: Mapping[str, Any]) -> Act:
        """Do what the owner has decided."""
        if act == "undo":
            return self._undo(_text(content, "undo"))
        if act == "not":
            return self._take_back(_text(content, "visit"))
        strangers = _texts(content, "strangers")
        if act == "split":
            files = [self._shelf.file_of(one) for one in _texts(content, "pictures")]
            return self._acts.split(strangers, files)
        if act == "name":
            return self._acts.name(strangers, _text(content, "name"))
        acts = {
            "ignore": self._acts.ignore,
            "discard": self._acts.discard,
            "back": self._acts.back,
            "merge": self._acts.merge,
        }
        if act not in acts:
            raise InputError(f"there is no act {act!r} on strangers")
        return acts[act](strangers)

    def _take_back(self, visit_id: str) -> Act:
        visit = VisitHistory(self._target).visit(visit_id)
        done = WrongMatches(self._target).take_back(visit)
        text = f"Not {done.name}"
        text += ": a stranger, who waits under Review" if done.stranger else ""
        return Act(text, f"{NOT}{done.visit_id}")

    def _undo(self, act: str) -> Act:
        if not act.startswith(NOT):
            return self._acts.undo(act)
        done = WrongMatches(self._target).undo(act.removeprefix(NOT))
        return Act(f"{done.name} again", "")


def _texts(content: Mapping[str, Any], name: str) -> list[str]:
    value = content.get(name)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InputError(f"{name} has to be a list of ids")
    return value


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise InputError(f"{name} has to be a text")
    return value
