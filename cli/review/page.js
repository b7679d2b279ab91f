// The owner's page. Texts become text nodes, so no name or file can become markup.
"use strict"

const UNDO_MS = 10 * 60_000
const REFRESH_MS = 4_000
const AT_ONCE = 200
const state = { place: "", token: "", zone: "UTC", cameras: [], people: [], shown: AT_ONCE, sort: "new", status: "pending", day: "", who: "", camera: "", text: "" }
const selected = new Set()
const decided = new Set()   // hidden here although the table may not say so yet
const acts = []             // what can be undone, the newest last
const $ = id => document.getElementById(id)

function h(tag, props = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value)
    else made.setAttribute(name, value === true ? "" : value)
  }
  made.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false))
  return made
}

// The server

async function ask(path, body) {
  const post = body && { method: "POST", headers: { "content-type": "application/json", "x-whosthere-token": state.token }, body: JSON.stringify(body) }
  let response
  try { response = await fetch(path, post || {}) } catch { throw new Error("The server of this page does not answer. Does ./whosthere review still run?") }
  const content = await response.json().catch(() => ({}))
  if (!response.ok) throw new Error(content.error || `The server answered ${response.status}.`)
  return content
}

async function enter() {
  const link = new URLSearchParams(location.hash.slice(1)).get("token")
  if (link) {
    history.replaceState(null, "", location.pathname)
    await ask("/session", { token: link })
  }
  return overview()
}

