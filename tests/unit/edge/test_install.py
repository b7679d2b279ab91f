"""Installing, upgrading and removing a camera on a Pi; system commands are only recorded."""

import os
import pwd
import stat
import subprocess
import sys
from types import SimpleNamespace

import pytest

from cli.aws.cameras.camera_folder import EDGE
from edge.pi import install
from edge.pi.install import InstallError, InstallPaths


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make a machine below a folder, whose system commands are recorded instead of run."""
    paths = InstallPaths(tmp_path / "root")
    for folder in (paths.manager, paths.unit.parent, paths.command.parent):
        folder.mkdir(parents=True)
    paths.programs.mkdir(parents=True)
    ran = []

    def run(*command, must=True, shows_errors=False):
        ran.append(command)
        if command[1:3] == ("-m", "venv"):
            (paths.root_of(command[3]) / "bin").mkdir(parents=True)
        return True

    paths.root_of = lambda name: tmp_path / name
    monkeypatch.setattr(install, "run", run)
    monkeypatch.setattr(install, "wait_until_active", lambda service: ran.append((service,)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, user, group: None)
    own = SimpleNamespace(pw_uid=os.getuid(), pw_gid=os.getgid())
    monkeypatch.setattr(pwd, "getpwnam", lambda name: own)
    return SimpleNamespace(paths=paths, ran=ran)


@pytest.fixture
def folder(tmp_path):
    def make(camera, version="1"):
        path = tmp_path / f"{camera}-{version}"
        path.mkdir()
        (path / "settings.toml").write_text(f'camera = "{camera}"\n')
        (path / "certificate.pem").write_text("certificate")
        (path / "private.key").write_text(f"key {version}")
        (path / f"whosthere_edge-{version}-py3-none-any.whl").write_text(version)
        (path / install.UNIT).write_text("unit " + version)
        return path

    return make


def versions(machine):
    programs = machine.paths.programs
    return [path.name.split("-")[0] for path in programs.iterdir() if not path.is_symlink()]


def test_it_installs_into_places_of_its_own_and_starts_the_service(machine, folder):
    install.install(folder("gate"), machine.paths)
    place = machine.paths.settings / "gate"
    assert {path.name for path in place.iterdir()} == {
        "settings.toml", "certificate.pem", "private.key",
    }  # fmt: skip
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert machine.paths.current.resolve().name.startswith("1-")
    commands = [" ".join(command) for command in machine.ran]
    assert any("--only-binary :all:" in command for command in commands)
    assert "usermod --append --groups video whosthere" in commands
    command = machine.paths.current / "bin" / "whosthere-edge"
    assert commands[-5:] == [
        "systemctl enable --quiet whosthere-edge@gate",
        "systemctl stop whosthere-edge@gate",
        f"runuser -u whosthere -- {command} check --settings {place / 'settings.toml'}",
        "systemctl restart --no-block whosthere-edge@gate",
        "whosthere-edge@gate",
    ]


def test_again_upgrades_every_camera_and_takes_the_old_version_away(machine, folder):
    install.install(folder("gate"), machine.paths)
    install.install(folder("garage"), machine.paths)
    machine.ran.clear()
    install.install(folder("gate", "2"), machine.paths)
    assert versions(machine) == ["2"]
    assert (machine.paths.settings / "gate" / "private.key").read_text() == "key 2"
    assert machine.paths.unit.read_text() == "unit 2"
    restarted = [command[-1] for command in machine.ran if "restart" in command]
    assert restarted == ["whosthere-edge@garage", "whosthere-edge@gate"]


def test_the_same_version_is_not_fetched_twice(machine, folder):
    install.install(folder("gate"), machine.paths)
    machine.ran.clear()
    install.install(folder("garage"), machine.paths)
    assert not [command for command in machine.ran if "pip" in command]


def test_what_looks_for_faces_comes_with_the_first_camera_that_asks_for_it(machine, folder):
    install.install(folder("gate"), machine.paths)
    assert not fetched(machine).endswith("[face]")
    asks = folder("garage")
    with (asks / "settings.toml").open("a") as settings:
        settings.write('tag = "face"\n')
    install.install(asks, machine.paths)
    assert fetched(machine).endswith("[face]")
    install.install(folder("shed"), machine.paths)
    assert machine.paths.current.resolve().name.endswith("-face"), "the next one took it away"


def test_a_mask_is_copied_with_the_settings_that_name_it(machine, folder):
    gate = folder("gate")
    (gate / "pictures").mkdir()
    (gate / "pictures" / "mask.png").write_bytes(b"black")
    with (gate / "settings.toml").open("a") as settings:
        settings.write('mask = "pictures/mask.png"\n')
    install.install(gate, machine.paths)
    copied = machine.paths.settings / "gate" / "pictures" / "mask.png"
    assert copied.read_bytes() == b"black"
    assert stat.S_IMODE(copied.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["mask.png", "../mask.png"])
def test_a_mask_that_is_not_in_the_folder_is_said_before_anything_is_done(machine, folder, name):
    gate = folder("gate")
    (gate.parent / "mask.png").write_bytes(b"black")
    with (gate / "settings.toml").open("a") as settings:
        settings.write(f'mask = "{name}"\n')
    with pytest.raises(InstallError, match=f"names {name}, which is no file"):
        install.install(gate, machine.paths)
    assert machine.ran == []


def test_a_camera_that_cannot_send_is_not_called_running(machine, folder, monkeypatch):
    ran = machine.ran

    def run(*command, must=True, shows_errors=False):
        ran.append(command)
        return "runuser" not in command

    install.install(folder("garage"), machine.paths)
    monkeypatch.setattr(install, "run", run)
    with pytest.raises(InstallError, match="sends no video: see what FAILED above"):
        install.install(folder("gate"), machine.paths)
    # It may be mended while it tries: a network camera that is off now.
    assert ran[-1] == ("systemctl", "restart", "--no-block", "whosthere-edge@gate")


def test_the_camera_that_was_stopped_to_be_checked_starts_also_after_a_ctrl_c(
    machine, folder, monkeypatch
):
    def interrupted(paths, camera):
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "check_camera", interrupted)
    with pytest.raises(KeyboardInterrupt):
        install.install(folder("gate"), machine.paths)
    assert machine.ran[-1] == ("systemctl", "restart", "--no-block", "whosthere-edge@gate")


def test_what_the_check_says_of_wrong_settings_is_shown(tmp_path, monkeypatch, capfd):
    paths = InstallPaths(tmp_path)
    # `runuser` that only passes on what the check says.
    (tmp_path / "runuser").write_text("#!/bin/sh\necho 'line 3: no option --ratee' >&2\nexit 2\n")
    (tmp_path / "runuser").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert not install.check_camera(paths, "gate")
    assert "line 3: no option --ratee" in capfd.readouterr().err


def fetched(machine):
    """Return what the last call of pip was asked to install."""
    return [command[-1] for command in machine.ran if "pip" in command][-1]


def test_a_failed_upgrade_leaves_what_runs(machine, folder, monkeypatch):
    install.install(folder("gate"), machine.paths)

    def run(*command, must=True, shows_errors=False):
        if "pip" in command:
            raise InstallError("no network")

    monkeypatch.setattr(install, "run", run)
    with pytest.raises(InstallError):
        install.install(folder("gate", "2"), machine.paths)
    assert machine.paths.current.resolve().name.startswith("1-")
    assert (machine.paths.settings / "gate" / "private.key").read_text() == "key 1"


def test_uninstall_takes_one_camera_and_with_the_last_everything(machine, folder, tmp_path):
    gate, garage = folder("gate"), folder("garage")
    for each in (gate, garage):
        install.install(each, machine.paths)
        for place in (machine.paths.state, machine.paths.status):
            (place / each.name.partition("-")[0]).mkdir(parents=True)
    install.uninstall(gate, machine.paths)
    assert [path.name for path in machine.paths.settings.iterdir()] == ["garage"]
    assert [path.name for path in machine.paths.state.iterdir()] == ["garage"]
    assert versions(machine) == ["1"]
    install.uninstall(garage, machine.paths)
    left = list((tmp_path / "root").rglob("*whosthere*"))
    assert left == []
    assert machine.ran[-1] == ("userdel", "whosthere")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda patch, paths: patch.setattr(os, "geteuid", lambda: 1000), "sudo"),
        (lambda patch, paths: patch.setattr("platform.machine", lambda: "armv7l"), "64-bit"),
        (lambda patch, paths: patch.setattr("struct.calcsize", lambda kind: 4), "64-bit"),
        (lambda patch, paths: patch.setattr(sys, "version_info", (3, 9, 2)), "Python 3.11"),
        (lambda patch, paths: paths.manager.rmdir(), "systemd does not run here"),
        (lambda patch, paths: patch.setitem(sys.modules, "ensurepip", None), "python3-venv"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_done(
    machine, folder, monkeypatch, change, words
):
    change(monkeypatch, machine.paths)
    with pytest.raises(InstallError, match=words):
        install.install(folder("gate"), machine.paths)
    assert machine.ran == []


def test_a_folder_that_pair_has_not_made_is_refused(machine, tmp_path):
    with pytest.raises(InstallError, match="no folder of `./whosthere pair`"):
        install.install(tmp_path, machine.paths)


def test_the_script_runs_by_itself_without_the_project(tmp_path):
    done = subprocess.run(
        [sys.executable, "-I", str(EDGE / "pi" / "install.py"), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert "--uninstall" in done.stdout


def test_the_unit_lets_nothing_but_what_a_camera_needs():
    lines = (EDGE / "pi" / install.UNIT).read_text().splitlines()
    assert {
        "Type=notify", "Restart=always", "User=whosthere", "SupplementaryGroups=video",
        "NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes", "DevicePolicy=closed",
        "CapabilityBoundingSet=",
    } <= set(lines)  # fmt: skip
    assert any(line.startswith("WatchdogSec=") for line in lines)
