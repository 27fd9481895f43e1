// The live page: it keeps a row for each engine, and shows what the service streams.
// What comes from outside is only ever set as text.

import { Dots, drawCloses } from "./draw.js";

const PAGE = 100; // rows of the table at a time
const $ = (id) => document.getElementById(id);
const rows = new Map();
const machine = $("machine");
const dots = new Dots($("dots"), machine);
let totals = null;
let skew = 0; // seconds between the clock of the service and that of this page
let selected = null;
let sort = { column: "engine", down: false };
let first = 0;
let stale = true;

const COLUMNS = [
  ["engine", "engine", (row) => row.engine],
  ["state", "state", (row) => row.state],
  ["since", "since", (row) => -row.since],
  ["attempt", "attempt", (row) => row.attempt],
  ["due", "next dial", (row) => row.due ?? Infinity],
  ["code", "last close", (row) => row.status ?? row.code ?? 0],
  ["reason", "reason", (row) => row.reason ?? ""],
  ["rule", "rule", (row) => row.rule ?? ""],
  ["unsent", "unsent", (row) => row.unsent],
  ["generation", "generation", (row) => row.generation],
];
const NUMBERS = new Set(["since", "attempt", "due", "unsent", "generation"]);

const clock = () => Date.now() / 1000 + skew;

function span(seconds) {
  const whole = Math.max(0, seconds);
  if (whole < 60) return `${whole.toFixed(whole < 10 ? 1 : 0)} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${(whole / 3600).toFixed(1)} h`;
  return `${(whole / 86400).toFixed(1)} d`;
}

function endOf(row) {
  if (row.code === undefined) return "";
  const number = row.status === undefined ? `${row.code} ${row.name}` : `HTTP ${row.status}`;
  return `${number}, by ${row.origin}${row.intentional ? ", asked for" : ""}`;
}

function cellText(row, column) {
  switch (column) {
    case "since": return span(clock() - row.since);
    case "due": return row.due === undefined ? "" : `in ${span(row.due - clock())}`;
    case "code": return endOf(row);
    default: return String(row[column] ?? "");
  }
}

// -- the table ---------------------------------------------------------------------------

function buildHead() {
  $("engines").tHead.rows[0].replaceChildren(
    ...COLUMNS.map(([column, title]) => {
      const head = document.createElement("th");
      head.scope = "col";
      head.dataset.column = column;
      if (NUMBERS.has(column)) head.className = "number";
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = title;
      button.addEventListener("click", () => {
        sort = { column, down: sort.column === column && !sort.down };
        first = 0;
        showTable();
      });
      head.append(button);
      return head;
    }),
  );
}

function matching() {
  const words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const state = $("state").value;
  const found = [];
  for (const row of rows.values()) {
    if (state && row.state !== state) continue;
    if (words.length) {
      const text = `${row.engine} ${row.state} ${endOf(row)} ${row.reason ?? ""} ${row.rule ?? ""} ${row.peer}`.toLowerCase();
      if (!words.every((word) => text.includes(word))) continue;
    }
    found.push(row);
  }
  const value = COLUMNS.find(([column]) => column === sort.column)[2];
  const way = sort.down ? -1 : 1;
  return found.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return (x < y ? -1 : x > y ? 1 : a.engine < b.engine ? -1 : 1) * way;
  });
}

function showTable() {
  stale = false;
  const found = matching();
  first = Math.max(0, Math.min(first, Math.floor((found.length - 1) / PAGE) * PAGE));
  const page = found.slice(first, first + PAGE);
  const body = $("engines").tBodies[0];
  while (body.rows.length > page.length) body.deleteRow(-1);
  while (body.rows.length < page.length) body.append(newRow());
  page.forEach((row, index) => fill(body.rows[index], row));
  $("shown").textContent = found.length
    ? `${first + 1} to ${first + page.length} of ${found.length}`
    : "no engine matches";
  $("previous").disabled = first === 0;
  $("next").disabled = first + PAGE >= found.length;
  for (const head of $("engines").tHead.rows[0].cells) {
    const way = sort.down ? "descending" : "ascending";
    head.setAttribute("aria-sort", head.dataset.column === sort.column ? way : "none");
  }
}

