// The owner's page. Texts become text nodes, so no name or file can become markup.
"use strict"

const UNDO_MS = 10 * 60_000, SETTLED_MS = 60_000
const READ_MS = 20_000  // then the sentence makes room; Undo stays
const REFRESH_MS = 4_000, REST_MS = 120_000, RESTING_MS = 60_000
const LOOK_MS = 5 * 60_000, LOOK_EACH_MS = 5_000
const AT_ONCE = 200, LIKELY = 60
const HOLD_MS = 400  // sooner than the browser's own menu, which ends the touch
const AFTER_HOLD_MS = 250
const PATIENT_MS = 300  // what comes sooner needs no skeleton
const state = { place: "", token: "", zone: "UTC", cameras: [], people: [], peopleAt: 0, shown: AT_ONCE, sort: "new", status: "pending", day: "", who: "", camera: "", text: "" }
const selected = new Set()
const decided = new Map()   // when, by stranger: hidden for as long as the table may not know yet
const acts = []             // what can be undone, the newest last
const $ = id => document.getElementById(id)

function h(tag, props = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (!value && value !== "" && value !== 0) continue
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value)
    else made.setAttribute(name, value === true ? "" : value)
  }
  made.append(...children.flat().filter(child => child || child === 0))
  return made
}

const button = (text, onclick, props) => h("button", { type: "button", onclick, ...props }, text)
const line = (...children) => h("div", { class: "line" }, children)
const soft = (...children) => h("p", { class: "soft" }, children)
const photo = (id, props) => h("img", { src: id ? `/pictures/${id}` : null, alt: "", ...props })

// The server
async function ask(path, body) {
  const post = body && { method: "POST", headers: { "content-type": "application/json", "x-whosthere-token": state.token }, body: JSON.stringify(body) }
  const response = await fetch(path, post || {}).catch(() => { throw new Error("The server of this page does not answer. Does ./whosthere review still run?") })
  const content = await response.json().catch(() => ({}))
  if (!response.ok) throw new Error(content.error || `The server answered ${response.status}.`)
  return content
}

async function enter() {
  const link = new URLSearchParams(location.hash.slice(1)).get("token")
  if (link) history.replaceState(null, "", location.pathname)
  if (link) await ask("/session", { token: link }).catch(() => {})  // used already, maybe by this browser
  const found = await ask("/api/overview")
  Object.assign(state, { token: found.token, zone: found.zone, cameras: found.cameras })
  $("stack").textContent = found.stack
  waiting(found.waiting)
  return found
}

function waiting(count) {
  $("waiting").textContent = count
  $("waiting").setAttribute("aria-label", `${count} wait`)
  $("waiting").hidden = !count
}

