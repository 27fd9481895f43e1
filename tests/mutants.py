"""Mutation testing of fsm/ and policies/ with cosmic-ray: python tests/mutants.py [COUNT] [SEED].

Changes the code of a copy of the tree in small ways, one at a time, and runs the tests of the
changed layer. A change that no test notices survives, and is printed: kill it with a test, or
say in docs/decisions/ why nothing can tell it. COUNT changes of each layer are drawn at random
(0: all, which takes hours).
"""

import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db  # type: ignore[import-untyped] # it has no types
from cosmic_ray.work_item import (  # type: ignore[import-untyped] # as above
    TestOutcome,
    WorkerOutcome,
    WorkItem,
    WorkResult,
)

ROOT = Path(__file__).parent.parent
LAYERS = ("fsm", "policies")
TIMEOUT = 120.0
"""Seconds: a change that makes the tests run for ever is one that they notice."""

# Left out: type unions, which never run, and identity for equality, the same thing for enums.
CONFIG = """
[cosmic-ray]
module-path = ["recloser/{layer}"]
timeout = {timeout}
excluded-modules = ["recloser/{layer}/__init__.py"]
test-command = "{python} -m pytest -q -x -p no:cacheprovider -p no:randomly tests/{layer}"

[cosmic-ray.distributor]
name = "local"

[cosmic-ray.filters.operators-filter]
exclude-operators = [
    "core/RemoveDecorator",
    "core/ReplaceBinaryOperator_BitOr_.*",
    "core/ReplaceComparisonOperator_(Eq_Is|Is_Eq|NotEq_IsNot|IsNot_NotEq)",
]
"""


def copy_tree(folder: Path) -> None:
    """Copy what git knows, with the four source folders under one root as they are installed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, target)
    shutil.copytree(folder / "engine", folder / "recloser")
    for layer in ("fsm", "policies", "transport"):
        shutil.copytree(folder / layer, folder / "recloser" / layer)


def draw(work: WorkDB, count: int, seed: int) -> None:
    """Leave `count` changes to be tried."""
    jobs = sorted(item.job_id for item in work.pending_work_items)
    chosen = set(random.Random(seed).sample(jobs, min(count, len(jobs))) if count else jobs)
    skipped = WorkResult(worker_outcome=WorkerOutcome.SKIPPED)
    for job in jobs:
        if job not in chosen:
            work.set_result(job, skipped)


def try_layer(folder: Path, layer: str, count: int, seed: int) -> tuple[int, int, list[str]]:
    """Try changes of one layer: how many there are, how many were tried, and the survivors."""
    config = folder / f"{layer}.toml"
    config.write_text(CONFIG.format(layer=layer, timeout=TIMEOUT, python=sys.executable))
    session = folder / f"{layer}.sqlite"
    ray = [sys.executable, "-c", "from cosmic_ray.cli import main; main()"]
    subprocess.run([*ray, "init", config.name, session.name], cwd=folder, check=True)
    filters = [sys.executable, "-m", "cosmic_ray.tools.filters.operators_filter"]
    subprocess.run([*filters, session.name, config.name], cwd=folder, check=True)
    with use_db(str(session), WorkDB.Mode.open) as work:
        all_of_them = len(list(work.pending_work_items))
        draw(work, count, seed)
    subprocess.run([*ray, "exec", config.name, session.name], cwd=folder, check=True)
    with use_db(str(session), WorkDB.Mode.open) as work:
        items: dict[str, WorkItem] = {item.job_id: item for item in work.work_items}
        results = [(items[job], result) for job, result in work.results]
    tried = [each for each in results if each[1].worker_outcome is WorkerOutcome.NORMAL]
    survivors = [
        f"{each.mutations[0].module_path}:{each.mutations[0].start_pos[0]} "
        f"{each.mutations[0].operator_name}\n{result.diff}"
        for each, result in tried
        if result.test_outcome is TestOutcome.SURVIVED
    ]
    return all_of_them, len(tried), survivors


def main(count: int, seed: int) -> int:
    """Try both layers; 1 if something survived."""
    left = 0
    with tempfile.TemporaryDirectory() as name:
        copy_tree(Path(name))
        for layer in LAYERS:
            number, tried, survivors = try_layer(Path(name), layer, count, seed)
            left += len(survivors)
            print("\n".join(survivors))
            print(f"{layer}: {tried} of {number} changes tried, {len(survivors)} survived")
    return 1 if left else 0


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:3]]
    sys.exit(main(*given, *(100, 1)[len(given) :]))
