"""The live line and the tables, on a terminal and in a pipe."""

import os
import pty
import re
import subprocess
import sys
import termios

import pytest

from cli.tables import format_table
from local.laptop import ROOT

LIMIT_S = 60
STEPS = """
import time
from cli.progress import Progress
progress = Progress()
with progress.live("the session starts"):
    with progress.step("enrolling [Zoë]"):
        time.sleep(0.15)
    progress.status("film 3 of 30 s")
    progress.print("  00:03.0  Zoë [bold]")
    time.sleep(0.15)
"""
TABLE = """
from cli.tables import format_table
print(format_table([("one", "front-door", "it was asked to stop " * 4), ("2" * 40, "-", "runs")]))
"""
STAY = ["  ok  enrolling [Zoë]  (N s)", "  00:03.0  Zoë [bold]"]


def environment(**more):
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return {**kept, "TERM": "xterm-256color", **more}


def in_pipe(program, **variables):
    """Return what a program writes to a pipe."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment(**variables), capture_output=True, text=True, timeout=LIMIT_S, check=True,
    ).stdout  # fmt: skip


def on_terminal(program, columns, **variables):
    """Return what a program writes to a terminal of that width."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment(**variables), stdin=theirs, stdout=theirs, stderr=theirs,
    ) as running:  # fmt: skip
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 65536):
                written += part
        except OSError:  # Linux's end of a terminal
            pass
        assert running.wait(LIMIT_S) == 0, written.decode()
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def lines_of(written):
    """Return the lines that stay on the screen, the time that a step took left out."""
    text = re.sub(r"\x1b\[\?25[lh]", "", written)  # hides and shows the cursor
    lines = [line.rpartition("\x1b[2K")[2].strip("\r") for line in text.split("\n")]
    return [re.sub(r"\d+\.\d s", "N s", line) for line in lines if line]


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1", "TTY_INTERACTIVE": "1"}])
def test_a_pipe_gets_plain_lines_whatever_the_environment_says(variables):
    assert lines_of(in_pipe(STEPS, **variables)) == ["  ... enrolling [Zoë]", *STAY]


def test_a_terminal_that_cannot_move_its_cursor_gets_the_same_lines():
    assert lines_of(on_terminal(STEPS, 80, TERM="dumb")) == ["  ... enrolling [Zoë]", *STAY]


@pytest.mark.parametrize("columns", [30, 60, 80])
def test_a_terminal_has_one_live_line_with_seconds_that_is_gone_at_the_end(columns):
    written = on_terminal(STEPS, columns, NO_COLOR="1")
    assert re.search(r"  [|/\\-]   enrolling \[Zoë\]  0 s", written)
    assert re.search(r"  [|/\\-]   film 3 of 30 s  \d s", written)
    assert "\x1b[1A" not in written  # the cursor never goes up: there is one line
    assert lines_of(written) == STAY


def test_a_live_line_that_is_too_long_is_cut():
    written = on_terminal(STEPS.replace("film", "film " * 20), 60, NO_COLOR="1")
    assert "film film" in written and "\x1b[1A" not in written
    assert lines_of(written) == STAY


def test_no_color_leaves_the_live_line_without_colours():
    colour = r"\x1b\[[0-9;]*3[0-9][0-9;]*m"
    assert re.search(colour, on_terminal(STEPS, 80))
    assert not re.search(colour, on_terminal(STEPS, 80, NO_COLOR="1"))


def test_in_a_pipe_each_row_is_one_line_and_columns_are_two_spaces_apart():
    written = in_pipe(TABLE, FORCE_COLOR="1", COLUMNS="40")
    first, second = written.splitlines()
    assert re.split("  +", first) == ["one", "front-door", ("it was asked to stop " * 4).strip()]
    assert re.split("  +", second) == ["2" * 40, "-", "runs"]
    assert first.index("front-door") == second.index("-")


@pytest.mark.parametrize(("columns", "whole"), [(30, False), (60, False), (80, True)])
def test_a_narrow_terminal_wraps_cells_inside_their_column_and_loses_nothing(columns, whole):
    lines = on_terminal(TABLE, columns).splitlines()
    assert max(len(line) for line in lines) <= columns
    text = "".join("".join(lines).split())
    assert sorted(text) == sorted("".join(in_pipe(TABLE).split()))
    # An id of up to half the width can be copied.
    assert any(line.startswith("2" * 40) for line in lines) == whole
    assert "\x1b" not in text and text.isascii()


def test_a_table_of_nothing_is_no_text():
    assert format_table([]) == ""


def test_what_looks_like_markup_is_text():
    assert format_table([("[red]Zoë[/red]", ":smile:")]) == "[red]Zoë[/red]  :smile:"
