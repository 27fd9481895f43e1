"""Who uses no metrics pays nothing for them, and who lacks a library is told what to install."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

import recloser
from recloser import metrics

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")


@pytest.mark.spec("I6.6")
def test_nothing_is_loaded_for_those_who_use_neither() -> None:
    program = (
        "import sys, recloser, recloser.statistics as s, recloser.metrics as m; "
        "recloser.connect, s.CloseStatistics, m.__all__; "
        "print({'prometheus_client', 'opentelemetry'} & {n.split('.')[0] for n in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("set()\n", "")


@pytest.mark.spec("I6.6", "L6")
@pytest.mark.parametrize("name", metrics.__all__)
def test_a_missing_library_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(metrics), name, raising=False)
    monkeypatch.setattr(metrics, "find_spec", lambda library: None)
    with pytest.raises(ImportError, match=rf"{name} needs .*: pip install [\w-]+$"):
        getattr(metrics, name)
    with pytest.raises(AttributeError, match="nonsense"):
        metrics.nonsense  # noqa: B018 - the point of the test
    assert importlib.util.find_spec("opentelemetry")


@pytest.mark.spec("I6.1", "I6.4")
def test_the_examples_of_the_page_run() -> None:
    space: dict[str, Any] = {
        "recloser": recloser,
        "registry": CollectorRegistry(),
        "provider": TracerProvider(shutdown_on_exit=False),
    }
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "docs/metrics.md", "exec"), space)
    assert space["ada"].state is recloser.State.CLOSED


@pytest.mark.spec("I6.1")
def test_the_page_names_every_metric() -> None:
    registry = CollectorRegistry()
    metrics.PrometheusMetrics(registry)
    exposed = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in registry.collect()
    }
    assert exposed == set(re.findall(r"^\| `(recloser_\w+)`", PAGE, re.MULTILINE))