// Times and amounts, on the owner's clock
const formats = {}
function written(ms, options) {
  const key = JSON.stringify(options) + state.zone
  formats[key] ||= new Intl.DateTimeFormat("en-GB", { timeZone: state.zone, ...options })
  return formats[key].format(ms)
}
const clock = ms => written(ms, { hour: "2-digit", minute: "2-digit" })
const date = ms => written(ms, { weekday: "short", day: "numeric", month: "short" })
const isToday = ms => date(ms) === date(Date.now())
const moment = ms => isToday(ms) ? clock(ms) : `${date(ms)} ${clock(ms)}`
const span = ms => ms < 90_000 ? `${Math.max(1, Math.round(ms / 1000))} s` : ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`
const many = (count, one, more = `${one}s`) => `${count} ${count === 1 ? one : more}`
const ordinal = n => n + (["th", "st", "nd", "rd"][n % 100 > 10 && n % 100 < 14 ? 0 : n % 10] || "th")

// What was done, and the way back
let toldAt = 0
function tell(text, { bad = false, pending = false } = {}) {
  toldAt = Date.now()
  $("done").className = bad ? "bar bad" : "bar"
  $("told").textContent = $("live").textContent = text
  $("undo").hidden = bad || pending || !acts.length
  $("done").hidden = !text
}

setInterval(() => {
  if (Date.now() - toldAt > READ_MS) $("undo").hidden ? $("done").hidden = true : $("done").classList.add("read")
  const left = acts.filter(act => act.until > Date.now())
  if (left.length === acts.length) return
  acts.splice(0, acts.length, ...left)
  tell(left.at(-1)?.text || "")
}, 1_000)

// With a name, or with the pictures that are somebody else's.
async function decide(act, strangers, more = {}) {
  for (const id of strangers) { decided.set(id, Date.now()); selected.delete(id) }
  if (act === "merge" || act === "split") decided.delete(strangers[0])  // stays in the queue
  tell(more.name ? `Naming ${more.name}…` : "Deciding…", { pending: true })
  draw()
  try {
    const done = await ask("/acts", { act, strangers, ...more })
    if (done.undo !== null) acts.push({ undo: done.undo, strangers, text: done.text, until: Date.now() + UNDO_MS })
    state.peopleAt = 0  // there may be one more
    tell(done.text)
  } catch (error) {
    strangers.forEach(id => decided.delete(id))
    tell(error.message, { bad: true })
  }
  state.place === "review" ? draw() : await refresh()
}

async function undo() {
  const act = acts.pop()
  if (!act) return
  tell("Undoing…", { pending: true })
  try {
    const done = await ask("/acts", { act: "undo", undo: act.undo })
    act.strangers.forEach(id => decided.delete(id))
    state.peopleAt = 0
    tell(done.text)
  } catch (error) {
    acts.push(act)
    tell(error.message, { bad: true })
  }
  await refresh()
}

// Review
const alt = (stranger, at) => `Stranger at ${stranger.cameras.join(" and ")}, ${moment(at)}`

function picture(id, text, onclick, eager) {
  if (!id) return h("p", { class: "picture none soft" }, "No picture")
  return button(photo(id, { alt: text, loading: eager ? "eager" : "lazy", decoding: "async" }), onclick, { class: "picture" })
}

// Of a stranger in the queue with several pictures, one may be somebody else's.
function enlarge(title, pictures, text, stranger) {
  const split = id => { $("enlarged").close(); decide("split", [stranger], { pictures: [id] }) }
  const shown = id => h("figure", {}, photo(id, { alt: text }), stranger && pictures.length > 1 && button("Somebody else", () => split(id)))
  $("enlarged").replaceChildren(h("form", { method: "dialog", class: "line" }, h("h2", {}, title), h("button", { class: "push" }, "Close")),
    h("div", { class: pictures.length > 1 ? "all several" : "all" }, pictures.map(shown)))
  $("enlarged").showModal()
}

function card(stranger, index) {
  const text = alt(stranger, stranger.last)
  const enlarged = () => enlarge(text, stranger.pictures, text, state.status === "pending" && stranger.id)
  const box = h("input", { type: "checkbox", "aria-label": `Select ${text}`, onchange: () => toggle(stranger.id) })
  box.checked = selected.has(stranger.id)
  const often = stranger.visits > 1 ? `${stranger.visits} visits since ${moment(stranger.first)}` : many(stranger.sightings, "sighting")
  const made = h("li", { class: box.checked ? "card selected" : "card", tabindex: -1, "data-id": stranger.id, "aria-label": text },
    picture(stranger.pictures[0], text, enlarged, index < 8),
    h("label", { class: "select" }, box),
    h("div", { class: "marks" },
      stranger.recurring && h("span", { class: "mark" }, "keeps coming"),
      stranger.pictures.length > 1 && h("span", {}, `${stranger.pictures.length} pictures`)),
    line(h("strong", {}, moment(stranger.last)), h("span", {}, stranger.cameras.join(", "))),
    h("div", { class: "line soft" }, h("span", {}, often)),
    buttons([stranger]))
  hold(made, () => toggle(stranger.id))
  return made
}

function buttons(strangers) {
  const ids = strangers.map(one => one.id)
  const made = h("div", { class: "acts" },
    button("Name…", () => made.replaceWith(naming(strangers, made)), { class: "primary", "data-key": "n" }), unnamed(ids))
  return made
}

const unnamed = ids => [
  state.status === "ignored" ? button("Back to review", () => decide("back", ids)) : button("Ignore", () => decide("ignore", ids), { "data-key": "i", title: "No more alerts; visits are still counted" }),
  button("Discard", () => decide("discard", ids), { "data-key": "d", title: "Forgotten, for good after ten minutes" })]

// A long touch selects; the click or the menu that follows it does not come, although what was
// touched may be another element by now.
let heldAt = 0
function hold(made, then) {
  let timer, held = false
  made.addEventListener("touchstart", () => { held = false; timer = setTimeout(() => { held = true; heldAt = Date.now(); then() }, HOLD_MS) }, { passive: true })
  for (const end of ["touchend", "touchmove", "touchcancel"]) made.addEventListener(end, () => { clearTimeout(timer); if (held) heldAt = Date.now() }, { passive: true })
}
for (const next of ["click", "contextmenu"]) document.addEventListener(next, event => { if (Date.now() - heldAt < AFTER_HOLD_MS) { event.preventDefault(); event.stopPropagation() } }, true)

const toggle = id => { selected.delete(id) || selected.add(id); draw() }

function selectionBar() {
  const chosen = state.place === "review" ? state.items.filter(one => selected.has(one.id)) : []
  $("selection").hidden = !chosen.length
  if ($("selection").hidden || $("selection").querySelector("form")) return
  const ids = chosen.map(one => one.id)
  $("selection").replaceChildren(...[h("strong", {}, `${chosen.length} selected`),
    button("Name…", () => $("selection").replaceChildren(naming(chosen)), { class: "primary" }),
    ...unnamed(ids),
    chosen.length > 1 && button("Same person", () => decide("merge", ids)),
    button("Clear", () => { selected.clear(); draw() }, { class: "push" })].filter(Boolean))
}

// The likeliest first; what is typed filters. Enter takes it as a name, new or known.
function naming(strangers, instead) {
  const likely = new Map()
  const input = h("input", { "aria-label": "Name", placeholder: "Who is it?", autocomplete: "off", enterkeyhint: "done", maxlength: 100 })
  const list = h("ul", { class: "known" })
  const hint = h("p", { class: "soft", "aria-live": "polite" })
  const fold = text => text.normalize("NFKC").trim().toLowerCase()
  const share = person => likely.get(person.name) || 0
  const choice = person => h("li", {}, button([
    person.photos[0] ? photo(person.photos[0].picture) : h("span", { class: "blank" }, person.name.slice(0, 1)),
    h("span", {}, person.name),
    share(person) >= LIKELY && h("small", { class: "soft" }, `probably ${Math.round(share(person))} %`)], () => done(person.name)))
  const filter = () => {
    const typed = fold(input.value)
    const fitting = state.people.filter(person => fold(person.name).includes(typed)).sort((a, b) => share(b) - share(a))
    list.replaceChildren(...fitting.slice(0, 12).map(choice))
    list.hidden = !fitting.length
    hint.textContent = !typed ? "" : fitting.some(person => fold(person.name) === typed) ? "You know this person." : "Somebody new."
  }
  const done = name => { close(); decide("name", strangers.map(one => one.id), { name }) }
  const close = () => { form.remove(); selectionBar() }
  const cancel = () => { instead ? form.replaceWith(instead) : close(); instead?.closest(".card")?.focus() }
  const form = h("form", { class: "naming", onsubmit: event => { event.preventDefault(); if (input.value.trim()) done(input.value.trim()) } },
    input, list, hint, line(h("button", { class: "primary" }, "Name"), button("Cancel", cancel)))
  form.addEventListener("keydown", event => { if (event.key === "Escape") { event.stopPropagation(); cancel() } })
  input.addEventListener("input", filter)
  filter()
  queueMicrotask(() => input.focus())
  const look = async () => { await known(); filter(); for (const one of (await ask(`/api/likely?stranger=${strangers[0].id}`)).likely) likely.set(one.name, one.similarity); filter() }
  look().catch(() => {})  // a name can be typed without it
  return form
}

// Read again after a minute at most: it is more than a list of names.
async function known() {
  if (Date.now() - state.peopleAt > 60_000) Object.assign(state, { people: (await ask("/api/people")).people, peopleAt: Date.now() })
}

const select = (label, value, options, then) => Object.assign(h("select", { "aria-label": label, onchange: event => then(event.target.value) },
  options.map(([key, text]) => h("option", { value: key }, text))), { value })

const empty = (...lines) => h("div", { class: "empty" }, lines.map((line, index) => h("p", { class: index ? "soft" : null }, line)))

const review = {
  load: async () => (await Promise.all([ask(`/api/strangers?status=${state.status}`), known()]))[0].strangers,
  draw: strangers => {
    const left = strangers.filter(one => Date.now() - (decided.get(one.id) || 0) > SETTLED_MS)
    if (state.status === "pending") waiting(left.length)
    const sorted = [...left].sort(state.sort === "new" ? (a, b) => b.last - a.last : (a, b) => b.visits - a.visits || b.last - a.last)
    const head = h("div", { class: "head" }, h("h1", {}, "Review"),
      h("span", { class: "soft" }, state.status === "pending" ? `${left.length} wait` : `${left.length} ignored`),
      h("span", { class: "push line" },
        select("Show", state.status, [["pending", "who waits"], ["ignored", "who is ignored"]], status => { state.status = status; selected.clear(); refresh() }),
        select("Sort", state.sort, [["new", "newest first"], ["often", "most often first"]], sort => { state.sort = sort; draw() })))
    if (!left.length) return [head, state.status === "pending" ? empty("Nobody new.", "Strangers appear here with a picture.") : empty("Nobody is ignored.", "An ignored stranger makes no alert and is still counted.")]
    return [head, keyed("faces", sorted.slice(0, state.shown), card), sorted.length > state.shown && more(),
      soft("Ignore: no more alerts about this stranger, but every visit is counted. Discard: the stranger is forgotten, for good after ten minutes; the next visit is a new stranger's.")]
  },
}

// A card that did not change stays as it is and where it is: a click that is under way, its
// picture, its focus, a name half typed.
function keyed(kind, items, make) {
  const list = $("place").querySelector(`ul.cards[data-kind=${kind}]`) || h("ul", { class: "cards", "data-kind": kind })
  const old = new Map([...list.children].map(made => [made.dataset.id, made]))
  put(list, items.map((item, index) => {
    const text = JSON.stringify([item, selected.has(item.id)])
    const before = old.get(item.id)
    if (before && (before.made === text || before.querySelector("form, .now-picture"))) return before
    return Object.assign(make(item, index), { made: text })
  }))
  return list
}

function put(parent, parts) {
  for (const child of [...parent.children]) if (!parts.includes(child)) child.remove()
  parts.forEach((part, index) => { if (parent.children[index] !== part) parent.insertBefore(part, parent.children[index] || null) })
}

function more() {
  const made = button("Show more", () => { state.shown += AT_ONCE; draw() })
  new IntersectionObserver(([seen], watch) => { if (seen.isIntersecting) { watch.disconnect(); made.click() } }).observe(made)
  return made
}

// People
const people = {
  load: async () => { state.peopleAt = 0; await known(); return state.people },
  draw: found => [h("div", { class: "head" }, h("h1", {}, "People"), h("span", { class: "soft" }, `${found.length} known`)),
    found.length ? keyed("people", found, person) : empty("You have not named anybody yet.", "Name a stranger under Review, or put photos under people/<name>/ in the bucket.")],
}

function person(one) {
  const shown = (each, index) => h("li", { class: each.reason ? "refused" : null }, picture(each.picture, `${one.name}, photo ${index + 1}${each.reason ? ", refused" : ""}`, () => enlarge(one.name, [each.picture], one.name)))
  const refused = one.photos.filter(each => each.reason), good = one.photos.length - refused.length
  return h("li", { class: "card", "data-id": one.id },
    h("h2", {}, one.name), soft(`${many(good, "good photo")}${one.last ? `, last seen ${moment(one.last)}` : ""}`),
    h("ul", { class: "photos" }, one.photos.slice(0, 12).map(shown)),
    refused.length > 0 && h("ul", { class: "reasons" }, refused.map(each => h("li", {}, each.reason))),
    one.alike.map(each => h("p", { class: "bad" }, `Looks like ${each.name} (${Math.round(each.similarity)} %): more photos of both help.`)),
    line(button("All visits", () => { state.who = one.id; location.hash = "today" })))
}

// Cameras
const cameras = {
  load: async () => (await ask("/api/cameras")).cameras,
  draw: found => [h("div", { class: "head" }, h("h1", {}, "Cameras")), keyed("cameras", found.map(one => ({ id: one.camera, ...one })), cameraCard)],
}

function cameraCard(one) {
  const since = one.since === null ? ", never had a session" : ` since ${moment(one.since)}${one.until ? `, until ${moment(one.until)}` : ""}`
  // An image of image-search may show nobody.
  const what = one.engine === "image-search" ? "image" : "face"
  const seen = one.lastRecord === null ? `No ${what} yet in this session.` : `Last ${what} ${moment(one.lastRecord)}.`
  const steer = (act, minutes) => async event => {
    event.target.disabled = true
    await ask("/cameras", { act, camera: one.camera, minutes }).then(done => tell(done.text), error => tell(error.message, { bad: true }))
    event.target.disabled = false
    await refresh()
  }
  return h("li", { class: "card", "data-id": one.camera },
    h("h2", {}, one.camera), h("p", { class: `state ${one.state}` }, h("strong", {}, one.state), h("span", { class: "soft" }, since)),
    one.session && h("p", {}, `${seen} Visits of people: ${one.visits}, of strangers: ${one.strangers}.`),
    one.notKept.faces > 0 && soft(`${many(one.notKept.faces, "face")} of strangers not kept${one.session ? "" : " in the last session"}: ${one.notKept.why}.`),
    one.problem ? h("p", { class: "bad" }, one.problem) : one.note && soft(one.note),
    one.session && h("div", { class: "live" }, button("Look", event => look(event.target.parentNode, one.camera)), soft("A picture every five seconds, for five minutes at most. AWS bills each one as two images of GetImages.")),
    one.session ? line(one.state === "paused" ? button("Go on", steer("resume")) : one.state !== "limit reached" && button("Pause 1 h", steer("pause", 60)), button("Stop", steer("stop")))
      : starting(one, steer))
}

// It ends by itself, as each picture costs something: when it is not seen, or after a while.
function look(place, camera) {
  const until = Date.now() + LOOK_MS
  const stop = text => place.replaceChildren(button("Look again", () => look(place, camera)), soft(text))
  const image = photo(null, { alt: `${camera} now`, class: "now-picture" })
  const next = () => {
    if (!place.isConnected) return
    if (document.hidden || Date.now() > until) return stop("Stopped, as each picture costs something.")
    image.src = `/live/${camera}?at=${Date.now()}`
  }
  image.addEventListener("load", () => setTimeout(next, LOOK_EACH_MS))
  image.addEventListener("error", () => stop(`${camera} sends no video at the moment.`))
  place.replaceChildren(image, button("Stop looking", () => stop("Stopped.")))
  next()
}

function starting(one, steer) {
  const price = h("p", { class: "soft", "aria-live": "polite" })
  const start = button("Start", event => steer("start", Number(length.value))(event), { class: "primary" })
  const lengths = [[60, "1 hour"], [120, "2 hours"], [480, "8 hours"], [1440, "24 hours"]]
  const length = select(`How long ${one.camera}`, 60, lengths, () => plan())
  const plan = async () => { price.textContent = await ask(`/api/plan?camera=${one.camera}&minutes=${length.value}`).then(found => found.text, error => error.message) }
  plan()
  return h("div", {}, line(length, start), price)
}

// Places
const places = { today, review, people, cameras }

async function go() {
  const place = location.hash.slice(1)
  if (!(place in places)) return
  const moved = place !== state.place
  state.place = place
  for (const link of $("places").children) link.hash === `#${place}` ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current")
  document.title = `${place[0].toUpperCase()}${place.slice(1)} · Whosthere`
  if (!moved) return
  Object.assign(state, { items: null, shown: AT_ONCE })
  setTimeout(() => { if (!state.items && state.place === place) put($("place"), skeleton(place)) }, $("place").firstChild ? PATIENT_MS : 0)
  scrollTo(0, 0)
  await refresh()
}

