"""Arguments that would have no effect beside the others: each is refused, and told what to do."""

from recloser import Acknowledgements, Outbox, policies
from recloser.credentials import Credentials, query
from recloser.policies import at_least, below, hold, retry, stop
from recloser.testing import Fault, Plan
from recloser.testing.doubles.faults import ScriptError
from recloser.transport import AiohttpTransport
from tests.engine.rig import REFUSED, UP, opened
from tests.parameters.rows import Refused

NAN = float("nan")


async def sends(**options: object) -> None:
    """Without an outbox."""
    ws, _, _ = await opened(UP)
    try:
        await ws.send("x", **options)
    finally:
        await ws.close()


TABLE: dict[str, Refused] = {
    "Outbox.fsync without a path": Refused(lambda: Outbox(fsync=True), ValueError, "give path"),
    "Acknowledgements.pass_on without a matcher": Refused(
        lambda: Acknowledgements(pass_on=True), ValueError, "give matcher"
    ),
    "for_service.peer_normal where the service has a row for 1000": Refused(
        lambda: policies.for_service("discord", peer_normal="hold"), ValueError, "override"
    ),
    "for_service.restart where the service has a row for 1012": Refused(
        lambda: policies.for_service("discord", restart=(1, 2)), ValueError, "leave it out"
    ),
    "Credentials.place for headers": Refused(
        lambda: Credentials({"X-Key": "x"}, place=query()), ValueError, "leave place out"
    ),
    "Credentials.ahead without a cache": Refused(
        lambda: Credentials(str, cache=False, ahead=5.0), ValueError, "leave ahead out"
    ),
    "Credentials.cache": Refused(lambda: Credentials("x", cache=1), TypeError, "True or False"),
    "at_least nothing": Refused(lambda: at_least(NAN), ValueError, "a number"),
    "below nothing": Refused(lambda: below(NAN), ValueError, "a number"),
    "at_least a text": Refused(lambda: at_least("3"), TypeError, "a number"),
    "retry.unsent": Refused(lambda: retry(unsent="drop"), TypeError, "Unsent.DROP"),
    "hold.unsent": Refused(lambda: hold(unsent="drop"), TypeError, "Unsent.DROP"),
    "stop.unsent": Refused(lambda: stop(unsent=True), TypeError, "Unsent.DROP"),
    "Fault.code of no close": Refused(
        lambda: Fault(do="cut", code=1012), ScriptError, "do='close'"
    ),
    "Fault.reason of no close": Refused(lambda: Fault(reason="x"), ScriptError, "do='close'"),
    "Fault.status of no refusal": Refused(lambda: Fault(status=404), ScriptError, "do='refuse'"),
    "Fault.headers of no refusal": Refused(
        lambda: Fault(do="close", headers={"a": "b"}), ScriptError, "do='refuse'"
    ),
    "Fault.count of no flood": Refused(lambda: Fault(count=1), ScriptError, "do='flood'"),
    "Fault.size of no flood": Refused(lambda: Fault(size=1), ScriptError, "do='flood'"),
    "Fault.after without a deed": Refused(lambda: Fault(after=1.0), ScriptError, "after"),
    "Fault.send in a refused upgrade": Refused(
        lambda: Fault(do="refuse", send=("x",)), ScriptError, "send"
    ),
    "Fault.pongs in a dial that hangs": Refused(
        lambda: Fault(do="hang", pongs=False), ScriptError, "pongs"
    ),
    "Plan.messages of a refused dial": Refused(
        lambda: Plan(refused=REFUSED, messages=("x",)), ValueError, "refused"
    ),
    "Plan.echo_takes of a deaf peer": Refused(
        lambda: Plan(deaf=True, echo_takes=1.0), ValueError, "deaf"
    ),
    "Plan.takes": Refused(lambda: Plan(takes=-1.0), ValueError, "at least 0"),
    "AiohttpTransport.heartbeat": Refused(
        lambda: AiohttpTransport(heartbeat=20), TypeError, "recloser.Heartbeat"
    ),
    "AiohttpTransport.ssl": Refused(lambda: AiohttpTransport(ssl="x"), TypeError, "SSLContext"),
    "AiohttpTransport.ask_kernel": Refused(
        lambda: AiohttpTransport(ask_kernel="no"), TypeError, "True or False"
    ),
    "AiohttpTransport.backlogged": Refused(
        lambda: AiohttpTransport(backlogged=sends), TypeError, "plain function"
    ),
    "AiohttpTransport.pings_missed": Refused(
        lambda: AiohttpTransport(pings_missed=3), TypeError, "plain function"
    ),
}