async function overview() {
  const found = await ask("/api/overview")
  Object.assign(state, { token: found.token, zone: found.zone, cameras: found.cameras, today: found.today })
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

function tell(text, { undo = null, bad = false } = {}) {
  if (undo) acts.push({ ...undo, text, until: Date.now() + UNDO_MS })
  showDone(text, bad)
}

function showDone(text, bad = false) {
  const last = acts.at(-1)
  $("done").className = bad ? "bar bad" : "bar"
  $("told").textContent = $("live").textContent = text
  $("undo").hidden = bad || !last
  $("done").hidden = !text
}

setInterval(() => {
  const left = acts.filter(act => act.until > Date.now())
  if (left.length === acts.length) return
  acts.splice(0, acts.length, ...left)
  showDone(left.at(-1)?.text || "")
}, 1_000)

async function decide(act, strangers, name) {
  if (!strangers.length) return
  for (const id of strangers) { decided.add(id); selected.delete(id) }
  await draw()
  try {
    const done = await ask("/acts", { act, strangers, name })
    tell(done.text, { undo: done.undo !== null && { token: done.undo, strangers } })
  } catch (error) {
    strangers.forEach(id => decided.delete(id))
    tell(error.message, { bad: true })
  }
  await draw()
}

async function undo() {
  const act = acts.pop()
  if (!act) return
  showDone("Undoing…")
  try {
    const done = await ask("/acts", { act: "undo", undo: act.token })
    act.strangers.forEach(id => decided.delete(id))
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
  const image = h("img", { src: `/pictures/${id}`, alt: text, loading: eager ? "eager" : "lazy", decoding: "async" })
  return h("button", { type: "button", class: "picture", onclick }, image)
}

function enlarge(title, pictures, text) {
  const images = pictures.map(id => h("img", { src: `/pictures/${id}`, alt: text }))
  const close = h("form", { method: "dialog" }, h("button", {}, "Close"))
  $("enlarged").replaceChildren(h("h2", {}, title), h("div", { class: "all" }, images), close)
  $("enlarged").showModal()
}

function card(stranger, index) {
  const text = alt(stranger, stranger.last)
  const enlarged = () => enlarge(text, stranger.pictures, text)
  const box = h("input", { type: "checkbox", "aria-label": `Select ${text}`, onchange: () => toggle(stranger.id) })
  box.checked = selected.has(stranger.id)
  const often = stranger.visits > 1 ? `${stranger.visits} visits since ${moment(stranger.first)}` : many(stranger.sightings, "sighting")
  const made = h("li", { class: box.checked ? "card selected" : "card", tabindex: -1, "data-id": stranger.id, "aria-label": text },
    picture(stranger.pictures[0], text, enlarged, index < 8),
    h("label", { class: "select" }, box),
    h("div", { class: "line" }, h("strong", {}, moment(stranger.last)), h("span", {}, stranger.cameras.join(", ")),
      stranger.pictures.length > 1 && h("span", { class: "push soft" }, `${stranger.pictures.length} pictures`)),
    h("div", { class: "line soft" }, h("span", {}, often), stranger.recurring && h("span", { class: "mark" }, "keeps coming")),
    buttons([stranger]))
  hold(made, () => toggle(stranger.id))
  return made
}

function buttons(strangers) {
  const ids = strangers.map(one => one.id)
  const made = h("div", { class: "acts" },
    h("button", { type: "button", class: "primary", "data-key": "n", onclick: () => made.replaceWith(naming(strangers, made)) }, "Name…"),
    state.status !== "ignored" && h("button", { type: "button", "data-key": "i", onclick: () => decide("ignore", ids) }, "Ignore"),
    h("button", { type: "button", "data-key": "d", onclick: () => decide("discard", ids) }, "Discard"))
  return made
}

function hold(made, then) {
  let timer
  made.addEventListener("touchstart", () => { timer = setTimeout(then, 500) }, { passive: true })
  for (const end of ["touchend", "touchmove", "touchcancel"]) made.addEventListener(end, () => clearTimeout(timer), { passive: true })
}

function toggle(id) {
  if (!selected.delete(id)) selected.add(id)
  return draw()
}

function selectionBar() {
  const chosen = state.place === "review" ? state.items.filter(one => selected.has(one.id)) : []
  $("selection").hidden = !chosen.length
  if ($("selection").hidden || $("selection").querySelector("form")) return
  const ids = chosen.map(one => one.id)
  $("selection").replaceChildren(h("strong", {}, `${chosen.length} selected`),
    h("button", { type: "button", class: "primary", onclick: event => event.target.parentNode.replaceChildren(naming(chosen)) }, "Name…"),
    h("button", { type: "button", onclick: () => decide("ignore", ids) }, "Ignore"),
    h("button", { type: "button", onclick: () => decide("discard", ids) }, "Discard"),
    chosen.length > 1 && h("button", { type: "button", onclick: () => decide("merge", ids) }, "Same person"),
    h("button", { type: "button", class: "push", onclick: () => { selected.clear(); draw() } }, "Clear"))
}

// The likeliest first; what is typed filters. Enter takes it as a name, new or known.
function naming(strangers, instead) {
  const likely = new Map((strangers[0]?.likely || []).map(one => [one.person, one.similarity]))
  const known = [...state.people].sort((a, b) => (likely.get(b.id) || 0) - (likely.get(a.id) || 0))
  const input = h("input", { "aria-label": "Name", placeholder: "Who is it?", autocomplete: "off", enterkeyhint: "done", maxlength: 100 })
  const list = h("ul", { class: "known" })
  const hint = h("p", { class: "soft", "aria-live": "polite" })
  const fold = text => text.normalize("NFKC").trim().toLowerCase()
  const filter = () => {
    const typed = fold(input.value)
    const fitting = known.filter(person => fold(person.name).includes(typed))
    list.replaceChildren(...fitting.slice(0, 12).map(person => h("li", {}, h("button", { type: "button", onclick: () => done(person.name) },
      person.photos[0] ? h("img", { src: `/pictures/${person.photos[0].picture}`, alt: "" }) : h("span", { class: "blank" }, person.name.slice(0, 1)),
      h("span", {}, likely.has(person.id) ? `${person.name} ${Math.round(likely.get(person.id))} %` : person.name)))))
    list.hidden = !fitting.length
    hint.textContent = !typed ? "" : known.some(person => fold(person.name) === typed) ? "You know this person." : "Somebody new."
  }
  const done = name => { close(); decide("name", strangers.map(one => one.id), name) }
  const close = () => { form.remove(); selectionBar() }
  const cancel = () => { instead ? form.replaceWith(instead) : close(); instead?.closest(".card")?.focus() }
  const form = h("form", { class: "naming", onsubmit: event => { event.preventDefault(); if (input.value.trim()) done(input.value.trim()) } },
    input, list, hint,
    h("div", { class: "line" }, h("button", { class: "primary" }, "Name"), h("button", { type: "button", onclick: cancel }, "Cancel")))
  form.addEventListener("keydown", event => { if (event.key === "Escape") { event.stopPropagation(); cancel() } })
  input.addEventListener("input", filter)
  filter()
  queueMicrotask(() => input.focus())
  return form
}

const select = (label, value, options, then) => {
  const made = h("select", { "aria-label": label, onchange: event => then(event.target.value) },
    options.map(([key, text]) => h("option", { value: key }, text)))
  made.value = value
  return made
}

const empty = (...lines) => h("div", { class: "empty" }, lines.map((line, index) => h("p", { class: index ? "soft" : null }, line)))

const review = {
  load: async () => {
    const [found, people] = await Promise.all([ask(`/api/strangers?status=${state.status}`), ask("/api/people")])
    state.people = people.people
    return found.strangers
  },
  draw: strangers => {
    const left = strangers.filter(one => !decided.has(one.id))
    if (state.status === "pending") waiting(left.length)
    const sorted = [...left].sort(state.sort === "new" ? (a, b) => b.last - a.last : (a, b) => b.visits - a.visits || b.last - a.last)
    const head = h("div", { class: "head" }, h("h1", {}, "Review"),
      h("span", { class: "soft" }, state.status === "pending" ? `${left.length} wait` : `${left.length} ignored`),
      h("span", { class: "push line" },
        select("Show", state.status, [["pending", "who waits"], ["ignored", "who is ignored"]], status => { state.status = status; selected.clear(); refresh() }),
        select("Sort", state.sort, [["new", "newest first"], ["often", "most often first"]], sort => { state.sort = sort; draw() })))
    if (!left.length) return [head, state.status === "pending" ? empty("Nobody new.", "Strangers appear here with a picture.") : empty("Nobody is ignored.", "An ignored stranger makes no alert and is still counted.")]
    return [head, keyed("faces", sorted.slice(0, state.shown), card), sorted.length > state.shown && more(),
      h("p", { class: "soft" }, "Ignore: no more alerts about this stranger, but every visit is counted. Discard: the stranger is forgotten, for good after ten minutes; the next visit is a new stranger's.")]
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
    if (before && (before.made === text || before.querySelector("form"))) return before
    return Object.assign(make(item, index), { made: text })
  }))
  return list
}

