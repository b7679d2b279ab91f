"""Headless Chromium, by the DevTools protocol over a pipe: JSON messages, each ended by NUL.

`--remote-debugging-pipe`: the browser reads file descriptor 3 and writes 4, so neither a port
nor a package is needed.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PHONE = (1280, 800), (390, 844)
OPTIONS = (
    *("--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--disable-extensions"),
)
# Puts the two ends where the browser expects them, without a fork of a process with threads.
PLACE = "import os,sys;r,w,*c=sys.argv[1:];os.dup2(int(r),3);os.dup2(int(w),4);os.execv(c[0],c)"
KEYS = {"Enter": "\r", "Escape": "", "Tab": "", "ArrowRight": "", "ArrowDown": ""}


def find_chromium() -> str | None:
    """Return the path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A running browser; `page` opens a tab of its own, with cookies of its own."""

    def __init__(self, program: str, profile: str | Path) -> None:
        (reads, self._to), (self._from, writes) = os.pipe(), os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (reads, writes)]
        os.close(reads)
        os.close(writes)
        command = [sys.executable, "-c", PLACE, *map(str, ends), program, *OPTIONS]
        command += [f"--user-data-dir={profile}"] + ["--no-sandbox"] * (os.geteuid() == 0)
        self._process = subprocess.Popen(
            command, pass_fds=ends, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for end in ends:
            os.close(end)
        self._count, self._buffer = 0, b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, *, session: str = "", **params: object) -> dict[str, Any]:
        """Call a method and return its result."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        message |= {"sessionId": session} if session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])
            self.events.append(answer)

    def _read(self, seconds: float = 60) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            ready = select.select([self._from], [], [], max(0, until - time.monotonic()))[0]
            more = os.read(self._from, 1 << 20) if ready else b""
            assert more, "the browser does not answer"
            self._buffer += more
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def page(self, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> "Page":
        """Open a tab of that size; a phone's has touch."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        found = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        return Page(self, found["sessionId"], context, size, dark)

    def close(self) -> None:
        """End the browser and all its processes."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._to)
        os.close(self._from)


class Page:
    """A tab."""

    def __init__(
        self, browser: Browser, session: str, context: str, size: tuple[int, int], dark: bool
    ) -> None:
        self._browser, self._session, self._context = browser, session, context
        self.is_phone, self._url = size == PHONE, ""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=self.is_phone,
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=self.is_phone)
        wishes = {"color-scheme": "dark" if dark else "light", "reduced-motion": "reduce"}
        features = [{"name": f"prefers-{name}", "value": wish} for name, wish in wishes.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Call a method of the protocol for this tab."""
        return self._browser.call(method, session=self._session, **params)

    def open(self, url: str) -> None:
        """Go to an address."""
        self._url = url
        self.call("Page.navigate", url=url)

    def reopen(self) -> None:
        """Go to the last address again, from another page."""
        self.call("Page.navigate", url="about:blank")
        self.open(self._url)

    def run(self, script: str) -> Any:
        """Return the value of an expression; a promise is awaited."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str, seconds: float = 30) -> Any:
        """Wait until an expression of JSON is true, and return its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run(f"document.body && ({script})"):
                return value
            time.sleep(0.02)
        raise AssertionError(f"never true: {script}; the page: {self.text()}")

    def text(self) -> str:
        """Return what the page shows as text."""
        return str(self.run("document.body?.innerText") or "")

    def see(self, text: str) -> None:
        """Wait until the page shows a text."""
        self.until(f"document.body.innerText.includes({json.dumps(text)})")

    def click(self, selector: str, text: str = "", hold_seconds: float = 0) -> None:
        """Click, or on a phone tap and hold, the first element shown that has that text."""
        found = (
            f"const one = [...document.querySelectorAll({json.dumps(selector)})].find(one =>"
            f" one.innerText.includes({json.dumps(text)}) && one.getClientRects().length);"
            " if (!one) return null; one.scrollIntoView({block: 'center'});"
            " const box = one.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]"
        )
        x, y = self.until(f"(() => {{ {found} }})()")
        if self.is_phone:
            self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
            time.sleep(hold_seconds)
            self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
            return
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            text = {"text": KEYS.get(key, key)} if KEYS.get(key, key) else {}
            code = {"Enter": 13, "Escape": 27, "Tab": 9}.get(key, 0)
            key_code = {"windowsVirtualKeyCode": code} if code else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **key_code)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **key_code)

    def write(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.call("Input.insertText", text=text)

    def screenshot(self) -> bytes:
        """Return what is seen as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def complaints(self) -> list[Any]:
        """Return what the console has of errors: broken scripts, and what the policy blocked."""
        self.run("0")
        found = [one for one in self._browser.events if one.get("sessionId") == self._session]
        logged = [one["params"]["entry"] for one in found if one["method"] == "Log.entryAdded"]
        thrown = [one["params"] for one in found if one["method"] == "Runtime.exceptionThrown"]
        # What the network is said to have failed at is an answer with a status of ours.
        errors = [one for one in logged if one["level"] == "error" and one["source"] != "network"]
        return [one["text"] for one in errors] + thrown

    def asked_for(self) -> list[str]:
        """Return the addresses of all requests so far."""
        self.run("0")
        return [
            one["params"]["request"]["url"]
            for one in self._browser.events
            if one.get("sessionId") == self._session
            and one["method"] == "Network.requestWillBeSent"
        ]

    def close(self) -> None:
        """Close the tab and forget its cookies."""
        self._browser.call("Target.disposeBrowserContext", browserContextId=self._context)
