"""The command `python -m edge` with its connections redirected to a proxy.

Run as `python -m tests.support.edge.via_proxy DETOURS OPTIONS...`. DETOURS is JSON: a list of pairs
of addresses, each a host and a port.
"""

import json
import sys

from edge.__main__ import main
from tests.support.edge.proxy import detoured

if __name__ == "__main__":
    detours = {tuple(far): tuple(near) for far, near in json.loads(sys.argv[1])}
    with detoured(detours, lambda: True):
        sys.exit(main(sys.argv[2:]))