function newRow() {
  const line = document.createElement("tr");
  line.tabIndex = 0;
  for (const [column] of COLUMNS) {
    const cell = line.insertCell();
    cell.className = NUMBERS.has(column) ? "number" : column;
    if (column === "state") {
      const dot = document.createElement("span");
      cell.append(dot, "");
    }
  }
  const choose = () => select(line.dataset.engine);
  line.addEventListener("click", choose);
  line.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); }
    const next = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling }[event.key];
    if (next) { event.preventDefault(); next.focus(); }
  });
  return line;
}

function fill(line, row) {
  line.dataset.engine = row.engine;
  line.setAttribute("aria-selected", String(row.engine === selected));
  COLUMNS.forEach(([column], index) => {
    const cell = line.cells[index];
    const text = cellText(row, column);
    if (column === "state") {
      cell.firstChild.className = `dot ${row.state}`;
      if (cell.lastChild.data !== text) cell.lastChild.data = text;
    } else if (cell.textContent !== text) cell.textContent = text;
    if (column === "reason") cell.title = text;
  });
}

// Counting goes on between two messages: only the two columns of times change.
function countDown() {
  const body = $("engines").tBodies[0];
  for (const line of body.rows) {
    const row = rows.get(line.dataset.engine);
    if (!row) continue;
    for (const index of [2, 4]) line.cells[index].textContent = cellText(row, COLUMNS[index][0]);
  }
}

// -- one engine --------------------------------------------------------------------------

async function select(engine) {
  selected = engine;
  showTable();
  $("detail").hidden = false;
  $("timeline-title").textContent = `Timeline of ${engine}`;
  $("outcome").textContent = "";
  const response = await fetch(`timeline?engine=${encodeURIComponent(engine)}`);
  const changes = await response.json();
  if (selected === engine) $("timeline").replaceChildren(...changes.map(step).reverse());
}

function step(row) {
  const item = document.createElement("li");
  const at = document.createElement("time");
  at.dateTime = new Date(row.since * 1000).toISOString();
  at.textContent = at.dateTime.slice(11, 23);
  const dot = document.createElement("span");
  dot.className = `dot ${row.state}`;
  const parts = [`${row.from} → ${row.state}`, `generation ${row.generation}`];
  if (row.code !== undefined) parts.push(endOf(row));
  if (row.reason) parts.push(`“${row.reason}”`);
  if (row.rule) parts.push(`rule ${row.rule}`);
  item.append(at, dot, parts.join(" · "));
  return item;
}

async function act(action) {
  const outcome = $("outcome");
  outcome.textContent = "…";
  const response = await fetch(action, {
    method: "POST",
    headers: { Authorization: `Bearer ${$("token").value}`, "Content-Type": "application/json" },
    body: JSON.stringify({ engine: selected }),
  });
  const text = await response.text();
  outcome.textContent = response.ok ? `now ${JSON.parse(text).state}` : text;
}

// -- what the service says ---------------------------------------------------------------

function take(row) {
  rows.set(row.engine, row);
  dots.set(row.engine, row.state);
  if (row.engine === selected) {
    const list = $("timeline");
    list.prepend(step(row));
    while (list.children.length > 200) list.lastChild.remove();
  }
}

function showTotals(found) {
  totals = found;
  skew = found.now - Date.now() / 1000;
  const text = Object.entries(found.states).filter(([, count]) => count).map(([state, count]) => `${count} ${state}`);
  $("summary").textContent = text.join(", ") || "no engine yet";
  for (const group of machine.querySelectorAll(".state")) {
    const count = found.states[group.dataset.state];
    group.querySelector(".count").textContent = count;
    group.setAttribute("aria-label", `${group.dataset.state}: ${count} engines`);
  }
  drawCloses($("closes"), $("legend"), found.minutes);
  const body = $("rules").tBodies[0];
  body.replaceChildren(
    ...Object.entries(found.rules).map(([rule, hits]) => {
      const line = document.createElement("tr");
      line.insertCell().textContent = rule || "(none)";
      const cell = line.insertCell();
      cell.className = "number";
      cell.textContent = hits;
      return line;
    }),
  );
  showAlarms(found.alarms);
}