// What comes takes its place: nothing jumps.
function skeleton(place) {
  const still = () => h("button", { disabled: true }, "\u00a0")
  const text = () => h("div", { class: "line" }, "\u00a0")
  const face = () => h("li", { class: "card" }, h("div", { class: "picture" }), text(), text(), h("div", { class: "acts" }, h("button", { class: "primary", disabled: true }, "\u00a0"), still(), still()))
  const wide = () => h("li", { class: "card" }, text(), text(), text(), still())
  const row = () => h("li", {}, h("div", { class: "summary" }, h("span"), h("span", { class: "thumb" })))
  const times = (count, make) => Array.from({ length: count }, make)
  const lists = {
    review: () => h("ul", { class: "cards", "data-kind": "faces" }, times(Math.min(12, Number($("waiting").textContent) || 1), face)),
    today: () => h("ul", { class: "visits" }, times(4, row)),
    people: () => h("ul", { class: "cards" }, times(2, wide)), cameras: () => h("ul", { class: "cards" }, times(state.cameras.length, wide)),
  }
  const lanes = place === "today" && h("div", { class: "lanes" }, state.cameras.map(() => h("div", { class: "lane" }, text(), h("div", { class: "track" }))))
  const name = h("div", { class: "head" }, h("h1", {}, place[0].toUpperCase() + place.slice(1)), (place === "review" || place === "today") && h("span", { class: "push line skeleton" }, still(), still()))
  return [name, h("div", { class: "skeleton", "aria-hidden": "true" }, lanes, lists[place]())]
}

