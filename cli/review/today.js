// Who was here: the visits of a day, or all of one person. What it uses stands in page.js.
"use strict"

const title = visit => visit.kind === "stranger" ? "stranger" : (visit.probably ? "probably " : "") + visit.names.join(" or ")
const tone = visit => visit.kind === "stranger" ? "stranger" : "person"

const today = {
  load: async () => (await Promise.all([ask(`/api/visits?day=${state.day}&who=${state.who}`), known()]))[0],
  draw: found => {
    const isToday = found.day === found.today
    const to = day => { state.day = day === found.today ? "" : day; refresh() }
    const step = days => { const at = new Date(`${found.day}T12:00Z`); at.setUTCDate(at.getUTCDate() + days); to(at.toISOString().slice(0, 10)) }
    const shown = visit => (!state.camera || visit.camera === state.camera) && title(visit).toLowerCase().includes(state.text.trim().toLowerCase())
    const rows = () => found.visits.filter(shown).map(visit => visitRow(visit, !found.day))
    const list = h("ul", { class: "visits" }, rows())
    const search = h("input", { type: "search", id: "search", placeholder: "Search a name", "aria-label": "Search a name", value: state.text, oninput: event => { state.text = event.target.value; list.replaceChildren(...rows()) } })
    const days = found.day ? [button("‹", () => step(-1), { "aria-label": "Day before" }),
      h("input", { type: "date", "aria-label": "Day", value: found.day, max: found.today, onchange: event => event.target.value && to(event.target.value) }),
      button("›", () => step(1), { "aria-label": "Day after", disabled: found.day >= found.today })]
      : button("Back to the day", () => { state.who = ""; refresh() })
    const cameras = state.cameras.length > 1 && select("Camera", state.camera, [["", "all cameras"], ...state.cameras.map(one => [one, one])], camera => { state.camera = camera; draw() })
    const when = isToday ? "today" : `on ${date(found.from)}`
    const head = h("div", { class: "head" }, h("h1", {}, isToday ? "Today" : found.day ? date(found.from) : `All visits of ${found.name}`), days, h("span", { class: "push line" }, search, cameras))
    const lanes = found.day && h("div", { class: "lanes" }, found.cameras.filter(one => !state.camera || one.camera === state.camera).map(one => lane(one, found)), hours(found))
    const nobody = !found.day ? empty("No visit is kept.") : found.cameras.some(one => one.watched) ? empty(`Nobody came ${when}.`, "While a session ran, no face was seen.") : empty(`Nothing was watched ${when}.`, "Start a session under Cameras.")
    const older = !found.day && !found.isAll && soft("These are the newest ones; ./whosthere visits lists all.")
    return [head, lanes, found.visits.length ? list : nobody, older]
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
  if (Date.now() < to) gaps.push(place(h("span", { class: "later" }), Date.now(), to))
  const label = [`${one.camera}: ${many(own.length, "visit")}`, ...one.gaps.map(text)].join(". ")
  return h("div", { class: "lane" }, h("span", {}, one.camera), h("div", { class: "track", role: "img", "aria-label": label }, gaps, bars))
}

function hours({ from, to }) {
  const marks = [...Array(9).keys()].map(step => from + step * (to - from) / 8)
  const made = marks.map((ms, index) => { const mark = h("span", {}, index === 8 ? "24" : clock(ms).slice(0, 2)); mark.style.left = `${12.5 * index}%`; return mark })
  return h("div", { class: "lane hours-of", "aria-hidden": "true" }, h("span"), h("div", { class: "hours" }, made))
}

const openVisit = id => {
  const row = $("place").querySelector(`details[data-visit="${CSS.escape(id)}"]`)
  if (row) { row.open = true; row.querySelector("summary").focus() }
}

function visitRow(visit, dated) {
  const text = `${title(visit)} at ${visit.camera}, ${moment(visit.first)}`
  const share = Math.floor(visit.probably ? visit.unsureSimilarity : visit.similarity)
  const sure = visit.kind === "person" && share ? ` · ${share} %` : ""
  const often = visit.visits > 1 ? ` · ${ordinal(visit.visits)} visit` : ""
  const face = visit.picture || state.people.find(one => one.id === visit.who)?.photos[0]?.picture
  const thumb = face ? photo(face, { class: "thumb", loading: "lazy" }) : h("span", { class: "thumb" })
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
  const clip = button("▶ Clip", async () => {
    clip.disabled = true
    clip.replaceWith(await video(`/clips/${visit.camera}/${from}-${to}`, text).catch(error => h("p", { class: "bad" }, error.message)))
  })
  const facts = h("div", { class: "facts" },
    h("p", {}, `${moment(visit.first)} to ${clock(visit.last)}, ${many(visit.sightings, "sighting")}`),
    visit.kind === "person" && visit.similarity > 0 && h("p", {}, `Similarity ${visit.similarity.toFixed(1)} of 100`),
    visit.unsure > 0 && h("p", {}, `${many(visit.unsure, "unsure sighting")}, at most ${visit.unsureSimilarity.toFixed(1)} of 100: a second photo helps.`),
    soft(told[visit.alert]),
    line(clip, visit.kind === "person" && button(`All visits of ${visit.names[0]}`, () => { state.who = visit.who; refresh() }),
      visit.kind === "person" && visit.alert !== "none" && button(`Not ${visit.names[0]}`, () => decide("not", [], { visit: visit.id }), { title: "Somebody else: a stranger, and told apart from now on" })),
    visit.stranger && visit.kind === "stranger" && buttons([{ id: visit.stranger }]))
  return [visit.picture && picture(visit.picture, text, () => enlarge(text, [visit.picture], text)), facts].filter(Boolean)
}

async function video(path, text) {
  const response = await fetch(path)
  if (!response.ok) throw new Error((await response.json()).error)
  return h("video", { src: URL.createObjectURL(await response.blob()), controls: true, autoplay: true, muted: true, "aria-label": `Clip: ${text}` })
}
