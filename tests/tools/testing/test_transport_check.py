"""Our transport keeps every law of a transport; each bad one is caught by the law it breaks."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from recloser.testing import (
    TRANSPORT_GALLERY,
    TRANSPORT_LAWS,
    BrokenLaw,
    LawBroken,
    Stage,
    TransportExhibit,
    TransportLaw,
    check_transport,
    examine_transport,
)
from recloser.transport import AiohttpTransport

pytestmark = pytest.mark.usefixtures("quick_ticks")

DOCS = Path(__file__).parents[3] / "docs"
CLAUSES = set(re.findall(r"\*\*([A-Z]\d+(?:\.\d+)?)\*\*", (DOCS / "spec.md").read_text("utf-8")))


def name_of(each: TransportExhibit | TransportLaw) -> str:
    return each.name if isinstance(each, TransportLaw) else str(getattr(each.make, "__name__", ""))


@pytest.mark.spec("K6.1")
@pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
@pytest.mark.parametrize("law", TRANSPORT_LAWS, ids=name_of)
def test_ours_keeps_it(
    law: TransportLaw, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    report = check_transport(AiohttpTransport, laws=[law], loop_factory=loop_factory)
    assert str(report) == "1 laws hold, on real sockets"


@pytest.mark.spec("K6.2")
@pytest.mark.parametrize("exhibit", TRANSPORT_GALLERY, ids=name_of)
def test_a_bad_transport_is_caught_by_the_law_that_it_breaks(exhibit: TransportExhibit) -> None:
    with pytest.raises(BrokenLaw) as caught:
        check_transport(exhibit.make, laws=[exhibit.law], patience=1.0)
    [verdict] = caught.value.verdicts
    assert verdict.law.name == exhibit.law
    assert verdict.problem is not None
    assert "it raised" not in verdict.problem or exhibit.law == "nobody-listens"
    assert verdict.problem in verdict.story
    assert len(verdict.story.splitlines()) <= 14, "a story is short"
    space: dict[str, object] = {}
    exec(compile(verdict.test, "pasted.py", "exec"), space)
    assert name_of(exhibit) in space


@pytest.mark.spec("K6.2")
def test_every_law_is_broken_by_somebody() -> None:
    broken = {exhibit.law for exhibit in TRANSPORT_GALLERY}
    assert broken == {law.name for law in TRANSPORT_LAWS}


@pytest.mark.spec("K6.1")
@pytest.mark.parametrize("law", TRANSPORT_LAWS, ids=name_of)
def test_a_law_names_clauses_and_says_why(law: TransportLaw) -> None:
    assert set(law.clauses) <= CLAUSES
    assert law.clauses
    assert law.why
    assert f"| `{law.name}` |" in (DOCS / "transports.md").read_text("utf-8")


@pytest.mark.spec("K6.3")
def test_the_pasted_test_fails_while_the_law_is_broken() -> None:
    exhibit = TRANSPORT_GALLERY[0]
    [verdict] = examine_transport(exhibit.make, laws=[exhibit.law]).broken
    space: dict[str, object] = {}
    exec(compile(verdict.test, "pasted.py", "exec"), space)
    [test] = [value for name, value in space.items() if name.startswith("test_")]
    with pytest.raises(BrokenLaw, match="close-frame is broken"):
        test()  # type: ignore[operator] # the pasted test function


@pytest.mark.spec("K6.1", "K6.2")
def test_the_examples_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "transports.md").read_text("utf-8")
    quoted = (DOCS.parent / "examples" / "websockets_transport.py").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    blocks = [block for block in blocks if block not in quoted]  # run by a test of the example
    exec(compile("\n".join(blocks), "transports.md", "exec"), {"__name__": "page"})
    printed = capsys.readouterr().out
    assert "2 laws hold, on real sockets" in printed
    assert "close-frame is broken: the record says code 1000 where 1001 is true" in printed
    for exhibit in TRANSPORT_GALLERY:
        assert f"| `{name_of(exhibit)}` |" in page


@pytest.mark.parametrize(
    ("laws", "error", "words"),
    [
        (["close-fram"], ValueError, "did you mean close-frame"),
        ([], ValueError, "no law to check"),
        ([5], TypeError, "a law is a TransportLaw"),
    ],
)
def test_a_law_that_is_none(laws: list[object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        examine_transport(AiohttpTransport, laws=laws)  # type: ignore[arg-type] # bad on purpose


def test_no_patience_is_none() -> None:
    with pytest.raises(ValueError, match="patience must be above 0"):
        examine_transport(AiohttpTransport, patience=0.0)


@pytest.mark.spec("K6.1")
def test_a_law_of_ones_own_and_what_it_leaves_behind() -> None:
    left: list[asyncio.Future[bool]] = []

    async def leaves_a_task(stage: Stage) -> None:
        stage.note("a task is left")
        left.append(asyncio.ensure_future(asyncio.Event().wait()))

    async def raises(stage: Stage) -> None:
        raise KeyError("what")

    async def broken(stage: Stage) -> None:
        async with stage.line():
            raise LawBroken("as it is")

    laws = [
        TransportLaw(name=str(check), claim="", why="", clauses=("K6.1",), check=check)
        for check in (leaves_a_task, raises, broken)
    ]
    report = examine_transport(AiohttpTransport, laws=laws)
    assert not report.sound
    assert [verdict.problem for verdict in report.verdicts] == [
        "it leaves 1 task(s) behind",
        "it raised KeyError: 'what'",
        "as it is",
    ]
    assert "1. a task is left" in str(report)
