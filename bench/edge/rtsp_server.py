"""Serve prepared films over RTSP, once and at their own pace; runs with Debian's Python.

    /usr/bin/python3 bench/edge/rtsp_server.py PORT NAME=PIPELINE ...

Needs gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-{base,good,bad,ugly} and python3-gi. A
pipeline ends in a payloader that is called pay0; its film is at rtsp://127.0.0.1:PORT/NAME.
"""

import importlib
import sys
from typing import Any

gi: Any = importlib.import_module("gi")
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
Gst, GstRtspServer, GLib = (
    importlib.import_module(f"gi.repository.{name}") for name in ("Gst", "GstRtspServer", "GLib")
)


def main() -> None:
    """Serve until the process is ended."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    for argument in sys.argv[2:]:
        name, _, pipeline = argument.partition("=")
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {pipeline} )")
        server.get_mount_points().add_factory(f"/{name}", factory)
    server.attach(None)
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
