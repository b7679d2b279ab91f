"""A fake rpicam-vid on PATH: it replays recorded frames, and dies or stalls as planned."""

import json
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAM = """#!{python} -S
import json, os, sys, time
folder = {folder!r}
plan = json.load(open(folder + "/plan.json"))
if "--list-cameras" in sys.argv:
    print(plan["cameras"])
    sys.exit(0)
if "--help" in sys.argv:
    print(plan["help"])
    sys.exit(0)
open(folder + "/arguments", "a").write(json.dumps(sys.argv[1:]) + "\\n")
open(folder + "/pid", "w").write(str(os.getpid()))
print("[0:01:02.345] [77]  INFO Camera camera_manager.cpp:284 libcamera", file=sys.stderr)
recording = open(folder + "/recording", "rb").read()
begun, at, number = time.monotonic(), 0, 0
while number < plan["frames"]:
    if plan["loops"] and at == len(plan["lengths"]):
        at = 0
    start = sum(plan["lengths"][:at])
    frame = recording[start:start + plan["lengths"][at]]
    # A piece at a time, if the plan says so: as a pipe does that is flushed by size.
    size = plan["piece"] or len(frame)
    for place in range(0, len(frame), size):
        os.write(1, frame[place:place + size])
        if plan["piece"]:
            time.sleep(0.05)
    at, number = at + 1, number + 1
    time.sleep(max(0, begun + number / plan["rate"] - time.monotonic()))
if plan["stalls"]:
    time.sleep(600)
sys.stderr.write(plan["complaint"])
sys.exit(plan["code"])
"""
CAMERAS = """Available cameras
-----------------
0 : imx708 [4608x2592 10-bit RGGB] (/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
"""
NO_CAMERAS = "No cameras available!\n"
OLD_HELP = "Valid options are:\n  -t [ --timeout ] arg\n  --inline [=arg(=1)] (=0)\n"
NEW_HELP = OLD_HELP + "  --low-latency [=arg(=1)] (=0)\n  --libav-format arg\n"


@dataclass
class Rpicam:
    """Controls the fake; `plan` sets what it does."""

    folder: Path

    def plan(self, packets=(), **more):
        data = [bytes(packet) for packet in packets]
        self.folder.mkdir(exist_ok=True)
        (self.folder / "recording").write_bytes(b"".join(data))
        plan = {
            **{"cameras": CAMERAS, "help": NEW_HELP, "rate": 20, "frames": len(data)},
            **{"loops": False, "stalls": False, "piece": 0, "code": 0, "complaint": ""},
            **more,
            "lengths": [len(frame) for frame in data],
        }
        (self.folder / "plan.json").write_text(json.dumps(plan))

    def install(self, name="rpicam-vid"):
        bin_folder = self.folder / "bin"
        bin_folder.mkdir(parents=True, exist_ok=True)
        program = bin_folder / name
        program.write_text(PROGRAM.format(python=sys.executable, folder=str(self.folder)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return str(bin_folder)

    @property
    def starts(self):
        """Return the options of each start."""
        lines = (self.folder / "arguments").read_text().splitlines()
        return [json.loads(line) for line in lines]

    @property
    def is_running(self):
        pid = int((self.folder / "pid").read_text())
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