function put(parent, parts) {
  for (const child of [...parent.children]) if (!parts.includes(child)) child.remove()
  parts.forEach((part, index) => { if (parent.children[index] !== part) parent.insertBefore(part, parent.children[index] || null) })
}

function more() {
  const made = h("button", { type: "button", onclick: () => { state.shown += AT_ONCE; draw() } }, "Show more")
  new IntersectionObserver(([seen], watch) => { if (seen.isIntersecting) { watch.disconnect(); made.click() } }).observe(made)
  return made
}

// Today

const title = visit => visit.kind === "stranger" ? "stranger" : (visit.probably ? "probably " : "") + visit.names.join(" or ")
const tone = visit => visit.kind === "stranger" ? "stranger" : "person"

const today = {
  load: () => ask(`/api/visits?day=${state.day || ""}&who=${state.who}`),
  draw: found => {
    state.day = found.day || state.day
    const step = days => { const at = new Date(`${state.day}T12:00Z`); at.setUTCDate(at.getUTCDate() + days); state.day = at.toISOString().slice(0, 10); refresh() }
    const day = h("input", { type: "date", "aria-label": "Day", value: state.day, max: state.today, onchange: event => { if (event.target.value) { state.day = event.target.value; refresh() } } })
    const search = h("input", { type: "search", id: "search", placeholder: "Search a name", "aria-label": "Search a name", value: state.text, oninput: event => { state.text = event.target.value; list.replaceChildren(...rows()) } })
    const shown = visit => (!state.camera || visit.camera === state.camera) && title(visit).toLowerCase().includes(state.text.trim().toLowerCase())
    const rows = () => found.visits.filter(shown).map(visit => visitRow(visit, !found.day))
    const list = h("ul", { class: "visits" }, rows())
    const name = found.day === state.today ? "Today" : found.day ? date(found.from) : `All visits of ${found.name}`
    const head = h("div", { class: "head" }, h("h1", {}, name),
      found.day ? [h("button", { type: "button", "aria-label": "Day before", onclick: () => step(-1) }, "‹"), day,
        h("button", { type: "button", "aria-label": "Day after", disabled: state.day >= state.today, onclick: () => step(1) }, "›")]
        : h("button", { type: "button", onclick: () => { state.who = ""; refresh() } }, "Back to the day"),
      h("span", { class: "push line" }, search, state.cameras.length > 1 && select("Camera", state.camera, [["", "all cameras"], ...state.cameras.map(one => [one, one])], camera => { state.camera = camera; draw() })))
    const lanes = found.day && h("div", { class: "lanes" }, found.cameras.filter(one => !state.camera || one.camera === state.camera).map(one => lane(one, found)), hours(found))
    const watched = found.cameras.some(one => one.watched)
    const when = found.day === state.today ? "today" : `on ${date(found.from)}`
    const nobody = !found.day ? empty("No visit is kept.") : watched ? empty(`Nobody came ${when}.`, "While a session ran, no face was seen.") : empty(`Nothing was watched ${when}.`, "Start a session under Cameras.")
    return [head, lanes, found.visits.length ? list : nobody]
  },
}

