"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const named = (kind) => new Map(
    [...document.querySelectorAll(`figure .${kind}`)].map((each) => [each.querySelector("title").textContent, each]));
  const nodes = named("node"), edges = named("edge");
  const states = new Map(data.states.map((each) => [each.name, each]));
  let state = data.states.find((each) => each.start).name;
  let play = [], step = -1, timer = null;

  const element = (tag, text = "", parent = null) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (parent) parent.append(made);
    return made;
  };
  const label = (row) => row.guard === null ? row.trigger : `${row.trigger} [${row.guard}]`;

  function show(name, from = null) {
    state = name;
    for (const each of [...nodes.values(), ...edges.values()]) each.classList.remove("now");
    nodes.get(name).classList.add("now");
    if (from !== null) edges.get(`${from}->${name}`)?.classList.add("now");
    at("state").textContent = name;
    const facts = states.get(name);
    at("about").textContent = [facts.start && "start and end", facts.rest && "rest"].filter(Boolean).join(", ");
    at("rows").replaceChildren();
    for (const row of data.rows.filter((each) => each.from === name)) {
      const line = element("tr", "", at("rows"));
      const event = element("td", label(row), line);
      if (row.rules?.length) element("small", row.rules.join(", "), event);
      if (row.count !== undefined) element("small", `taken \u00d7 ${row.count}`, event);
      const target = element("td", "", line);
      if (row.to === null) { target.textContent = "the state stays"; continue; }
      element("button", row.to, target).addEventListener("click", () => { stop(); show(row.to, name); });
    }
  }

  function fire(trigger) {
    stop();
    for (const each of at("events").children)
      each.setAttribute("aria-pressed", String(each.textContent === trigger));
    const rows = data.rows.filter((each) => each.from === state && each.trigger === trigger);
    const ignored = data.ignored.filter((each) => each.from === state && each.trigger === trigger);
    const said = [
      ...rows.map((each) => `${label(each)}: ${each.to === null ? "the state stays" : `to ${each.to}`}`),
      ...ignored.map((each) => `${label(each)}: ignored, ${each.why}`),
    ];
    at("answer").textContent = said.length ? `In ${state}, ${said.join("; ")}.`
      : `In ${state}, ${trigger} cannot happen: the machine refuses it.`;
    const moves = rows.filter((each) => each.to !== null);
    const from = state;
    if (rows.length === 1 && moves.length === 1) show(moves[0].to, from);
    else for (const each of moves) edges.get(`${from}->${each.to}`)?.classList.add("now");
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    at("run").setAttribute("aria-pressed", "false");
  }

  function go(number) {
    if (!play.length) return;
    step = Math.max(-1, Math.min(number, play.length - 1));
    const now = play[step];
    if (now === undefined) show(play[0].from);
    else show(now.to, now.from === now.to ? null : now.from);
    at("told").textContent = now === undefined ? "" : now.text;
    at("place").textContent = `${step + 1} of ${play.length}`;
    [...at("steps").children].forEach((each, index) => {
      if (index === step) { each.setAttribute("aria-current", "step"); each.scrollIntoView({ block: "nearest" }); }
      else each.removeAttribute("aria-current");
    });
    if (step === play.length - 1) stop();
  }

  function choose(number) {
    stop();
    play = data.plays[number].steps;
    at("steps").replaceChildren();
    play.forEach((each, index) => {
      element("li", `${each.time}  ${each.from === each.to ? each.to : `${each.from} \u2192 ${each.to}`}`, at("steps"))
        .addEventListener("click", () => { stop(); go(index); });
    });
    go(-1);
  }

  for (const name of states.keys()) {
    const node = nodes.get(name);
    node.setAttribute("tabindex", "0");
    node.setAttribute("role", "button");
    node.addEventListener("click", () => { stop(); show(name); });
    node.addEventListener("keydown", (event) => { if (event.key === "Enter") { stop(); show(name); } });
  }
  for (const trigger of new Set(data.rows.map((each) => each.trigger)))
    element("button", trigger, at("events")).addEventListener("click", () => fire(trigger));
  show(state);
  if (data.plays.length) {
    at("player").hidden = false;
    data.plays.forEach((each, index) => { element("option", each.title, at("plays")).value = index; });
    at("plays").addEventListener("change", () => choose(Number(at("plays").value)));
    at("first").addEventListener("click", () => { stop(); go(-1); });
    at("back").addEventListener("click", () => { stop(); go(step - 1); });
    at("next").addEventListener("click", () => { stop(); go(step + 1); });
    at("run").addEventListener("click", () => {
      if (timer !== null) { stop(); return; }
      if (step === play.length - 1) go(-1);
      at("run").setAttribute("aria-pressed", "true");
      timer = setInterval(() => go(step + 1), 900);
    });
    choose(0);
  }
})();
