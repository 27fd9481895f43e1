"""The life of one close event: held against a real close that goes through a real engine."""

import sys
from collections.abc import Callable
from importlib import import_module
from inspect import getsource
from types import FrameType
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import recloser
from recloser import State, policies
from recloser.diagram.canvas import ASCII, UNICODE, Signs
from recloser.diagram.close_event import (
    HOPS,
    close_event_dot,
    close_event_listing,
    close_event_mermaid,
    close_event_terminal,
    close_event_text,
)
from recloser.diagram.terminal import WIDTH
from tests.tools.diagram.reading import dot_groups

PLACES = [hop.place for hop in HOPS]
MODULES = {place.partition(":")[0] for place in PLACES}


def place_of(frame: FrameType) -> str:
    """The module and function of a call; a class that is made is named by its type."""
    module, code = str(frame.f_globals.get("__name__")), frame.f_code
    if module not in MODULES:  # a named tuple is made in a module of its own
        made = frame.f_locals.get("_cls", object)
        return f"{made.__module__}:{made.__name__}"
    if code.co_name == "__init__":
        return f"{module}:{type(frame.f_locals['self']).__name__}"
    return f"{module}:{code.co_qualname}"


def traced(calls: list[str]) -> Callable[[FrameType, str, Any], None]:
    """A profiler that notes the calls of the places of the hops."""

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and (place := place_of(frame)) in PLACES:
            calls.append(place)

    return profile


async def restarting(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.receive()
    await ws.close(code=1012, message=b"restart")
    return ws


@pytest.mark.spec("L1.4")
async def test_a_real_close_takes_these_hops_in_this_order_and_no_way_back() -> None:
    app = web.Application()
    app.router.add_get("/", restarting)
    calls: list[str] = []
    before = sys.getprofile()
    async with TestServer(app) as server:
        url = f"ws://{server.host}:{server.port}/"
        async with recloser.connect(url, policy=policies.standard()) as ws:
            await ws.wait_for(State.OPEN)
            await ws.send("hello")
            sys.setprofile(traced(calls))
            try:
                await ws.wait_for(State.BACKOFF)
            finally:
                sys.setprofile(before)
    assert calls == PLACES


def test_every_place_exists() -> None:
    for place in PLACES:
        module, _, name = place.partition(":")
        found: object = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found), place
        assert getsource(found)


def test_there_are_eight_at_most_and_what_each_gives_is_said() -> None:
    assert len(HOPS) <= 8
    assert [bool(hop.gives) for hop in HOPS] == [True] * (len(HOPS) - 1) + [False]


@pytest.mark.spec("L1.4")
def test_mermaid_shows_each_hop_once_and_only_the_way_forward() -> None:
    lines = close_event_mermaid().splitlines()
    boxes = [line for line in lines if "<b>" in line]
    arrows = [line for line in lines if "-->" in line]
    assert len(boxes) == len(HOPS)
    for number, (box, hop) in enumerate(zip(boxes, HOPS, strict=True), 1):
        assert f'"<b>{number} {hop.name}</b><br/><code>{hop.place}</code><br/>{hop.does}"' in box
    expected = [f'h{n} -- "{hop.gives}" --> h{n + 1}' for n, hop in enumerate(HOPS[:-1], 1)]
    assert [line.strip() for line in arrows] == expected


@pytest.mark.spec("L1.4")
def test_dot_shows_each_hop_once_and_only_the_way_forward() -> None:
    groups = dot_groups(close_event_dot())
    expected = {
        f"h{number}": [f"{number} {hop.name}", hop.does, hop.place]
        for number, hop in enumerate(HOPS, 1)
    }
    expected |= {f"h{n}->h{n + 1}": [hop.gives] for n, hop in enumerate(HOPS[:-1], 1)}
    assert groups == expected


@pytest.mark.spec("L1.4")
@pytest.mark.parametrize("signs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_the_terminal_shows_them_from_top_to_bottom(signs: Signs) -> None:
    picture = close_event_terminal(signs)
    assert max(map(len, picture.splitlines())) <= WIDTH
    assert picture.isascii() is (signs is ASCII)
    at = 0
    for number, hop in enumerate(HOPS, 1):
        for text in (f" {number} {hop.name} ", hop.place, hop.does, hop.gives):
            at = picture.index(text, at)


def test_the_list_says_all_of_it() -> None:
    text = close_event_text()
    for hop in HOPS:
        assert f"{hop.name} ({hop.place})\n  {hop.does}\n" in text
    assert [tuple(each.values()) for each in close_event_listing()] == list(HOPS)