function lane(one, { from, to, visits }) {
  const own = visits.filter(visit => visit.camera === one.camera)
  const share = ms => `${100 * ms / (to - from)}%`
  const place = (made, start, end) => {
    made.style.left = share(Math.max(start, from) - from)
    made.style.width = share(Math.min(end, to) - Math.max(start, from))
    return made
  }
  const text = gap => `${clock(gap.from)} to ${clock(gap.to)} not watched: ${gap.why}`
  const gaps = one.gaps.map(gap => place(h("span", { class: "gap", title: text(gap) }), gap.from, gap.to))
  const bars = own.map(visit => place(h("span", {
    class: `visit-bar is-${tone(visit)}${visit.probably ? " is-probable" : ""}`,
    title: `${clock(visit.first)} ${title(visit)}`, onclick: () => openVisit(visit.id),
  }), visit.first, visit.last))
  const label = [`${one.camera}: ${many(own.length, "visit")}`, ...one.gaps.map(text)].join(". ")
  return h("div", { class: "lane" }, h("span", {}, one.camera), h("div", { class: "track", role: "img", "aria-label": label }, gaps, bars))
}

function hours({ from, to }) {
  const marks = [...Array(9).keys()].map(step => from + step * (to - from) / 8)
  const made = marks.map((ms, index) => { const mark = h("span", {}, index === 8 ? "24" : clock(ms).slice(0, 2)); mark.style.left = `${12.5 * index}%`; return mark })
  return h("div", { class: "lane hours-of", "aria-hidden": "true" }, h("span"), h("div", { class: "hours" }, made))
}

function openVisit(id) {
  const row = [...$("place").querySelectorAll("details")].find(one => one.dataset.visit === id)
  if (row) { row.open = true; row.scrollIntoView({ block: "center" }); row.querySelector("summary").focus() }
}

function visitRow(visit, dated) {
  const text = `${title(visit)} at ${visit.camera}, ${moment(visit.first)}`
  const sure = visit.kind === "person" && visit.similarity ? ` · ${Math.floor(visit.similarity)} %` : ""
  const often = visit.visits > 1 ? ` · ${ordinal(visit.visits)} visit` : ""
  const thumb = visit.picture ? h("img", { class: "thumb", src: `/pictures/${visit.picture}`, alt: "", loading: "lazy" }) : h("span", { class: "thumb" })
  const details = h("details", { "data-visit": visit.id, ontoggle: event => { if (event.target.open && !inside.firstChild) inside.append(...visitDetails(visit, text)) } },
    h("summary", {}, h("span", { class: "at" }, dated ? moment(visit.first) : clock(visit.first)), thumb,
      h("span", { class: `who ${tone(visit)}` }, title(visit)),
      h("span", { class: "soft more" }, `${visit.camera} · ${span(visit.last - visit.first)}${sure}${often}`)))
  const inside = h("div", { class: "inside" })
  details.append(inside)
  return h("li", {}, details)
}