let last = ""
async function refresh() {
  const { place } = state
  try {
    const found = await places[place].load()
    if (place !== state.place) return
    last = place + JSON.stringify(found)
    state.items = found
    draw()
  } catch (error) {
    if (state.items) tell(error.message, { bad: true })
    else $("place").replaceChildren(empty(error.message))
  }
}

function draw() {
  if (!state.items) return
  const index = cardsShown().indexOf(current())
  put($("place"), places[state.place].draw(state.items).filter(Boolean))
  selectionBar()
  if (document.activeElement === document.body && index >= 0) focusOn(index)
}

const busy = () => document.hidden || $("lock").open || $("place").querySelector("form, details[open], select:focus, input:focus") || document.querySelector("dialog[open]")
async function poll() {
  const { place } = state
  if (!state.items || busy()) return
  const found = await places[place].load().catch(() => null)
  if (place !== "review") ask("/api/overview").then(found => waiting(found.waiting), () => {})
  if (!found || place !== state.place || busy() || place + JSON.stringify(found) === last) return
  last = place + JSON.stringify(found)
  state.items = found
  draw()
}

// Each look costs a little: without a hand on the page it is looked at once a minute.
let touched = Date.now(), looked = 0
for (const kind of ["pointerdown", "keydown", "scroll"]) addEventListener(kind, () => { touched = Date.now() }, { passive: true })
setInterval(() => {
  if (Date.now() - looked < (Date.now() - touched < REST_MS ? REFRESH_MS : RESTING_MS)) return
  looked = Date.now()
  poll()
}, 1_000)
document.addEventListener("visibilitychange", poll)

