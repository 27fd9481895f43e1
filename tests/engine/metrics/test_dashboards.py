"""dashboards/: Prometheus itself checks the rules, runs their tests, and scrapes an engine."""

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

import recloser
from recloser.metrics import PrometheusMetrics
from recloser.testing import Fault, ScriptedServer

DASHBOARDS = Path(__file__).parents[3] / "dashboards"
PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="install the package prometheus")


def promtool(*arguments: object) -> None:
    done = subprocess.run(
        [str(PROMTOOL), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.spec("I6.5")
def test_the_alert_rules_are_valid_and_pass_their_tests() -> None:
    promtool("check", "rules", DASHBOARDS / "alerts.yml")
    promtool("test", "rules", DASHBOARDS / "alerts_test.yml")


@needs_promtool
@pytest.mark.spec("I6.5")
def test_the_queries_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    panels = json.loads((DASHBOARDS / "grafana.json").read_text(encoding="utf-8"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(asked) >= len(panels) >= 10
    rules = [
        {"record": f"panel:{number}", "expr": expr.replace("$instance", ".*")}
        for number, expr in enumerate(asked)
    ]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", path)


@pytest.mark.slow
@pytest.mark.skipif(PROMETHEUS is None, reason="install the package prometheus")
@pytest.mark.spec("I6.1", "I6.3")
async def test_prometheus_scrapes_a_running_service(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    metrics = PrometheusMetrics(registry)

    async def scrape(request: web.Request) -> web.Response:
        body = generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", scrape)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    config = tmp_path / "prometheus.yml"
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s"},
                "scrape_configs": [
                    {"job_name": "x", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                ],
            }
        )
    )
    process = await asyncio.create_subprocess_exec(
        str(PROMETHEUS),
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        "--enable-feature=exemplar-storage",
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with (
            asyncio.timeout(60),
            ScriptedServer([Fault(do="serve", times=0, send=["1"])]) as server,
            recloser.connect(server.url, observers=[metrics.bind("ada")]) as ws,
            aiohttp.ClientSession() as session,
        ):
            await ws.receive()
            address = None
            while address is None:
                line = (await process.stderr.readline()).decode()
                if "Listening on" in line:
                    address = re.search(r"127\.0\.0\.1:\d+", line)
            url = f"http://{address[0]}/api/v1/query?query=recloser_engines"
            found: dict[str, str] = {}
            while not found:
                async with session.get(url) as response:
                    result = (await response.json())["data"]["result"]
                found = {each["metric"]["state"]: each["value"][1] for each in result}
                await asyncio.sleep(0)
            assert found == {
                "open": "1", "connecting": "0", "closing": "0", "backoff": "0", "passive": "0",
            }  # fmt: skip
    finally:
        process.terminate()
        await process.communicate()
        await runner.cleanup()
