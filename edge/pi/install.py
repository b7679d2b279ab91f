#!/usr/bin/env python3
"""Installs a paired camera on this machine, or upgrades it: `sudo ./front-door/install`.

`./whosthere pair` copies this file, as `install`, beside the camera's wheel and identity. Each
version gets its own virtual environment; if an upgrade fails, the old version keeps running.
"""

import argparse
import hashlib
import os
import platform
import pwd
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

USER, GROUP = "whosthere", "video"
UNIT = "whosthere-edge@.service"
OLDEST = (3, 11)
MACHINES = ("aarch64", "x86_64")
# The camera's own files; the authority is only there for an endpoint that is not AWS's.
OWN_FILES = ("settings.toml", "certificate.pem", "private.key", "authority.pem")
# Settings that may name more files of the folder.
FILE_SETTINGS = ("mask", "ca")
START_TIMEOUT_S = 60.0


class InstallError(Exception):
    """The camera cannot be installed; the text says what to do."""


class InstallPaths:
    """All paths that the installer writes to, below `root`: / except in tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Derive the paths from the root."""
        self.programs = root / "opt" / "whosthere-edge"
        self.current = self.programs / "current"
        self.settings = root / "etc" / "whosthere-edge"
        self.state = root / "var" / "lib" / "whosthere-edge"
        self.status = root / "run" / "whosthere-edge"
        self.unit = root / "etc" / "systemd" / "system" / UNIT
        self.command = root / "usr" / "local" / "bin" / "whosthere-edge"
        self.manager = root / "run" / "systemd" / "system"


def check(paths: InstallPaths) -> None:
    """Raise InstallError with the first requirement that this machine does not meet."""
    if os.geteuid() != 0:
        raise InstallError("it needs root: sudo " + " ".join(sys.argv))
    if struct.calcsize("P") != 8 or platform.machine() not in MACHINES:
        raise InstallError(
            f"this system is not 64-bit ({platform.machine()}): install the 64-bit Raspberry Pi OS"
        )
    if sys.version_info < OLDEST:
        raise InstallError("Python 3.11 or later is needed: Raspberry Pi OS bookworm has it")
    if not paths.manager.is_dir():
        raise InstallError(
            "systemd does not run here. Without it: `python3 -m venv env`, `env/bin/pip install "
            "WHEEL`, `env/bin/whosthere-edge run --settings settings.toml`"
        )
    try:
        import ensurepip  # noqa: F401 - Debian leaves it out of python3
    except ImportError:
        raise InstallError(
            "virtual environments cannot be made here: sudo apt install python3-venv"
        ) from None


def camera_name_in(folder: Path) -> str:
    """Return the name of the camera that a folder was made for."""
    return str(read_settings(folder)["camera"])