function visitDetails(visit, text) {
  const from = visit.first - 3_000, to = Math.min(visit.last + 3_000, visit.first + 120_000)
  const told = { sent: "An alert was sent.", quiet: "The alert was muted.", none: "Seen too briefly for an alert.", due: "The alert is due.", claimed: "The alert is being sent." }
  const clip = h("button", { type: "button", onclick: async () => {
    clip.disabled = true
    try { clip.replaceWith(await video(`/clips/${visit.camera}/${from}-${to}`, text)) } catch (error) { clip.replaceWith(h("p", { class: "bad" }, error.message)) }
  } }, "▶ Clip")
  const facts = h("div", { class: "facts" },
    h("p", {}, `${moment(visit.first)} to ${clock(visit.last)}, ${many(visit.sightings, "sighting")}`),
    visit.kind === "person" && h("p", {}, `Similarity ${visit.similarity.toFixed(1)} of 100`),
    h("p", { class: "soft" }, told[visit.alert] || ""),
    h("div", { class: "line" }, clip, visit.kind === "person" && h("button", { type: "button", onclick: () => { state.who = visit.who; refresh() } }, `All visits of ${visit.names[0]}`)),
    visit.stranger && visit.kind === "stranger" && buttons([{ id: visit.stranger }]))
  return [visit.picture && picture(visit.picture, text, () => enlarge(text, [visit.picture], text)), facts].filter(Boolean)
}

async function video(path, text) {
  const response = await fetch(path)
  if (!response.ok) throw new Error((await response.json()).error)
  return h("video", { src: URL.createObjectURL(await response.blob()), controls: true, autoplay: true, muted: true, "aria-label": `Clip: ${text}` })
}

// People

const people = {
  load: async () => (state.people = (await ask("/api/people")).people),
  draw: found => {
    const head = h("div", { class: "head" }, h("h1", {}, "People"), h("span", { class: "soft" }, `${found.length} known`))
    if (!found.length) return [head, empty("You have not named anybody yet.", "Name a stranger under Review, or put photos under people/<name>/ in the bucket.")]
    return [head, keyed("people", found, person)]
  },
}

function person(one) {
  const photo = (each, index) => h("li", { class: each.reason ? "refused" : null }, picture(each.picture, `${one.name}, photo ${index + 1}${each.reason ? ", refused" : ""}`, () => enlarge(one.name, [each.picture], one.name)))
  const refused = one.photos.filter(each => each.reason)
  const good = one.photos.length - refused.length
  return h("li", { class: "card", "data-id": one.id },
    h("h2", {}, one.name), h("p", { class: "soft" }, `${many(good, "good photo")}${one.last ? `, last seen ${moment(one.last)}` : ""}`),
    h("ul", { class: "photos" }, one.photos.slice(0, 12).map(photo)),
    refused.length > 0 && h("ul", { class: "reasons" }, refused.map(each => h("li", {}, each.reason))),
    one.alike.map(each => h("p", { class: "bad" }, `Looks like ${each.name} (${Math.round(each.similarity)} %): more photos of both help.`)),
    h("div", { class: "line" }, h("button", { type: "button", onclick: () => { state.who = one.id; location.hash = "today" } }, "All visits")))
}

// Cameras

const cameras = {
  load: async () => (await ask("/api/cameras")).cameras,
  draw: found => [h("div", { class: "head" }, h("h1", {}, "Cameras")), keyed("cameras", found.map(one => ({ id: one.camera, ...one })), cameraCard)],
}

function cameraCard(one) {
  const since = one.since === null ? ", never had a session" : ` since ${moment(one.since)}${one.until ? `, until ${moment(one.until)}` : ""}`
  const seen = one.lastRecord === null ? "No face yet in this session." : `Last face ${moment(one.lastRecord)}.`
  const steer = (act, minutes) => async event => {
    event.target.disabled = true
    try { tell((await ask("/cameras", { act, camera: one.camera, minutes })).text) } catch (error) { tell(error.message, { bad: true }) }
    event.target.disabled = false
    await refresh()
  }
  const made = h("li", { class: "card", "data-id": one.camera },
    h("h2", {}, one.camera), h("p", { class: `state ${one.state}` }, h("strong", {}, one.state), h("span", { class: "soft" }, since)),
    one.session && h("p", {}, `${seen} Visits of people: ${one.visits}, of strangers: ${one.strangers}.`),
    one.problem && h("p", { class: "bad" }, one.problem),
    one.session ? h("div", { class: "line" },
      one.state === "paused" ? h("button", { type: "button", onclick: steer("resume") }, "Go on") : h("button", { type: "button", onclick: steer("pause", 60) }, "Pause 1 h"),
      h("button", { type: "button", onclick: steer("stop") }, "Stop")) : starting(one, steer))
  return made
}

