"""Take the screenshots of docs/review-page.md again.

PYTHONPATH=.:functions .whosthere/project/bin/python -m tests.support.page.screenshots
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.support.page.browser import DESKTOP, PHONE, Browser, find_chromium
from tests.support.page.seeded import SeededSource, serving

DOCS = Path(__file__).parents[3] / "docs"
LOADED = "[...document.images].every(image => image.complete && image.naturalWidth)"


def main() -> None:
    """Show naming on a phone, and a day at a desk."""
    program = find_chromium()
    if program is None:
        sys.exit("no Chromium here: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            take(browser, DESKTOP, "review-page.jpg", 960)
            take(browser, PHONE, "review-page-phone.jpg", 300)
        finally:
            browser.close()


def take(browser: Browser, size: tuple[int, int], name: str, width: int) -> None:
    """Take one screenshot and write it at that width."""
    with serving(SeededSource()) as server:
        page = browser.page(size)
        page.open(server.link)
        page.see("3 wait")
        if size == PHONE:
            page.click(".card button", "Name…")
            page.see("probably 89 %")
        else:
            page.click("nav a", "Today")
            page.click("summary", "stranger")
            page.until("Boolean(document.querySelector('.inside img'))")
        page.until(LOADED)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        picture.thumbnail((width, 4 * width))
        picture.save(DOCS / name, quality=80, optimize=True)
        page.close()


if __name__ == "__main__":
    main()
