"""The law of the real client: it lives through a story over scripted sockets in virtual time."""

from typing import Final

from recloser.fsm.decisions import Policy
from recloser.testing.evidence.stories import Story
from recloser.testing.laws.law import Law


def play_client(policy: Policy, story: Story) -> str | None:
    """Play a story with `recloser.connect`; one sentence if the client did not live through it.

    In virtual time, and on a loop of its own: in a thread if one is running here already. A
    provider of credentials takes no part.
    """
    # It loads asyncio, aiohttp and all of the engine, which no other law needs.
    from recloser.testing.laws.client_stage import perform  # noqa: PLC0415 - see above

    return perform(policy, story)


CLIENT: Final = Law(
    name="drives-the-client",
    claim="The real client lives through random stories in virtual time, and ends when told to.",
    why="It is what a service embeds: loop, timers, sockets and all.",
    client=play_client,
)