function starting(one, steer) {
  const price = h("p", { class: "soft", "aria-live": "polite" })
  const start = h("button", { type: "button", class: "primary" }, "Start")
  const lengths = [[60, "1 hour"], [120, "2 hours"], [480, "8 hours"], [1440, "24 hours"]]
  const length = select(`How long ${one.camera}`, 60, lengths, () => plan())
  const plan = async () => { price.textContent = await ask(`/api/plan?camera=${one.camera}&minutes=${length.value}`).then(found => found.text, error => error.message) }
  start.addEventListener("click", event => steer("start", Number(length.value))(event))
  plan()
  return h("div", {}, h("div", { class: "line" }, length, start), price)
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
  if (moved) { state.items = null; state.shown = AT_ONCE; scrollTo(0, 0); await refresh() }
}

async function refresh() {
  const { place } = state
  try {
    const found = await places[place].load()
    if (place !== state.place) return
    state.items = found
    await draw()
  } catch (error) {
    if (state.items) tell(error.message, { bad: true })
    else $("place").replaceChildren(empty(error.message))
  }
}

async function draw() {
  if (!state.items) return
  const index = cardsShown().indexOf(current())
  put($("place"), places[state.place].draw(state.items).filter(Boolean))
  selectionBar()
  if (document.activeElement === document.body && index >= 0) cardsShown()[Math.min(index, cardsShown().length - 1)]?.focus()
}

const busy = () => document.hidden || $("lock").open || $("place").querySelector("form, details[open], select:focus, input:focus") || document.querySelector("dialog[open]")
let last = ""

async function poll() {
  const { place } = state
  if (!state.items || busy()) return
  const found = await Promise.resolve(places[place].load()).catch(() => null)
  const text = place + JSON.stringify(found)
  if (!found || place !== state.place || busy() || text === last) return
  last = text
  state.items = found
  await draw()
}

setInterval(poll, REFRESH_MS)
document.addEventListener("visibilitychange", poll)

// Keys

const cardsShown = () => [...$("place").querySelectorAll(".card, .visits summary")]
const current = () => document.activeElement?.closest(".card, summary")

function move(by) {
  const all = cardsShown()
  all[Math.min(all.length - 1, Math.max(0, current() ? all.indexOf(current()) + by : 0))]?.focus()
}

function rowLength() {
  const all = cardsShown()
  return Math.max(1, all.filter(one => one.offsetTop === all[0].offsetTop).length)
}

const press = key => (current() || cardsShown()[0])?.querySelector(`[data-key="${key}"]`)?.click()
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
document.addEventListener("keydown", event => {
  if (event.key === "Escape") {
    const twice = Date.now() - escaped < 600
    if (twice || $("lock").open) event.preventDefault()  // or the dialog would close again
    if (twice) lock()
    escaped = Date.now()
    return
  }
  const typing = event.target.closest("input:not([type=checkbox]), select, textarea, video, dialog")
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !$("keys-on").checked || !(event.key in keys)) return
  event.preventDefault()
  keys[event.key]()
})

function lock() {
  $("place").hidden = $("bars").hidden = true
  if (!$("lock").open) $("lock").showModal()
}

$("unlock").addEventListener("click", () => { $("lock").close(); $("place").hidden = $("bars").hidden = false })
$("undo").addEventListener("click", undo)
$("help").addEventListener("click", () => $("keys").showModal())
$("keys-on").checked = localStorage.getItem("keys") !== "off"
$("keys-on").addEventListener("change", event => localStorage.setItem("keys", event.target.checked ? "on" : "off"))
addEventListener("hashchange", go)
enter().then(found => {
  if (!(location.hash.slice(1) in places)) history.replaceState(null, "", found.waiting ? "#review" : "#today")
  return go()
}).catch(error => $("place").replaceChildren(empty("The page is closed.", error.message)))