def read_settings(folder: Path) -> dict[str, object]:
    """Return the settings of a camera's folder, which name the camera."""
    import tomllib

    try:
        settings = tomllib.loads((folder / "settings.toml").read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InstallError(f"{folder} is no folder of `./whosthere pair`: {error}") from error
    if "camera" not in settings:
        raise InstallError(f"{folder} is no folder of `./whosthere pair`: no camera is named")
    return settings


def install(folder: Path, paths: InstallPaths) -> None:
    """Install or upgrade the folder's camera."""
    check(paths)
    camera = camera_name_in(folder)
    names = named_files(folder)
    add_user()
    version = install_version(folder, paths)
    copy_camera_files(folder, paths.settings / camera, names)
    shutil.copyfile(folder / UNIT, paths.unit)
    replace_link(paths.current, version)
    replace_link(paths.command, paths.current / "bin" / "whosthere-edge")
    run("systemctl", "daemon-reload")
    service = f"whosthere-edge@{camera}"
    run("systemctl", "enable", "--quiet", service)
    # Only one program at a time can use most cameras.
    run("systemctl", "stop", service, must=False)
    try:
        works = check_camera(paths, camera)
    finally:  # also after a Ctrl-C: the camera was stopped only to be checked
        # Restart all cameras of this machine, because the old version is deleted next.
        for each in sorted(path.name for path in paths.settings.iterdir()):
            run("systemctl", "restart", "--no-block", f"whosthere-edge@{each}")
    remove_other_versions(paths, version)
    if not works:
        raise InstallError(
            f"{camera} is installed and tries again and again, but sends no video: see what "
            "FAILED above"
        )
    wait_until_active(service)
    say(f"{camera} is installed and running. See its status with:")
    say(f"  sudo whosthere-edge status; journalctl --unit {service} --follow")


def named_files(folder: Path) -> list[str]:
    """Return the files of the folder that its settings name by a relative path."""
    settings = read_settings(folder)
    names = [str(settings[key]) for key in FILE_SETTINGS if key in settings]
    names = [name for name in names if not Path(name).is_absolute()]
    for name in names:
        if ".." in Path(name).parts or not (folder / name).is_file():
            raise InstallError(f"settings.toml names {name}, which is no file in {folder}")
    return names


def check_camera(paths: InstallPaths, camera: str) -> bool:
    """Try source, keys and stream as the service's user; print the result."""
    command = str(paths.current / "bin" / "whosthere-edge")
    settings = str(paths.settings / camera / "settings.toml")
    checked = ("runuser", "-u", USER, "--", command, "check", "--settings", settings)
    return run(*checked, must=False, shows_errors=True)


def add_user() -> None:
    """Create the service's user, who may read video devices."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        run(
            "useradd", "--system", "--user-group", "--no-create-home",
            "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", USER,
        )  # fmt: skip
    run("usermod", "--append", "--groups", GROUP, USER)


def install_version(folder: Path, paths: InstallPaths) -> Path:
    """Create a virtual environment with the folder's wheel, unless it exists; return its path."""
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise InstallError(f"{folder} must hold one wheel, it holds {len(wheels)}")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    # OpenCV is large, so it is installed only if a camera of this machine needs it.
    extra = "[face]" if needs_face_extra(folder, paths) else ""
    name = f"{wheels[0].name.split('-')[1]}-{digest[:12]}" + ("-face" if extra else "")
    version = paths.programs / name
    whole = version / "whole"
    if not whole.exists():
        say("downloading the dependencies, which takes a minute or two")
        shutil.rmtree(version, ignore_errors=True)
        run(sys.executable, "-m", "venv", str(version))
        python = str(version / "bin" / "python")
        # Nothing is compiled: a dependency without a wheel for this machine is an error.
        pip = ("-m", "pip", "install", "--quiet", "--no-cache-dir", "--only-binary", ":all:")
        run(python, *pip, "--disable-pip-version-check", f"{wheels[0]}{extra}")
        whole.touch()
    return version


def needs_face_extra(folder: Path, paths: InstallPaths) -> bool:
    """Return whether this or another installed camera tags fragments by faces."""
    others = paths.settings.iterdir() if paths.settings.is_dir() else ()
    return any(read_settings(each).get("tag") == "face" for each in (folder, *others))


def copy_camera_files(folder: Path, place: Path, names: list[str]) -> None:
    """Copy the settings and the identity; only the service's user may read them."""
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    place.mkdir(mode=0o700, exist_ok=True)
    user = pwd.getpwnam(USER)
    for name in (*OWN_FILES, *names):
        if (folder / name).exists():
            (place / name).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            part = place / f"{name}.part"
            part.unlink(missing_ok=True)
            part.touch(mode=0o600)
            part.write_bytes((folder / name).read_bytes())
            os.chown(part, user.pw_uid, user.pw_gid)
            part.replace(place / name)
    os.chown(place, user.pw_uid, user.pw_gid)


def replace_link(link: Path, target: Path) -> None:
    """Make a symbolic link point to the target, in one step."""
    part = link.with_name(f".{link.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(link)


def remove_other_versions(paths: InstallPaths, version: Path) -> None:
    """Delete all virtual environments but this one."""
    for path in paths.programs.iterdir():
        if path.is_dir() and not path.is_symlink() and path != version:
            shutil.rmtree(path)


def wait_until_active(service: str) -> None:
    """Wait until the service is active; show the end of its log if it does not start."""
    until = time.monotonic() + START_TIMEOUT_S
    while True:
        asked = subprocess.run(["systemctl", "is-active", service], capture_output=True, text=True)
        if asked.stdout.strip() == "active":
            return
        if time.monotonic() > until:
            subprocess.run(["journalctl", "--no-pager", "--lines", "15", "--unit", service])
            raise InstallError(f"it is installed, but {service} does not start; its log is above")
        time.sleep(1)


def uninstall(folder: Path, paths: InstallPaths) -> None:
    """Remove the folder's camera; with the last camera, remove everything."""
    if os.geteuid() != 0:
        raise InstallError("it needs root: sudo " + " ".join(sys.argv))
    camera = camera_name_in(folder)
    service = f"whosthere-edge@{camera}"
    run("systemctl", "disable", "--now", "--quiet", service, must=False)
    run("systemctl", "reset-failed", service, must=False)
    for place in (paths.settings, paths.state, paths.status):
        shutil.rmtree(place / camera, ignore_errors=True)
    if paths.settings.is_dir() and any(paths.settings.iterdir()):
        say(f"{camera} is removed; other cameras stay")
        return
    for place in (paths.settings, paths.state, paths.status, paths.programs):
        shutil.rmtree(place, ignore_errors=True)
    for path in (paths.unit, paths.command):
        path.unlink(missing_ok=True)
    run("systemctl", "daemon-reload", must=False)
    run("userdel", USER, must=False)
    say(f"{camera} is removed, and all that was installed with it. Its certificate stays valid")
    say(f"until you run on your own computer: ./whosthere unpair {camera}")


def run(*command: str, must: bool = True, shows_errors: bool = False) -> bool:
    """Run a program and return whether it succeeds; raise InstallError if it `must` and fails."""
    stderr = None if must or shows_errors else subprocess.DEVNULL
    try:
        done = subprocess.run(command, stderr=stderr)
    except OSError as error:
        raise InstallError(f"{command[0]}: {error.strerror}") from error
    if must and done.returncode:
        raise InstallError(f"`{' '.join(command[:4])}` failed, see its output above")
    return done.returncode == 0


def say(text: str) -> None:
    """Print one line for the person who installs."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Install or uninstall the camera; return the exit code."""
    parser = argparse.ArgumentParser(description="Install this folder's camera, or upgrade it.")
    parser.add_argument("--uninstall", action="store_true", help="remove the camera instead")
    options = parser.parse_args()
    folder = Path(__file__).resolve().parent
    try:
        (uninstall if options.uninstall else install)(folder, InstallPaths())
    except InstallError as error:
        sys.stderr.write(f"install: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
