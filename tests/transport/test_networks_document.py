"""The examples of docs/networks.md run, and its releases are those of pyproject.toml."""

import re
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

import recloser
from recloser.fsm import Cause, Close
from tests.aiohttp_releases import supported
from tests.engine.served import echo, serving

PAGE = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
RELEASES, PROXIES, TLS, RESUMING, COMPRESSION = BLOCKS


@pytest.mark.spec("N1.2")
def test_the_example_of_releases_tells_a_broken_install(capsys: pytest.CaptureFixture[str]) -> None:
    space: dict[str, Any] = {}
    exec(compile(RELEASES, "docs/networks.md", "exec"), space)
    error = recloser.UnsupportedAiohttp("3.12.0", ["ResponseHandler.closed"])
    assert space["broken_install"](Close.by_engine(Cause.CONFIGURATION, error=error))
    said = capsys.readouterr().out.split(", or")[0]
    assert said in PAGE
    assert not space["broken_install"](Close.cut(Cause.EOF))


@pytest.mark.spec("N1.1")
def test_the_oldest_release_is_the_one_of_the_project() -> None:
    assert f"Every release from {supported()[0]} on works" in PAGE


@pytest.mark.spec("N2.1", "N2.2", "N3.1", "E9.1")
@pytest.mark.parametrize("block", [PROXIES, RESUMING, COMPRESSION])
def test_the_example_makes_an_engine(block: str) -> None:
    space: dict[str, Any] = {}
    exec(compile(block, "docs/networks.md", "exec"), space)
    assert space["ws"].state is recloser.State.CLOSED


async def test_the_example_of_tls_trusts_a_private_authority_and_shows_a_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server refuses a client without a certificate of that authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "client.pem"
    )
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    exec(compile(TLS, "docs/networks.md", "exec"), space)

    asked = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(asked)
    authority.configure_trust(asked)
    asked.verify_mode = ssl.CERT_REQUIRED
    async with (
        serving(echo, ssl=asked) as url,
        recloser.connect(url.replace("ws://", "wss://"), ssl=space["context"]) as ws,
    ):
        await ws.send("hello")
        assert await ws.receive() == "hello"
