"""The machine and the outbox as a model in Promela, the language of the model checker Spin.

The rows of both tables are written from the live ones. What stands around them is the core in
short: its guards, wishes and deadlines, the sockets, events that come late, and a policy that may
answer anything. Spin (spinroot.com) tries every order of all of that. `docs/proof.md` says what
the model shows, and what it leaves out.
"""

from collections.abc import Iterable
from typing import Final

from recloser.diagram.picture import START, Picture
from recloser.fsm.states import Guard, State, Trigger, Word
from recloser.fsm.table import IGNORED, Row
from recloser.outbox.table import SKIPPED, TABLE, Kind, MessageState, MessageTrigger, Transition

_HEAD: Final = """\
/* Drawn from the live machine by `recloser diagram`: do not edit.

   Verify it: spin -run -safety machine.pml
   One claim: spin -run -a -f -ltl settles machine.pml

   S_ is a state, T_ a trigger, G_ a guard; M_ is the state of a message, U_ a trigger of it,
   K_ its kind. A failed assertion is a broken clause of the specification, or an event that no
   correct driver sends. */

#define GENERATIONS 3   /* a number is used again when no event of it can be in flight */
#define MESSAGES 1      /* each has its fate for itself; order is not in the model */
"""

_ILLEGAL: Final = """
  :: else -> assert(false)   /* no correct driver does this */
  fi
}
"""

_FACTS: Final = """
mtype state = {start}, before = {start};
mtype guard = G_NONE;        /* chooses between the rows of one state and trigger */
mtype wish = G_CLOSE;        /* the last wish while closing */
mtype asked = T_CLOSE;       /* what the application asked for last: close, suspend, connect */
bool taken, deadline;
bool young;                  /* open, and not stable yet */
bool moving, ready;          /* a successor is dialled; it is up */
byte generation, successor, latest;
bool up[GENERATIONS];        /* a socket, or a dial, of this generation exists */
bool opening[GENERATIONS];   /* its success is in flight */
bool ending[GENERATIONS];    /* its end is in flight */

mtype message[MESSAGES] = M_OFFERED;
mtype kind[MESSAGES];
bool offered[MESSAGES];      /* `send` was called */
bool left[MESSAGES];         /* the kernel took it, or it may have */
bool known[MESSAGES];        /* the peer said that it has it */
bool reported[MESSAGES];     /* its drop was reported */
bool handed_back[MESSAGES];  /* refused, cleared or moved: the application has it */
byte i;
"""

_CORE: Final = """
/* A dial: A1 and A3 say who may ask for it. */
inline number() {
  assert(asked == T_CONNECT);
  latest = (latest + 1) % GENERATIONS;
  if
  :: latest == generation -> latest = (latest + 1) % GENERATIONS
  :: else
  fi;
  opening[latest] = false;
  ending[latest] = false;
  up[latest] = true
}

/* C1: nothing else is up. */
inline dial() {
  assert(!up[0] && !up[1] && !up[2]);
  number();
  generation = latest
}

/* C1.2: in open alone, and one at most, a successor is dialled besides. */
inline begin_move() {
  fire(T_MOVE);
  if
  :: taken ->
     assert(up[0] + up[1] + up[2] == 1);
     number();
     successor = latest;
     moving = true;
     ready = false;
     set_open_deadline()
  :: else
  fi
}

/* The successor is given up. */
inline drop() {
  if
  :: moving -> up[successor] = false; moving = false; set_open_deadline()
  :: else
  fi
}

/* The successor is not to be had. */
inline failed() {
  fire(T_FAILED);
  drop()
}

inline set_open_deadline() {
  if
  :: state == S_OPEN -> deadline = young || (moving && !ready)
  :: else
  fi
}

inline stable() {
  fire(T_STABLE);
  young = false;
  set_open_deadline()
}

/* The one place where the state changes. */
inline move(t) {
  fire(t);
  if
  :: taken && state != before ->
     if
     :: state == S_PASSIVE && guard == G_HOLD -> guard = G_HELD
     :: state == S_PASSIVE && guard != G_HOLD -> guard = G_SUSPENDED
     :: else -> guard = G_NONE
     fi;
     deadline = (state == S_CONNECTING || state == S_OPEN || state == S_CLOSING
                 || state == S_BACKOFF);
     young = state == S_OPEN;
     if
     :: state == S_CONNECTING && moving ->   /* promoted in the place of a dial */
        assert(asked == T_CONNECT);
        generation = successor;
        moving = false;
        assert(up[0] + up[1] + up[2] == 1)
     :: state == S_CONNECTING && !moving -> dial()
     :: else
     fi
  :: else
  fi
}

/* The end of the generation. The policy answers anything; after an end that the application
   asked for, only its failure counts, and that is to close. */
inline lost() {
  up[generation] = false;
  if
  :: state == S_CLOSING -> if :: guard = wish :: guard = G_CLOSE fi
  :: state != S_CLOSING -> if :: guard = G_RETRY :: guard = G_HOLD :: guard = G_STOP fi
  fi;
  take_back();
  if
  :: guard == G_CLOSE && wish != G_CLOSE -> asked = T_CLOSE   /* the policy failed: as if asked */
  :: else
  fi;
  move(T_LOST);
  if
  :: moving && state == S_BACKOFF -> if :: move(T_RETRY) :: drop() fi
  :: moving && state != S_BACKOFF -> drop()
  :: else
  fi
}

/* A call of the application. */
inline ask(t, g) {
  asked = t;
  move(t);
  if
  :: state == S_CLOSING -> wish = g
  :: state == S_PASSIVE && t == T_SUSPEND -> guard = G_SUSPENDED
  :: state == S_CLOSED && t == T_SUSPEND -> asked = T_CLOSE   /* A3.3: it does nothing there */
  :: else
  fi;
  if
  :: t != T_CONNECT -> drop()
  :: else
  fi
}

/* Leave this connection for another. */
inline leave() {
  move(T_CLOSE);
  move(T_CONNECT);
  wish = G_CONNECT
}
"""

