"""The folder that a demo run leaves: alerts as text, strangers' pictures, the page, the report."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.demo.inbox import Received
from cli.demo.page import page
from cli.demo.result import Outcome
from cli.errors import InputError
from cli.setup.toolchain import ROOT


def new_folder(given: Path | None) -> Path:
    """The folder asked for, or one named after now; never one that holds something already."""
    now = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    folder = given or ROOT / "demo-output" / now
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--output {folder}: is not empty; name a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output {folder}: cannot be written: {error.strerror}") from error
    # Faces never end up in a commit by accident.
    (folder / ".gitignore").write_text("*\n")
    return folder


def write(
    folder: Path,
    outcome: Outcome,
    received: list[Received],
    report: Mapping[str, Any],
    *,
    seconds: float,
    truth: Mapping[str, Any] | None,
    wrong: list[str],
) -> None:
    """Fill the folder."""
    for name in ("alerts", "strangers"):
        (folder / name).mkdir(exist_ok=True)
    ordered = sorted(received, key=lambda one: str(one.body.get("sent", "")))
    for number, one in enumerate(ordered, 1):
        kind = one.body["kind"]
        text = f"Subject: {one.subject}\n\n{one.body.get('message', '')}\n"
        (folder / "alerts" / f"{number:02}-{kind}.txt").write_text(text)
    for stranger, picture in outcome.pictures.items():
        (folder / "strangers" / f"{stranger}.jpg").write_bytes(picture)
    text = json.dumps(report, indent=2, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n")
    shown = page(outcome, report, seconds=seconds, truth=truth, wrong=wrong)
    (folder / "index.html").write_text(shown)
