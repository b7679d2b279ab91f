"""Write the folder of a demo's results: alerts as text, strangers' pictures, page and report."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from cli.demo.page import render_page
from cli.demo.runner import FinishedDemo
from cli.demo.scenario import Scenario
from cli.errors import InputError
from cli.setup.run_dirs import private_files
from cli.setup.toolchain import ROOT

IGNORED = ".gitignore"


@contextmanager
def result_folder(given: Path | None) -> Iterator[Path]:
    """Yield a new folder for the results, and remove it if nothing has come into it."""
    is_new = given is None or not given.exists()
    with private_files():
        folder = create_folder(given)
        try:
            yield folder
        finally:
            if [path.name for path in folder.iterdir()] == [IGNORED]:
                _remove(folder, is_new=is_new)


def _remove(folder: Path, *, is_new: bool) -> None:
    (folder / IGNORED).unlink()
    if is_new:
        shutil.rmtree(folder)
        with suppress(OSError):  # other demos' results lie there
            (ROOT / "demo-output").rmdir()


def create_folder(given: Path | None) -> Path:
    """Create the given folder, or one named after the time; InputError if it is not empty."""
    now = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    folder = given or ROOT / "demo-output" / now
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--output {folder}: is not empty; name a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output {folder}: cannot be written: {error.strerror}") from error
    # Faces never end up in a commit by accident.
    (folder / IGNORED).write_text("*\n")
    return folder


def write_results(
    folder: Path, finished: FinishedDemo, scenario: Scenario, wrong: list[str]
) -> None:
    """Write alerts, strangers' pictures, the report and the page into the folder."""
    for name in ("alerts", "strangers"):
        (folder / name).mkdir(exist_ok=True)
    ordered = sorted(finished.received, key=lambda one: str(one.body.get("sent", "")))
    for number, one in enumerate(ordered, 1):
        kind = one.body["kind"]
        text = f"Subject: {one.subject}\n\n{one.body.get('message', '')}\n"
        (folder / "alerts" / f"{number:02}-{kind}.txt").write_text(text)
    for stranger, picture in finished.result.pictures.items():
        (folder / "strangers" / f"{stranger}.jpg").write_bytes(picture)
    text = json.dumps(finished.report, indent=2, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n")
    page = render_page(
        finished.result,
        finished.report,
        seconds=scenario.seconds,
        truth=scenario.truth,
        wrong=wrong,
    )
    (folder / "index.html").write_text(page)
