"""Write the folder that goes to a camera's machine: installer, settings and identity."""

import contextlib
import hashlib
import json
import shutil
import ssl
import tomllib
from pathlib import Path
from typing import Any

import hatchling.build

from cli.aws.cameras.iot import NewCertificate
from cli.errors import InputError
from cli.setup.toolchain import ROOT

SETTINGS, CERTIFICATE, KEY, AUTHORITY = (
    "settings.toml",
    "certificate.pem",
    "private.key",
    "authority.pem",
)
EDGE = ROOT / "edge"
PI = EDGE / "pi"
UNIT = "whosthere-edge@.service"
HEAD = """\
# The camera {camera}. Any option of `whosthere-edge run --help` may be set here, by its long
# name without the leading hyphens. Run `sudo ./install` again to apply a change.

"""


class CameraFolder:
    """The folder of one camera, new or written earlier."""

    def __init__(self, path: Path, camera: str) -> None:
        """Read the settings that the folder holds, if it exists."""
        self.path = path
        self._camera = camera
        self.settings = self._read()

    def _read(self) -> dict[str, Any]:
        """Return the settings in the folder; InputError if it is not this camera's folder."""
        path = self.path / SETTINGS
        if not path.exists():
            if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                raise InputError(f"{self.path} is there already and no camera's: give --to FOLDER")
            return {}
        try:
            settings = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path} is no TOML: {error}") from error
        if settings.get("camera") != self._camera:
            raise InputError(f"{self.path} is for the camera {settings.get('camera')}")
        return settings

    @property
    def certificate_id(self) -> str | None:
        """Return the certificate's id; None unless its private key is in the folder too."""
        path = self.path / CERTIFICATE
        if not path.exists() or not (self.path / KEY).exists():
            return None
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text())).hexdigest()

    def write(
        self,
        settings: dict[str, Any],
        identity: dict[str, str],
        certificate: NewCertificate | None,
        authority: bytes | None,
    ) -> None:
        """Bring the folder up to date; settings that the owner has added stay."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._put(".gitignore", b"# A private key lies here.\n*\n")
        if certificate is not None:
            self._put(KEY, certificate.key_pem.encode(), mode=0o600)
            self._put(CERTIFICATE, certificate.pem.encode())
        if authority is not None:
            self._put(AUTHORITY, authority)
            settings = {**settings, "ca": AUTHORITY}
        own = {name: value for name, value in self.settings.items() if name != "identity"}
        named = {**identity, "certificate": CERTIFICATE, "key": KEY}
        text = HEAD.format(camera=self._camera) + _toml({**own, **settings}, named)
        self._put(SETTINGS, text.encode(), mode=0o600)
        for old in self.path.glob("*.whl"):
            old.unlink()
        build_wheel(self.path)
        self._put("install", (PI / "install.py").read_bytes(), mode=0o755)
        self._put("uninstall", (PI / "uninstall").read_bytes(), mode=0o755)
        shutil.copyfile(PI / UNIT, self.path / UNIT)

    def _put(self, name: str, content: bytes, mode: int = 0o644) -> None:
        part = self.path / f".{name}.part"
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        part.write_bytes(content)
        part.chmod(mode)
        part.replace(self.path / name)


def build_wheel(folder: Path) -> Path:
    """Write the edge's wheel into the folder and return its path; needs no network."""
    place = folder.resolve()
    with contextlib.chdir(EDGE):  # a backend builds the folder that it is called in (PEP 517)
        return place / hatchling.build.build_wheel(str(place))


def _toml(settings: dict[str, Any], identity: dict[str, str]) -> str:
    """Return the settings as TOML: a JSON string, number or boolean is valid TOML too."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    lines += ["", "[identity]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in identity.items()]
    return "\n".join(lines) + "\n"
