// Runs machines in another engine: node engines.js xstate|scxml < question > answers
//
// The question: {machines, cases: [{path, trigger, guard}], walks: [[{trigger, guard}, ...]]}.
// A case goes its path from the start and then fires one trigger; the answer says what that did:
// the state, and whether a transition was taken. A walk answers with the state after each event.
// There is one answer for each machine.
"use strict";

const fs = require("fs");

function xstate(text) {
  const { createMachine, initialTransition, transition } = require("xstate");
  const guards = { given: ({ event }, { guard }) => event.guard === guard };
  const machine = createMachine(JSON.parse(text), { guards });
  return () => {
    let [snapshot] = initialTransition(machine);
    return ({ trigger, guard }) => {
      const event = { type: trigger, guard };
      const [taken] = machine.getTransitionData(snapshot, event) ?? [];
      [snapshot] = transition(machine, snapshot, event);
      const effect = !taken ? "none" : taken.target ? "moves" : taken.meta.effect;
      return { state: snapshot.value, effect };
    };
  };
}

function scxml(text) {
  const { documentStringToModel, core } = require("@scion-scxml/scxml");
  const found = {};
  documentStringToModel("recloser.scxml", text, (error, model) => {
    if (error) throw error;
    model.prepare((failed, prepared) => {
      if (failed) throw failed;
      found.model = prepared;
    });
  });
  const start = () => {
    const chart = new core.Statechart(found.model);
    let taken = false;
    chart.registerListener({ onTransition: () => (taken = true) });
    chart.start();
    return ({ trigger, guard }) => {
      const [before] = chart.getConfiguration();
      taken = false;
      chart.gen({ name: trigger, data: guard });
      const [state] = chart.getConfiguration();
      return { state, effect: !taken ? "none" : state === before ? "keeps" : "moves" };
    };
  };
  // The model may be ready only at a later turn.
  return new Promise((resolve) => {
    const look = () => (found.model ? resolve(start) : setImmediate(look));
    look();
  });
}

async function main(engine) {
  const { machines, cases, walks } = JSON.parse(fs.readFileSync(0, "utf8"));
  const answers = [];
  for (const machine of machines) {
    const start = await { xstate, scxml }[engine](machine);
    answers.push({
      cases: cases.map(({ path, trigger, guard }) => {
        const fire = start();
        path.forEach(fire);
        return fire({ trigger, guard });
      }),
      walks: walks.map((events) => {
        const fire = start();
        return events.map((event) => fire(event).state);
      }),
    });
  }
  process.stdout.write(JSON.stringify(answers));
}

main(process.argv[2]);