// Keys
const cardsShown = () => [...$("place").querySelectorAll(".card, .visits summary")]
const current = () => document.activeElement?.closest(".card, summary")

const focusOn = index => cardsShown()[Math.min(cardsShown().length - 1, Math.max(0, index))]?.focus()
const move = by => focusOn(current() ? cardsShown().indexOf(current()) + by : 0)
const rowLength = () => Math.max(1, cardsShown().filter((one, _, all) => one.offsetTop === all[0].offsetTop).length)
const press = key => (current()?.closest("details") || current() || cardsShown()[0])?.querySelector(`[data-key="${key}"]`)?.click()
const keys = {
  j: () => move(1), k: () => move(-1), ArrowRight: () => move(1), ArrowLeft: () => move(-1), ArrowDown: () => move(rowLength()), ArrowUp: () => move(-rowLength()),
  n: () => press("n"), i: () => press("i"), d: () => press("d"), u: undo,
  x: () => current()?.dataset.id && toggle(current().dataset.id),
  m: () => selected.size > 1 && decide("merge", [...selected]),
  "/": () => state.place === "today" ? $("search")?.focus() : (location.hash = "today"),
  "?": () => $("keys").showModal(),
  1: () => (location.hash = "today"), 2: () => (location.hash = "review"), 3: () => (location.hash = "people"), 4: () => (location.hash = "cameras"),
}

let escaped = 0
function escape(event) {
  const twice = Date.now() - escaped < 600
  if (twice || $("lock").open) event.preventDefault()  // or the dialog would close again
  if (twice) blank(true)
  escaped = Date.now()
}

document.addEventListener("keydown", event => {
  if (event.key === "Escape") return escape(event)
  const typing = event.target.closest("input:not([type=checkbox]), select, textarea, video, dialog")
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !$("keys-on").checked || !(event.key in keys)) return
  event.preventDefault()
  keys[event.key]()
})

const blank = on => { $("place").hidden = $("bars").hidden = on; on ? $("lock").open || $("lock").showModal() : $("lock").close() }

$("unlock").addEventListener("click", () => blank(false))
$("undo").addEventListener("click", undo)
$("help").addEventListener("click", () => $("keys").showModal())
$("keys-on").checked = localStorage.getItem("keys") !== "off"
$("keys-on").addEventListener("change", event => localStorage.setItem("keys", event.target.checked ? "on" : "off"))
addEventListener("hashchange", go)
enter().then(found => {
  if (!(location.hash.slice(1) in places)) history.replaceState(null, "", found.waiting ? "#review" : "#today")
  return go()
}).catch(error => $("place").replaceChildren(empty("The page is closed.", error.message)))
