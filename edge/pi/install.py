#!/usr/bin/env python3
"""Installs a paired camera on this machine, or upgrades it: `sudo ./front-door/install`.

`./whosthere pair` puts this file, as `install`, beside the camera's wheel and identity. Each
version gets a virtual environment of its own; a failed upgrade leaves the one that runs.
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
# What of the folder belongs to the camera; the authority is there for another AWS than AWS's.
OWN_FILES = ("settings.toml", "certificate.pem", "private.key", "authority.pem")
STARTS_WITHIN_S = 60.0


class InstallError(Exception):
    """It cannot be installed here; the text says what to do."""


class Places:
    """Where everything goes, below a root that is / but for tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.programs = root / "opt" / "whosthere-edge"
        self.current = self.programs / "current"
        self.settings = root / "etc" / "whosthere-edge"
        self.state = root / "var" / "lib" / "whosthere-edge"
        self.status = root / "run" / "whosthere-edge"
        self.unit = root / "etc" / "systemd" / "system" / UNIT
        self.command = root / "usr" / "local" / "bin" / "whosthere-edge"
        self.manager = root / "run" / "systemd" / "system"


def check(places: Places) -> None:
    """Raise InstallError with what this machine lacks."""
    if os.geteuid() != 0:
        raise InstallError("it needs root: sudo " + " ".join(sys.argv))
    if struct.calcsize("P") != 8 or platform.machine() not in MACHINES:
        raise InstallError(
            f"this system is not 64-bit ({platform.machine()}): install the 64-bit Raspberry Pi OS"
        )
    if sys.version_info < OLDEST:
        raise InstallError("Python 3.11 or later is needed: Raspberry Pi OS bookworm has it")
    if not places.manager.is_dir():
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


def camera_of(folder: Path) -> str:
    """The camera this folder is for."""
    return str(settings_of(folder)["camera"])


