"""Measure how soon the owner's page shows 200 strangers in Chromium.

From the navigation to the first paint and to the paint of the cards; the bytes of the page's
three files.
"""

import sys
import tempfile
from collections.abc import Mapping

from bench.measure import measure
from cli.review.server import FOLDER, TYPES
from tests.support.page.browser import Browser, find_chromium
from tests.support.page.seeded import SeededSource, serving

STRANGERS = 200
LIMITS = {"first paint": 1.0, "cards": 1.0, "kilobytes": 60.0}
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
SHOWN = (
    f"document.querySelectorAll('.card').length === {STRANGERS}"
    " && new Promise(done => requestAnimationFrame(() =>"
    " setTimeout(() => done(performance.now()))))"
)


def once() -> Mapping[str, float]:
    """Open the page once, in a new browser."""
    program = find_chromium()
    if program is None:
        sys.exit("no Chromium here: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            with serving(SeededSource(STRANGERS)) as server:
                page = browser.page()
                page.open(server.link)
                cards_ms = page.until(SHOWN)
                painted_ms = page.until(PAINTED)
                page.close()
        finally:
            browser.close()
    size = sum((FOLDER / name).stat().st_size for name in TYPES)
    return {
        "first paint": painted_ms / 1000,
        "cards": cards_ms / 1000,
        "kilobytes": size / 1000,
    }


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS) else 1)