// The list is announced by a screen reader when it changes, so it must not change each second.
let alarmTexts = [];

function showAlarms(alarms) {
  const texts = alarms.map((alarm) => {
    const number = alarm.status === null ? alarm.code : `HTTP ${alarm.status}`;
    return `${number} by ${alarm.origin}: ${alarm.count} where ${alarm.usual} are usual; ${alarm.reading}`;
  });
  if (texts.join("\n") === alarmTexts.join("\n")) return;
  alarmTexts = texts;
  $("alarms").hidden = !texts.length;
  $("alarm-list").replaceChildren(
    ...texts.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }),
  );
}

// -- the page's own connection, by the rules that the library keeps: full jitter, a cap, and
// never two dials within a second.

let failures = 0;
let healthy = 0;

function link(state, text) {
  $("link").dataset.state = state;
  $("link").textContent = `page: ${text}`;
}

function dial() {
  link("connecting", "connecting");
  const source = new EventSource("events");
  source.addEventListener("snapshot", (event) => {
    const { rows: all, totals: found } = JSON.parse(event.data);
    const there = new Set(all.map((row) => row.engine));
    for (const engine of rows.keys()) if (!there.has(engine)) { rows.delete(engine); dots.delete(engine); }
    for (const row of all) { rows.set(row.engine, row); dots.set(row.engine, row.state); }
    showTotals(found);
    showTable();
    link("open", "live");
    clearTimeout(healthy);
    healthy = setTimeout(() => { failures = 0; }, 10_000);
  });
  source.addEventListener("rows", (event) => {
    for (const row of JSON.parse(event.data)) take(row);
    stale = true;
  });
  source.addEventListener("gone", (event) => {
    for (const engine of JSON.parse(event.data)) { rows.delete(engine); dots.delete(engine); }
    stale = true;
  });
  source.addEventListener("totals", (event) => showTotals(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    source.close();
    clearTimeout(healthy);
    failures += 1;
    const wait = 1000 + Math.random() * Math.min(30_000, 1000 * 2 ** failures);
    link("backoff", `lost; next try in ${Math.round(wait / 1000)} s`);
    setTimeout(dial, wait);
  });
}

// -- the beginning -----------------------------------------------------------------------

for (const group of machine.querySelectorAll(".state")) {
  const state = group.dataset.state;
  $("state").append(new Option(state, state));
  group.tabIndex = 0;
  group.setAttribute("role", "button");
  group.setAttribute("aria-pressed", "false");
  const choose = () => {
    $("state").value = $("state").value === state ? "" : state;
    $("state").dispatchEvent(new Event("change"));
  };
  group.addEventListener("click", choose);
  group.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); }
  });
}
machine.setAttribute("role", "group");
$("state").addEventListener("change", () => {
  for (const group of machine.querySelectorAll(".state"))
    group.setAttribute("aria-pressed", String(group.dataset.state === $("state").value));
  first = 0;
  showTable();
});
$("find").addEventListener("input", () => { first = 0; showTable(); });
$("previous").addEventListener("click", () => { first -= PAGE; showTable(); });
$("next").addEventListener("click", () => { first += PAGE; showTable(); });
for (const button of document.querySelectorAll("[data-action]"))
  button.addEventListener("click", () => act(button.dataset.action));

$("actions").addEventListener("submit", (event) => event.preventDefault());
buildHead();
const options = await (await fetch("options")).json();
$("actions").hidden = !options.actions;
setInterval(() => {
  if (document.hidden) return;
  if (stale) showTable();
  else countDown();
}, 500);
dial();
