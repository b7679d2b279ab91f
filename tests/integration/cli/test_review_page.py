"""The owner's page in a real browser: at a desk and on a phone, by mouse, thumb and keys.

Needs a Chromium (Debian: `apt-get install chromium`); without one this is skipped.
"""

import json

import pytest

from cli.errors import VerbError
from tests.support.npm import npm_package
from tests.support.page.browser import DESKTOP, PHONE, Browser, find_chromium
from tests.support.page.seeded import HOUR, SeededSource, serving, stranger
from whosthere.clock import now_ms

AXE = "4.14.1"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PLACES = ("today", "review", "people", "cameras")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium here: the owner's page is not looked at")
    running = Browser(program, tmp_path_factory.mktemp("chromium"))
    yield running
    running.close()


@pytest.fixture
def source():
    return SeededSource()


@pytest.fixture
def opened(browser, source):
    """Open the page of the source; at the end no script failed, nothing was blocked or fetched."""
    pages = []
    with serving(source) as server:

        def open_page(size=DESKTOP, *, dark=False):
            page = browser.page(size, dark=dark)
            pages.append(page)
            page.open(server.link)
            page.until("Boolean(document.querySelector('h1, .empty'))")
            return page

        yield open_page
        own = server.link.partition("#")[0]
        for page in pages:
            # Chromium draws its own controls from data.
            asked = [url for url in page.asked_for() if not url.startswith("data:")]
            assert [url for url in asked if not url.startswith(own)] == []
            assert page.complaints() == []
            page.close()


def shown(page):
    """The strangers on the page, as it orders them."""
    return page.run("[...document.querySelectorAll('.card')].map(card => card.dataset.id)")


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_stranger_is_named_in_two_clicks_and_one_word_and_it_is_undone(opened, source, size):
    page = opened(size)
    page.see("3 wait")
    assert page.run("location.href").endswith("/#review")  # the token is gone
    page.click(".card button", "Name…")
    page.until("document.activeElement.matches('.naming input')")
    page.write("Kim")
    page.see("Somebody new.")
    page.press("Enter")
    page.see("Kim is enrolled with 2 of 3 pictures")
    page.see("2 wait")
    assert source.acts[0][1]["strangers"] == ["s-00000000"]
    page.click(".card button", "Name…")
    page.until("document.querySelector('.known').innerText.includes('Kim')")
    page.press("Escape")
    page.click("#undo")
    page.see("3 wait")
    assert "s-00000000" in shown(page)


def test_a_known_person_is_a_picture_to_click(opened, source):
    page = opened()
    page.click(".card button", "Name…")
    page.see("probably 89 %")
    page.until("document.querySelector('.known button').innerText.startsWith('Ravi')")
    page.click(".known button", "Ravi")
    page.see("Ravi is enrolled")
    assert source.acts == [("name", {"act": "name", "strangers": ["s-00000000"], "name": "Ravi"})]


def test_all_of_it_works_by_keys(opened, source):
    page = opened()
    page.see("3 wait")
    page.press("j", "i")
    page.see("Ignored: no more alerts")
    page.press("x", "j", "x", "m")  # the next stranger has the focus
    page.see("They are one stranger now.")
    assert [(act, content["strangers"]) for act, content in source.acts] == [
        ("ignore", ["s-00000000"]),
        ("merge", ["s-00000001", "s-00000002"]),
    ]
    page.see("1 wait")
    page.press("u")
    page.see("2 wait")
    page.press("u")
    page.see("3 wait")
    page.press("1")
    page.until("location.hash === '#today'")
    page.press("?")
    page.until("document.querySelector('#keys').open")
    page.press("Escape")
    page.until("!document.querySelector('#keys').open")


def test_keys_can_be_switched_off(opened, source):
    page = opened()
    page.see("3 wait")
    page.press("?")
    page.click("#keys-on")
    page.click("#keys button", "Close")
    page.press("j", "d", "1")
    assert page.run("location.hash") == "#review" and source.acts == []


