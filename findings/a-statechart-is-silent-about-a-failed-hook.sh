#!/usr/bin/env bash
# A connection written as python-statemachine's StateChart moves on when its dial hook fails.
#
# Guess:    an exception in an entry hook reaches the caller and the state stays; an event that does
#           not fit the state, or that does not exist, raises TransitionNotAllowed.
# Software: python-statemachine 3.2.2, classes StateMachine and StateChart.
# Seen:     StateMachine does what was guessed. StateChart, the class that version 3 brought beside it,
#           does none of it by default: the exception is swallowed, the machine stands in the state
#           whose entry failed, and an unfit or misspelt event is ignored. send() gives None each time.
# Output:   see the end of this file.
# Matters:  "dialing" with no dial running is the classic way for a client to be dead and look alive:
#           no time-out is armed, as that too was the hook's work. Set
#           `catch_errors_as_events = False` and `allow_event_without_transition = False`, or arm
#           deadlines outside of hooks.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/py"
"$dir/py/bin/pip" install -q --disable-pip-version-check python-statemachine==3.2.2
cat > "$dir/run.py" <<'PY'
from statemachine import State, StateChart, StateMachine

class Hooks:
    def on_enter_dialing(self):
        raise OSError("no route")

def connection(kind):
    class Connection(Hooks, kind):
        idle = State(initial=True)
        dialing = State()
        open = State()
        dial = idle.to(dialing)
        opened = dialing.to(open)
        lost = open.to(idle)
    return Connection()

for kind in (StateMachine, StateChart):
    machine = connection(kind)
    for event in ("dial", "lost", "dail"):
        try:
            outcome = f"gives {machine.send(event)}"
        except Exception as error:
            outcome = f"raises {type(error).__name__}"
        states = ", ".join(sorted(state.id for state in machine.configuration))
        print(f"{kind.__name__}.send({event!r}) {outcome}, state {states}")
PY
timeout 60 "$dir/py/bin/python" "$dir/run.py" 2> "$dir/errors" | tee "$dir/seen" || { cat "$dir/errors"; exit 1; }
diff - "$dir/seen" <<'OUTPUT'
StateMachine.send('dial') raises OSError, state idle
StateMachine.send('lost') raises TransitionNotAllowed, state idle
StateMachine.send('dail') raises TransitionNotAllowed, state idle
StateChart.send('dial') gives None, state dialing
StateChart.send('lost') gives None, state dialing
StateChart.send('dail') gives None, state dialing
OUTPUT
