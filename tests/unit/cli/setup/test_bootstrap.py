"""The start of `./whosthere` on all sorts of machines, with a uv that only pretends."""

import ast
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.setup import toolchain

ROOT = Path(__file__).parents[4]
README = (ROOT / "README.md").read_text()
EARLY = (
    "whosthere",
    "cli/__init__.py",
    "cli/setup/__init__.py",
    "cli/setup/bootstrap.py",
    "cli/setup/toolchain.py",
)
UV = """#!/bin/sh
echo "$*" >> "{place}/calls"
case "$1" in
--version) echo "uv {version}" ;;
venv)
    for last; do :; done
    mkdir -p "$last/bin"
    cp "{place}/entered" "$last/bin/python"
    sleep {delay} ;;
pip)
    for file; do :; done
    [ ! -e "{place}/pull" ] || mv "{place}/pull" "$file"
    [ ! -e "{place}/hang" ] || sleep 20
    [ ! -e "{place}/fail" ] ;;
python) exit 1 ;;
esac
"""
# Answers the probe, and otherwise tells how it was entered.
ENTERED = """#!/bin/sh
[ "$1" = -I ] && exit 0
echo "entered $*"
echo "path $PATH"
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A checkout of the early files, and a home and PATH that hold only what a test puts there."""

    place: Path

    @property
    def checkout(self) -> Path:
        return self.place / "check out"  # people have such folders

    def script(self, path: str, text: str) -> Path:
        file = self.place / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
        return file

    def uv(self, version: str = "0.13.9", delay: float = 0) -> None:
        self.script("bin/uv", UV.format(place=self.place, version=version, delay=delay))

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.place / "home"), "PATH": f"{self.place / 'bin'}:/usr/bin:/bin"}

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(self.checkout / "whosthere"), *arguments],
            env=self.environment() | more.pop("env", {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def run(self, *arguments: str, **more: Any) -> tuple[int, str, str]:
        with self.start(*arguments, **more) as process:
            out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def calls(self, verb: str) -> list[str]:
        file = self.place / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if line.startswith(verb)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    for name in EARLY:
        target = made.checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    (made.checkout / "environments").mkdir()
    for name in ("project", "emulator", "lambda", "uv"):
        (made.checkout / "environments" / f"{name}.txt").write_text(f"# {name}\n")
    (tmp_path / "home").mkdir()
    made.script("entered", ENTERED)
    made.script("bin/python3.13", "#!/bin/sh\nexit 0\n")
    return made


def test_the_first_run_makes_three_environments_and_enters_the_project(machine: Machine) -> None:
    machine.uv()
    code, out, err = machine.run("demo", "--video", "a b.mp4")
    assert code == 0
    assert "entered -P -m cli demo --video a b.mp4" in out
    assert f"path {machine.checkout}/.whosthere/project/bin:" in out
    assert len(machine.calls("venv")) == len(machine.calls("pip sync")) == 3
    assert all("--require-hashes" in call for call in machine.calls("pip sync"))
    assert "environment 3 of 3" in err


def test_what_the_readme_puts_on_path_is_sam_and_its_python_alone(machine: Machine) -> None:
    """The project's environment also has an `aws`, older than the one that a reader has."""
    assert "(PATH=$PWD/.whosthere/bin:$PATH; sam build && sam deploy)" in README
    machine.uv()
    for _ in range(2):
        machine.run("demo")
        folder = machine.checkout / ".whosthere" / "bin"
        assert sorted(file.name for file in folder.iterdir()) == ["python3.13", "sam"]
        machine.script("check out/.whosthere/project/bin/sam", '#!/bin/sh\necho "sam $*"\n')
        done = subprocess.run([folder / "sam", "a b", "c"], capture_output=True, text=True)
        assert done.stdout == "sam a b c\n"
        (folder / "sam").unlink()  # an earlier version did not make it


def test_later_runs_ask_nothing_of_uv_or_the_network(machine: Machine) -> None:
    machine.uv()
    machine.run("demo")
    (machine.place / "bin" / "uv").unlink()
    (machine.place / "calls").unlink()
    code, out, err = machine.run("demo")
    assert (code, err) == (0, "")
    assert "entered -P -m cli demo" in out


def test_a_changed_lock_file_updates_its_environment_only(machine: Machine) -> None:
    machine.uv()
    machine.run("demo")
    (machine.place / "calls").unlink()
    (machine.checkout / "environments" / "lambda.txt").write_text("# another\n")
    assert machine.run("demo")[0] == 0
    assert machine.calls("venv") == []
    assert [Path(call.split()[-1]).name for call in machine.calls("pip sync")] == ["lambda.txt"]


def test_a_lock_file_that_changes_while_it_is_installed_is_installed_by_the_next_run(
    machine: Machine,
) -> None:
    machine.uv()
    (machine.place / "pull").write_text("# newer\n")  # as a `git pull` in another shell would
    assert machine.run("demo")[0] == 0
    (machine.place / "calls").unlink()
    assert machine.run("demo")[0] == 0
    assert len(machine.calls("pip sync")) == 1


def test_a_checkout_that_was_moved_is_prepared_anew(machine: Machine) -> None:
    machine.uv()
    machine.run("demo")
    (machine.place / "calls").unlink()
    for name in ("project", "emulator", "lambda"):
        stamp = machine.checkout / ".whosthere" / name / "stamp"
        stamp.write_text(stamp.read_text().replace("check out", "elsewhere"))
    assert machine.run("demo")[0] == 0
    assert len(machine.calls("venv")) == 3


def test_a_failed_first_run_says_so_and_the_next_one_repairs_it(machine: Machine) -> None:
    machine.uv()
    (machine.place / "fail").touch()
    code, out, err = machine.run("demo")
    assert code == 1 and "entered" not in out and "`uv pip sync` failed" in err
    (machine.place / "fail").unlink()
    code, out, _ = machine.run("demo")
    assert code == 0 and "entered" in out


def test_a_killed_first_run_is_repaired_by_the_next(
    machine: Machine, wait_until: Callable[..., Any]
) -> None:
    machine.uv()
    (machine.place / "hang").touch()
    process = machine.start("demo", start_new_session=True)
    wait_until(lambda: machine.calls("pip sync"))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (machine.place / "hang").unlink()
    code, out, _ = machine.run("demo")
    assert code == 0 and "entered" in out


def test_two_first_runs_at_once_do_not_collide(machine: Machine) -> None:
    machine.uv(delay=0.5)  # three times: the second comes meanwhile
    first, second = machine.start("demo"), machine.start("up")
    outputs = [process.communicate(timeout=60) for process in (first, second)]
    assert first.returncode == second.returncode == 0
    assert all("entered" in out for out, _ in outputs)
    assert len(machine.calls("venv")) == 3
    assert sum("another whosthere" in err for _, err in outputs) == 1


def test_a_broken_shim_on_path_is_passed_over_for_the_real_python(machine: Machine) -> None:
    machine.uv()
    machine.script("bin/python3.13", "#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    real = machine.script("home/.pyenv/versions/3.13.7/bin/python3.13", "#!/bin/sh\nexit 0\n")
    assert machine.run("demo")[0] == 0
    assert all(f"--python {real}" in call for call in machine.calls("venv"))


def test_pyenv_root_is_looked_at_too(machine: Machine) -> None:
    machine.uv()
    (machine.place / "bin" / "python3.13").unlink()
    real = machine.script("pyenv/versions/3.13.7/bin/python3.13", "#!/bin/sh\nexit 0\n")
    assert machine.run("demo", env={"PYENV_ROOT": str(machine.place / "pyenv")})[0] == 0
    assert all(f"--python {real}" in call for call in machine.calls("venv"))


@pytest.fixture
def without_uv(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with a uv that is too old, seen from inside the bootstrap."""
    machine.uv(version="0.4.1")
    place = machine.checkout / ".whosthere"
    place.mkdir()
    monkeypatch.setattr(toolchain, "WORK_DIR", place)
    monkeypatch.setenv("PATH", machine.environment()["PATH"])
    return machine


def test_without_venv_uv_comes_by_pip_into_the_checkout(
    without_uv: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = without_uv.script(
        "bin/python3",
        '#!/bin/sh\n[ "$2" = pip ] || exit 1\nfor last; do :; done\nmkdir -p "$last/bin"\n'
        'printf "#!/bin/sh\\necho uv 0.13.9\\n" > "$last/bin/uv"\nchmod +x "$last/bin/uv"\n',
    )
    monkeypatch.setattr(toolchain.sys, "executable", str(pip))
    found = toolchain.find_uv()
    assert found == str(without_uv.checkout / ".whosthere" / "uv" / "bin" / "uv")


def test_without_venv_and_pip_it_says_what_to_install(
    without_uv: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = without_uv.script("bin/python3", "#!/bin/sh\nexit 1\n")
    monkeypatch.setattr(toolchain.sys, "executable", str(broken))
    with pytest.raises(toolchain.BootstrapError) as raised:
        toolchain.find_uv()
    assert "sudo apt install python3-venv" in str(raised.value)
    assert str(broken) in str(raised.value)


def test_where_no_python_313_can_be_had_it_says_what_to_install(machine: Machine) -> None:
    machine.uv()
    machine.script("bin/python3.13", "#!/bin/sh\nexit 127\n")
    # The Python that runs these tests is a 3.13: the probe has to find that one broken too.
    probe = machine.checkout / "cli" / "setup" / "toolchain.py"
    probe.write_text(probe.read_text().replace("(3, 13)", "(3, 99)"))
    code, _, err = machine.run("demo")
    assert code == 1
    assert "pyenv install 3.13" in err


def test_what_leads_to_other_pythons_is_not_handed_on(machine: Machine) -> None:
    machine.uv()
    machine.script(
        "entered", '#!/bin/sh\necho "home=$PYTHONHOME venv=$VIRTUAL_ENV path=$PYTHONPATH"\n'
    )
    out = machine.run("demo", env={"VIRTUAL_ENV": "/other"})[1]
    assert f"home= venv= path={machine.checkout}:{machine.checkout}/functions" in out


def test_nothing_is_written_outside_the_checkout(machine: Machine) -> None:
    machine.uv()
    machine.run("demo")
    assert list((machine.place / "home").iterdir()) == []


@pytest.mark.parametrize("name", EARLY)
def test_what_runs_before_313_is_found_is_python_39_and_standard_library(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(), feature_version=(3, 9))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported <= sys.stdlib_module_names | {"cli"}


def test_the_first_file_stays_short() -> None:
    assert len((ROOT / "whosthere").read_text().splitlines()) < 60