_MESSAGES: Final = """
/* Each message has left, is held, or its end was told: G1. */
inline account(m) {
  assert(message[m] != M_SETTLED || left[m] || known[m]);
  assert(message[m] != M_DROPPED || reported[m]);
  assert(message[m] != M_WITHDRAWN || handed_back[m])
}

/* The connection is gone: what may not have left comes back. */
inline take_back() {
  for (i : 0 .. MESSAGES - 1) {
    if
    :: message[i] == M_HANDED_OVER || message[i] == M_ON_THE_WIRE ->
       if
       :: kind[i] == K_PLAIN && left[i] -> turn(i, U_LEAVE)
       :: kind[i] != K_PLAIN || !left[i] -> turn(i, U_RETURN)
       fi
    :: message[i] == M_UNACKNOWLEDGED -> turn(i, U_RETURN)
    :: else
    fi
  }
}

inline post(m) {
  if
  :: !offered[m] ->                              /* `send` */
     offered[m] = true;
     if :: kind[m] = K_PLAIN :: kind[m] = K_ACKNOWLEDGED fi;
     if
     :: state == S_OPEN -> turn(m, U_HAND_OVER)
     :: state == S_CLOSED -> handed_back[m] = true; turn(m, U_WITHDRAW)
     :: state != S_OPEN && state != S_CLOSED ->
        if
        :: turn(m, U_ADMIT)
        :: handed_back[m] = true; turn(m, U_WITHDRAW)    /* no room, or refused */
        :: reported[m] = true; turn(m, U_DROP)           /* no room: drop the newest */
        fi
     fi
  :: message[m] == M_WAITING && state == S_OPEN -> turn(m, U_HAND_OVER)
  :: message[m] == M_WAITING -> reported[m] = true; turn(m, U_DROP)
  :: message[m] == M_HANDED_OVER ->
     if
     :: left[m] = true; turn(m, U_SENT)
     :: turn(m, U_SENT)                           /* it stands in the write buffer */
     :: state != S_OPEN -> turn(m, U_BOUNCE); turn(m, U_ADMIT)
     fi
  :: message[m] == M_ON_THE_WIRE && left[m] -> turn(m, U_LEAVE)
  :: message[m] == M_ON_THE_WIRE && !left[m] -> left[m] = true
  :: message[m] == M_UNACKNOWLEDGED && !left[m] -> left[m] = true
  :: message[m] == M_UNACKNOWLEDGED && left[m] -> known[m] = true; turn(m, U_ACKNOWLEDGE)
  :: message[m] == M_UNACKNOWLEDGED -> turn(m, U_OVERDUE)
  :: message[m] == M_WAITING || message[m] == M_UNACKNOWLEDGED ->
     handed_back[m] = true; turn(m, U_WITHDRAW)   /* `outbox.clear()` */
  fi
}
"""

