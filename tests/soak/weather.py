"""A server in a process of its own that misbehaves at random: the soak stops, kills and starts it.

python -m tests.soak.weather PORT SEED        SEED 0: it only serves
"""

import asyncio
import random
import sys

from recloser.testing import Fault, ScriptedServer

FAULTS = 4000


def fault(dice: random.Random) -> Fault:
    """One misbehaviour, the milder ones more often."""
    after = dice.choice((0.0, 0.1, dice.expovariate(1.0)))
    match dice.choices(
        ("close", "cut", "reset", "refuse", "flood", "deaf", "silence", "hang", "twice"),
        (8, 4, 4, 4, 2, 1, 1, 1, 2),
    )[0]:
        case "close":
            code = dice.choice((1000, 1001, 1005, 1006, 1011, 1012, 1013, 3000, 4000, 4401, 999))
            reason = dice.choice(("", "restart", "token=tiger1 expired", "\x1b[2J", "x" * 123))
            return Fault(do="close", code=code, reason="" if code == 1005 else reason, after=after)
        case "cut" | "reset" as deed:
            return Fault(do=deed, after=after, send=("news",) * dice.randrange(4))
        case "refuse":
            headers = dice.choice(({}, {"Retry-After": "1"}, {"Retry-After": "soon"}))
            return Fault(do="refuse", status=dice.choice((429, 500, 502, 503)), headers=headers)
        case "flood":
            return Fault(do="flood", count=dice.randrange(300), size=dice.choice((0, 10, 20_000)))
        case "deaf":
            return Fault(do="serve", pongs=False)
        case "silence":
            return Fault(do="silence", after=after)
        case "hang":
            return Fault(do="hang")
        case _:
            return Fault(do="cut", after=2.0, duplicate=True)


async def main(port: int, seed: int) -> None:
    dice = random.Random(seed)
    script = [fault(dice) for _ in range(FAULTS)] if seed else []
    async with ScriptedServer(script, port=port, repeat=True):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