def test_a_thumb_that_stays_selects_and_opens_nothing(opened, source):
    page = opened(PHONE)
    page.see("3 wait")
    page.click("[data-id=s-00000000] .picture", hold_seconds=0.6)
    page.see("1 selected")
    page.run("new Promise(done => setTimeout(done, 300))")
    assert not page.run("document.querySelector('#enlarged').open")
    page.click("[data-id=s-00000001] .picture")
    page.until("document.querySelector('#enlarged').open")
    assert "1 selected" in page.text()


def test_a_picture_that_shows_somebody_else_becomes_another_stranger(opened, source):
    page = opened()
    page.click("[data-id=s-00000000] .picture")
    page.click("#enlarged figure:last-of-type button", "Somebody else")
    page.see("another stranger's now")
    page.until("document.querySelector('[data-id=s-other]')?.isConnected")
    assert source.acts[0][1] | {"act": ""} == {
        "act": "",
        "strangers": ["s-00000000"],
        "pictures": ["s-1b"],
    }


@pytest.mark.parametrize("days", [0, 30], ids=["today", "a month ago"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_what_is_awaited_has_its_place_and_nothing_jumps(browser, source, size, days):
    for one in source.found.values():
        one["last"] = one["first"] = now_ms() - days * 24 * HOUR
    source.answers.clear()
    with serving(source) as server:
        page = browser.page(size)
        page.open(server.link)
        page.until("document.querySelectorAll('.skeleton .card').length === 3")
        where = "JSON.stringify([...document.querySelectorAll('.card')].map(card =>"
        where += " [card.offsetLeft, card.offsetTop, card.offsetHeight]))"
        page.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        before = json.loads(page.run(where))
        source.answers.set()
        page.see("3 wait")
        assert json.loads(page.run(where)) == before
        page.close()


def test_a_crowd_comes_as_one_scrolls(opened, source):
    source.found = {one["id"]: one for one in map(stranger, range(230))}
    page = opened()
    page.see("230 wait")
    assert len(shown(page)) == 200
    page.run("document.querySelector('.card:last-child').scrollIntoView()")
    page.until("document.querySelectorAll('.card').length === 230")


def test_several_are_ignored_at_once_with_a_thumb(opened, source):
    page = opened(PHONE)
    page.see("3 wait")
    for number in (0, 2):
        page.click(f"[data-id=s-0000000{number}] .select")
    page.see("2 selected")
    page.click("#selection button", "Ignore")
    page.see("Ignored: no more alerts")
    page.see("1 wait")
    assert source.acts[0][1]["strangers"] == ["s-00000000", "s-00000002"]


def test_who_is_ignored_can_come_back(opened, source):
    source.found["s-00000001"]["status"] = "ignored"
    page = opened()
    page.see("2 wait")
    page.run(
        "(choice => { choice.value = 'ignored'; choice.dispatchEvent(new Event('change')) })"
        "(document.querySelector('select[aria-label=Show]'))"
    )
    page.see("1 ignored")
    page.click("button", "Back to review")
    page.see("Back in the queue.")
    page.see("Nobody is ignored.")
    assert source.acts == [("back", {"act": "back", "strangers": ["s-00000001"]})]


def test_what_the_server_refuses_is_told_and_the_stranger_stays(opened, source):
    page = opened()
    page.see("3 wait")
    source.failing = VerbError("AWS cannot be asked. Are the keys still valid?")
    page.click(".card button", "Discard")
    page.see("Are the keys still valid?")
    page.see("3 wait")


def test_a_name_is_text_whatever_it_is(opened, source):
    name = "<img src=x onerror=alert(1)>"
    source.persons[0]["name"] = name
    page = opened()
    page.click("nav a", "People")
    page.see(name)
    assert page.run("document.querySelector('[onerror]')") is None


def test_the_day_shows_who_was_here_and_when_nothing_was_watched(opened, source):
    page = opened()
    page.click("nav a", "Today")
    page.see("probably Ravi")
    label = page.run("document.querySelector('.track').getAttribute('aria-label')")
    assert label.startswith("front-door: 4 visits. 00:00 to 07:00 not watched: no session ran")
    page.press("j")
    assert page.run("document.activeElement.innerText").startswith("16:00")
    page.click("summary", "probably Ravi")
    page.see("14 unsure sightings, at most 86.4 of 100: a second photo helps.")
    page.click("button", "Clip")
    page.see("The video of front-door is not kept any more.")
    page.click("#search")
    page.write("zo")
    page.until("document.querySelectorAll('.visits li').length === 1")
    page.click("button[aria-label='Day before']")
    page.see("Nothing was watched on Sun")


def test_a_camera_is_started_with_its_price_and_stopped(opened, source):
    page = opened()
    page.click("nav a", "Cameras")
    page.see("at most $7.20")
    page.click("button", "Start")
    page.see("back-door: start")
    page.click("button", "Stop")
    page.see("front-door: stop")
    assert source.steered == [("start", "back-door", 60), ("stop", "front-door", 0)]


def test_a_camera_is_looked_at_only_when_asked_and_until_told(opened, source):
    page = opened()
    page.click("nav a", "Cameras")
    page.see("AWS bills each one")
    page.see("12 faces of strangers not kept: 8 too small, 4 turned away.")
    assert source.looks == 0
    page.click("button", "Look")
    page.until("Boolean(document.querySelector('.now-picture')?.naturalWidth)")
    assert source.looks == 1
    page.click("button", "Stop looking")
    page.see("Look again")


def test_escape_twice_blanks_the_page(opened):
    page = opened()
    page.see("3 wait")
    page.press("Escape", "Escape")
    page.until("document.querySelector('#lock').open")
    assert page.text().strip().endswith("Show the page") and "front-door" not in page.text()
    page.press("Escape", "Escape")
    assert page.run("document.querySelector('#lock').open")
    page.click("#unlock")
    page.see("3 wait")


def test_new_strangers_appear_without_a_reload_and_a_half_typed_name_stays(opened, source):
    page = opened()
    page.see("3 wait")
    page.click(".card button", "Name…")
    page.write("Ki")
    source.found["s-new"] = stranger(-1, id="s-new")
    refresh = "document.dispatchEvent(new Event('visibilitychange'))"
    page.run(f"{refresh}; new Promise(done => setTimeout(done, 300))")
    assert page.run("document.querySelector('.naming input').value") == "Ki"
    page.press("Escape")
    page.run(refresh)
    page.see("4 wait")


def test_with_nobody_new_it_opens_on_today_and_says_so_in_review(opened, source):
    source.found, source.watched = {}, False
    page = opened()
    page.see("Nothing was watched today.")
    page.click("nav a", "Review")
    page.see("Strangers appear here with a picture.")


def test_the_link_works_again_in_the_browser_that_has_used_it(opened, source):
    page = opened()
    page.see("3 wait")
    page.reopen()
    page.see("3 wait")


def test_without_the_link_it_says_what_to_do(browser, source):
    with serving(source) as server:
        page = browser.page()
        page.open(server.link.partition("#")[0])
        page.see("Open the link that ./whosthere review printed")
        page.close()


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (DESKTOP, True), (PHONE, False)])
def test_everybody_can_use_it(opened, source, size, dark):
    axe = npm_package("axe-core", AXE) / "node_modules" / "axe-core" / "axe.min.js"
    page = opened(size, dark=dark)
    page.see("3 wait")
    page.run(axe.read_text() + "; 0")
    page.click(".card button", "Name…")
    page.click("[data-id=s-00000002] .select")
    page.see("1 selected")
    assert faults(page) == []
    for place in PLACES:
        page.run(f"location.hash = '{place}'")
        page.until(f"document.querySelector('[aria-current]').hash === '#{place}'")
        page.until(
            "document.querySelector('h1').textContent.toLowerCase() === location.hash.slice(1)"
        )
        if place == "today":
            page.click("summary", "stranger")
        assert faults(page) == []
        wide = page.run("document.documentElement.scrollWidth")
        assert wide <= size[0], f"{place} is {wide} wide"


def faults(page):
    """What axe-core finds against WCAG 2.2 AA."""
    run = f"axe.run(document, {{runOnly: {json.dumps(RULES)}, resultTypes: ['violations']}})"
    found = page.run(f"{run}.then(found => JSON.stringify(found.violations))")
    return [
        (one["id"], one["help"], [node["html"][:200] for node in one["nodes"]])
        for one in json.loads(found)
    ]