def settings_of(folder: Path) -> dict[str, object]:
    """The camera's settings, which name it."""
    import tomllib

    try:
        settings = tomllib.loads((folder / "settings.toml").read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InstallError(f"{folder} is no folder of `./whosthere pair`: {error}") from error
    if "camera" not in settings:
        raise InstallError(f"{folder} is no folder of `./whosthere pair`: no camera is named")
    return settings


def install(folder: Path, places: Places) -> None:
    """Install the folder's camera, or bring it up to date."""
    check(places)
    camera = camera_of(folder)
    add_user()
    version = add_version(folder, places)
    add_files(folder, places.settings / camera)
    shutil.copyfile(folder / UNIT, places.unit)
    point(places.current, version)
    point(places.command, places.current / "bin" / "whosthere-edge")
    run("systemctl", "daemon-reload")
    service = f"whosthere-edge@{camera}"
    run("systemctl", "enable", "--quiet", service)
    # Every camera of this machine: the old version is about to go.
    for each in sorted(path.name for path in places.settings.iterdir()):
        run("systemctl", "restart", "--no-block", f"whosthere-edge@{each}")
    remove_other_versions(places, version)
    wait_until_active(service)
    say(f"{camera} is installed and running. How it is doing:")
    say(f"  sudo whosthere-edge status; journalctl --unit {service} --follow")


def add_user() -> None:
    """The service's own user, who may use cameras."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        run(
            "useradd", "--system", "--user-group", "--no-create-home",
            "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", USER,
        )  # fmt: skip
    run("usermod", "--append", "--groups", GROUP, USER)


def add_version(folder: Path, places: Places) -> Path:
    """A virtual environment for this wheel; the one that is there, if it is."""
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise InstallError(f"{folder} must hold one wheel, it holds {len(wheels)}")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    # What looks for faces is large, and installed only where a camera of this machine asks for it.
    extra = "[face]" if looks_for_faces(folder, places) else ""
    name = f"{wheels[0].name.split('-')[1]}-{digest[:12]}" + ("-face" if extra else "")
    version = places.programs / name
    whole = version / "whole"
    if not whole.exists():
        say("fetching what it needs, which takes a minute or two")
        shutil.rmtree(version, ignore_errors=True)
        run(sys.executable, "-m", "venv", str(version))
        python = str(version / "bin" / "python")
        # Nothing is compiled here: what has no wheel for this machine is an error.
        pip = ("-m", "pip", "install", "--quiet", "--no-cache-dir", "--only-binary", ":all:")
        run(python, *pip, "--disable-pip-version-check", f"{wheels[0]}{extra}")
        whole.touch()
    return version


def looks_for_faces(folder: Path, places: Places) -> bool:
    """Whether this camera, or another one that is installed, marks fragments by faces."""
    others = places.settings.iterdir() if places.settings.is_dir() else ()
    return any(settings_of(each).get("tag") == "face" for each in (folder, *others))


def add_files(folder: Path, place: Path) -> None:
    """The camera's settings and identity, for the service's user alone."""
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    place.mkdir(mode=0o700, exist_ok=True)
    user = pwd.getpwnam(USER)
    for name in OWN_FILES:
        if (folder / name).exists():
            part = place / f"{name}.part"
            part.unlink(missing_ok=True)
            part.touch(mode=0o600)
            part.write_bytes((folder / name).read_bytes())
            os.chown(part, user.pw_uid, user.pw_gid)
            part.replace(place / name)
    os.chown(place, user.pw_uid, user.pw_gid)


def point(link: Path, target: Path) -> None:
    """Make a symbolic link lead there, at once."""
    part = link.with_name(f".{link.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(link)


def remove_other_versions(places: Places, version: Path) -> None:
    """Every virtual environment but this one."""
    for path in places.programs.iterdir():
        if path.is_dir() and not path.is_symlink() and path != version:
            shutil.rmtree(path)


def wait_until_active(service: str) -> None:
    """Wait until the service says that it runs; show the end of its log if it does not."""
    until = time.monotonic() + STARTS_WITHIN_S
    while True:
        asked = subprocess.run(["systemctl", "is-active", service], capture_output=True, text=True)
        if asked.stdout.strip() == "active":
            return
        if time.monotonic() > until:
            subprocess.run(["journalctl", "--no-pager", "--lines", "15", "--unit", service])
            raise InstallError(f"it is installed, but {service} does not start; its log is above")
        time.sleep(1)


def uninstall(folder: Path, places: Places) -> None:
    """Take the folder's camera away; with the last camera, everything."""
    if os.geteuid() != 0:
        raise InstallError("it needs root: sudo " + " ".join(sys.argv))
    camera = camera_of(folder)
    service = f"whosthere-edge@{camera}"
    run("systemctl", "disable", "--now", "--quiet", service, must=False)
    run("systemctl", "reset-failed", service, must=False)
    for place in (places.settings, places.state, places.status):
        shutil.rmtree(place / camera, ignore_errors=True)
    if places.settings.is_dir() and any(places.settings.iterdir()):
        say(f"{camera} is gone; other cameras stay")
        return
    for place in (places.settings, places.state, places.status, places.programs):
        shutil.rmtree(place, ignore_errors=True)
    for path in (places.unit, places.command):
        path.unlink(missing_ok=True)
    run("systemctl", "daemon-reload", must=False)
    run("userdel", USER, must=False)
    say(f"{camera} is gone, and with it all that was installed. Its certificate is good until")
    say(f"you say on your own computer: ./whosthere unpair {camera}")


def run(*command: str, must: bool = True) -> None:
    """Run a program; InstallError if it fails and must not."""
    try:
        done = subprocess.run(command, stderr=None if must else subprocess.DEVNULL)
    except OSError as error:
        raise InstallError(f"{command[0]}: {error.strerror}") from error
    if must and done.returncode:
        raise InstallError(f"`{' '.join(command[:4])}` failed, see above; nothing runs otherwise")


def say(text: str) -> None:
    """One line for whoever installs."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Install or uninstall; the exit code."""
    parser = argparse.ArgumentParser(description="Install this folder's camera, or upgrade it.")
    parser.add_argument("--uninstall", action="store_true", help="leave nothing of it")
    options = parser.parse_args()
    folder = Path(__file__).resolve().parent
    try:
        (uninstall if options.uninstall else install)(folder, Places())
    except InstallError as error:
        sys.stderr.write(f"install: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
