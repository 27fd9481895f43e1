"""Who may see the page and press its buttons, and what its answers allow a browser to do."""

import json
from typing import Any

import pytest

from recloser import State
from recloser.inspector import Inspector
from recloser.inspector.site import HEADERS, Request, Site
from tests.engine.rig import UP, opened, virtual

TOKEN = "a token of this test"
HOME = {"host": "localhost:8080"}


def site(**options: Any) -> Site:
    return Site(Inspector(), **options)


def get(path: str = "", **facts: Any) -> Request:
    return Request(
        **{"method": "GET", "path": path, "headers": HOME, "remote": "127.0.0.1"} | facts
    )


@pytest.mark.spec("I9.4")
async def test_the_files_of_the_page_come_from_here_alone() -> None:
    page = (await site().answer(get())).body.decode()
    assert 'id="machine"' in page
    assert "<script>" not in page
    assert "style=" not in page
    for name in ("page.js", "draw.js", "page.css", "icon.svg"):
        answer = await site().answer(get(name))
        assert answer.status == 200
        text = answer.body.decode().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text
        assert "innerHTML" not in text
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert (await site().answer(get("nonsense"))).status == 404
    assert (await site().answer(get("../rows.py"))).status == 404
    assert (await site().answer(get(method="PUT"))).status == 405


@pytest.mark.spec("I9.4")
@pytest.mark.parametrize(
    ("remote", "headers", "status"),
    [
        ("127.0.0.1", {"host": "localhost:8080"}, 200),
        ("127.0.0.1", {"host": "127.0.0.1"}, 200),
        ("::1", {"host": "[::1]:8080"}, 200),
        ("10.0.0.7", {"host": "localhost"}, 403),
        ("127.0.0.1", {"host": "evil.example"}, 403),
        ("127.0.0.1", {}, 403),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "10.0.0.7"}, 403),
        (None, {"host": "localhost"}, 403),
    ],
)
async def test_it_is_for_this_machine_alone(
    remote: str | None, headers: dict[str, str], status: int
) -> None:
    request = get(remote=remote, headers=headers)
    assert (await site().answer(request)).status == status
    assert (await site(allow_remote=True).answer(request)).status == 200


@pytest.mark.spec("I9.5")
@virtual
async def test_buttons_need_the_token_and_the_origin_of_the_page() -> None:
    inspector = Inspector()
    ws, _, _ = await opened(UP, UP)
    inspector.watch("ada", ws)

    async def press(action: str, site: Site, body: object = None, **headers: str) -> int:
        known = {"origin": "http://localhost:8080", "authorization": f"Bearer {TOKEN}"}
        request = Request(
            method="POST",
            path=action,
            headers={**HOME, **known, **headers},
            remote="127.0.0.1",
            body=json.dumps({"engine": "ada"} if body is None else body).encode(),
        )
        return (await site.answer(request)).status

    able = Site(inspector, token=TOKEN)
    assert await press("close", Site(inspector)) == 403
    assert await press("close", able, origin="http://evil.example") == 403
    assert await press("close", able, origin="") == 403
    assert await press("close", able, authorization="Bearer another") == 401
    assert await press("close", able, authorization="Bearer \xfc") == 401
    for body in ("x", {}, {"engine": 7}, {"engine": "bob"}):
        assert await press("close", able, body) in {400, 404}
    assert await press("dance", able) == 404
    assert ws.state is State.OPEN
    assert await press("suspend", able) == 200
    assert ws.state is State.PASSIVE
    assert await press("connect", able) == 200
    await ws.wait_for(State.OPEN)
    assert await press("close", able) == 200
    assert ws.state is State.CLOSED
    assert json.loads((await able.answer(get("options"))).body) == {"actions": True}
    with pytest.raises(ValueError, match="16 characters"):
        Site(inspector, token="short")


@pytest.mark.spec("I2.1")
def test_a_request_does_not_show_its_token() -> None:
    asked = get(method="POST", headers={"authorization": f"Bearer {TOKEN}"}, body=TOKEN.encode())
    assert TOKEN not in repr(asked)


@pytest.mark.spec("I9.5")
@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"headers": {"host": "["}}, 403),
        ({"headers": {**HOME, "origin": "http://["}}, 403),
        ({"headers": {**HOME, "origin": "http://localhost:8080", "authorization": "\udcff"}}, 401),
        (
            {
                "headers": {
                    **HOME,
                    "origin": "http://localhost:8080",
                    "authorization": f"Bearer {TOKEN}",
                },
                "body": b"[" * 5000,
            },
            400,
        ),
    ],
    ids=["host", "origin", "no UTF-8", "nested"],
)
async def test_what_makes_no_sense_is_refused_and_not_a_fault_of_the_page(
    facts: dict[str, Any], status: int
) -> None:
    request = get("connect", method="POST", **facts)
    assert (await site(token=TOKEN).answer(request)).status == status
