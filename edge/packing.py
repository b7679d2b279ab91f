"""The PEP 517 backend that builds the edge's wheel without any build tool."""

import base64
import hashlib
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

EDGE = Path(__file__).resolve().parent
PACKAGE = "whosthere_edge"
# A fixed date, the earliest a zip can hold, so that the same source makes the same file.
DAY = (1980, 1, 1, 0, 0, 0)
WHEEL = "Wheel-Version: 1.0\nGenerator: whosthere\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_wheel(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Write the wheel into a directory and return its file name."""
    project = tomllib.loads((EDGE / "pyproject.toml").read_text())["project"]
    release = f"{PACKAGE}-{project['version']}"
    name = f"{release}-py3-none-any.whl"
    contents = dict(_modules())
    information = f"{release}.dist-info"
    contents[f"{information}/METADATA"] = _metadata(project).encode()
    contents[f"{information}/WHEEL"] = WHEEL.encode()
    contents[f"{information}/entry_points.txt"] = _entry_points(project).encode()
    record = f"{information}/RECORD"
    lines = [f"{path},{_digest(data)},{len(data)}\n" for path, data in contents.items()]
    contents[record] = "".join([*lines, f"{record},,\n"]).encode()
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in contents.items():
            entry = zipfile.ZipInfo(path, DAY)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)
    return name


def build_sdist(sdist_directory: str, config_settings: Mapping[str, Any] | None = None) -> str:
    """Refuse: the edge has no source distribution."""
    raise NotImplementedError("the edge has no source distribution; install the folder itself")


def _modules() -> Iterator[tuple[str, bytes]]:
    for path in sorted(EDGE.rglob("*.py")):
        place = path.relative_to(EDGE)
        if place != Path("packing.py") and place.parts[0] != "pi":
            yield f"{PACKAGE}/{place.as_posix()}", path.read_bytes()


def _metadata(project: Mapping[str, Any]) -> str:
    lines = (EDGE / "requirements.txt").read_text().splitlines()
    needed = [line for line in lines if line and not line.startswith("#")]
    return "\n".join(
        [
            "Metadata-Version: 2.3",
            f"Name: {project['name']}",
            f"Version: {project['version']}",
            f"Summary: {project['description']}",
            f"License: {project['license']}",
            f"Requires-Python: {project['requires-python']}",
            *(f"Requires-Dist: {requirement}" for requirement in needed),
            *_extras(project),
            "",
        ]
    )


def _extras(project: Mapping[str, Any]) -> Iterator[str]:
    for extra, requirements in project["optional-dependencies"].items():
        yield f"Provides-Extra: {extra}"
        for requirement in requirements:
            yield f'Requires-Dist: {requirement}; extra == "{extra}"'


def _entry_points(project: Mapping[str, Any]) -> str:
    scripts = (f"{name} = {where}\n" for name, where in project["scripts"].items())
    return "[console_scripts]\n" + "".join(scripts)


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