_LIFE: Final = """
/* Events of a generation arrive: those of an old one change nothing (C2). */
inline opened(g) {
  opening[g] = false;
  if
  :: moving && g == successor && !ready -> ready = true; leave()
  :: g == generation && (state == S_CONNECTING || state == S_CLOSING) -> move(T_OPENED)
  :: else
  fi
}

inline ended(g) {
  ending[g] = false;
  if
  :: moving && g == successor -> failed()
  :: g == generation && up[g] -> lost()
  :: else
  fi
}

active proctype application() {
  mtype call, last;
  do
  :: atomic {
       if
       :: call = T_CONNECT; last = G_CONNECT
       :: call = T_CLOSE; last = G_CLOSE
       :: call = T_SUSPEND; last = G_SUSPEND
       fi;
       ask(call, last) }
  :: atomic { state == S_OPEN -> drop(); leave() }    /* reconnect */
  :: atomic { !moving -> begin_move() }
  :: atomic { state == S_OPEN -> stable() }           /* mark_healthy */
  :: atomic { true -> move(T_WAKE) }                  /* a hint */
  od
}

active proctype sender() {
  do
  :: atomic { post(0) }
  od
}

/* What a transport does: a generation opens, ends, or both are on their way. That a policy is
   asked after `fail()` is an end in `open` like any other. */
active proctype wire() {
  byte g;
  do
  :: up[generation]   /* the peer may be silent for ever */
  :: atomic { state == S_CONNECTING && !opening[generation] -> opening[generation] = true }
  :: atomic { moving && !ready && !opening[successor] -> opening[successor] = true }
  :: atomic { up[generation] && !ending[generation] -> ending[generation] = true }
  :: atomic { moving && !ending[successor] -> ending[successor] = true }
  :: atomic {
       if
       :: opening[0] -> g = 0
       :: opening[1] -> g = 1
       :: opening[2] -> g = 2
       fi;
       opened(g) }
  :: atomic {
       if
       :: ending[0] -> g = 0
       :: ending[1] -> g = 1
       :: ending[2] -> g = 2
       fi;
       ended(g) }
  od
}

/* Time passes: the one deadline that the state owns. */
active proctype clock() {
  do
  :: atomic { deadline ->
       if
       :: state == S_OPEN && young -> stable()
       :: state == S_OPEN && moving && !ready -> failed()
       :: state == S_BACKOFF -> move(T_RETRY)
       :: state == S_CONNECTING || state == S_CLOSING -> lost()
       fi }
  od
}

/* A4: a close ends. */
ltl settles { [] (asked == T_CLOSE -> <> (state == S_CLOSED || asked != T_CLOSE)) }
"""


def promela(picture: Picture, messages: Iterable[Transition] = TABLE) -> str:
    """Return the model: the rows of both tables, and the core around them."""
    names = [
        *(_name("S", each) for each in State),
        *(_name("T", each) for each in Trigger),
        "G_NONE",
        *(_name("G", each) for each in Guard),
        *(_name("M", each) for each in MessageState),
        *(_name("U", each) for each in MessageTrigger),
        *(_name("K", each) for each in Kind),
    ]
    return "".join(
        (
            _HEAD,
            f"\nmtype = {{ {', '.join(names)} }};\n",
            _FACTS.format(start=_name("S", START)),
            _machine(picture.rows),
            _outbox(messages),
            _MESSAGES,
            _CORE,
            _LIFE,
        )
    )


def _machine(rows: Iterable[Row]) -> str:
    lines = [
        *(_branch(row.source, row.trigger, row.guard, row.target, effect="true") for row in rows),
        *(_branch(each.source, each.trigger, each.guard, None, effect="false") for each in IGNORED),
    ]
    return "\ninline fire(t) {\n  before = state;\n  if\n" + "\n".join(lines) + _ILLEGAL


def _branch(
    source: State, trigger: Trigger, guard: Guard | None, target: State | None, *, effect: str
) -> str:
    test = f"state == {_name('S', source)} && t == {_name('T', trigger)}"
    if guard is not None:
        test += f" && guard == {_name('G', guard)}"
    moved = "" if target is None else f"state = {_name('S', target)}; "
    return f"  :: {test} -> {moved}taken = {effect}"


def _outbox(rows: Iterable[Transition]) -> str:
    lines = []
    for row in rows:
        test = f"message[m] == {_name('M', row.source)} && u == {_name('U', row.trigger)}"
        if row.guard is not None:
            test += f" && kind[m] == {_name('K', row.guard)}"
        lines.append(f"  :: {test} -> message[m] = {_name('M', row.target)}")
    for each in SKIPPED:
        pair = f"message[m] == {_name('M', each.source)} && u == {_name('U', each.trigger)}"
        lines.append(f"  :: {pair}")
    return (
        "\ninline turn(m, u) {\n  if\n"
        + "\n".join(lines)
        + _ILLEGAL.replace("fi\n", "fi;\n  account(m)\n")
    )


def _name(prefix: str, word: Word) -> str:
    return f"{prefix}_{word.name}"
