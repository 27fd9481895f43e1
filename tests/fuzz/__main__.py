"""`make fuzz MINUTES=10`: coverage-guided fuzzing by atheris of all that reads input of others.

    python -m tests.fuzz MINUTES [TARGET]      every target for its share of the time, or one

Inputs that reach new code are kept in `.venv/fuzz/TARGET`, where the next run begins; one that is a
fault is left in `.venv/fuzz/TARGET-faults`, and the exit status is 1. Mend the fault, and put the
input into `tests/fuzz/corpus/TARGET`, as small as it can be, unless it harms software of others.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
FOUND: Final = HERE.parent.parent / ".venv" / "fuzz"
_LONGEST: Final = 2048
_PATIENCE: Final = 10
"""Seconds after which one input counts as a hang."""
_TARGET: Final = "--target"
"""Before the name of a target and the arguments of libFuzzer: what `run` starts."""
_MEMORY: Final = 2048
"""MiB that a target may take."""


def fuzz(name: str, arguments: list[str]) -> None:
    """Run libFuzzer on one target, in this process; does not return."""
    try:
        import atheris
    except ImportError:
        sys.exit("the fuzzer is missing: pip install 'recloser[fuzz]'")
    with atheris.instrument_imports(include=["recloser"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


def run(name: str, *arguments: str) -> int:
    """Run libFuzzer on one target, in a process of its own; return its exit status."""
    command = [sys.executable, "-m", "tests.fuzz", _TARGET, name, *arguments]
    return subprocess.run(command, check=False).returncode


def _all(names: list[str], seconds: int) -> int:
    failed = []
    for name in names:
        found, faults = FOUND / name, FOUND / f"{name}-faults"
        for folder in (found, faults):
            folder.mkdir(parents=True, exist_ok=True)
        limits = (f"-max_len={_LONGEST}", f"-timeout={_PATIENCE}", f"-rss_limit_mb={_MEMORY}")
        time = f"-max_total_time={seconds}"
        corpus = str(HERE / "corpus" / name)
        print(f"{name}: {seconds} s", flush=True)
        places = (str(found), corpus, f"-artifact_prefix={faults}/")
        if run(name, time, *limits, "-verbosity=0", "-print_final_stats=1", *places):
            failed.append(name)
    print(f"faults in: {', '.join(failed)}" if failed else "no fault")
    return 1 if failed else 0


def main() -> int:
    if sys.argv[1:2] == [_TARGET]:
        fuzz(sys.argv[2], sys.argv[3:])
    options = argparse.ArgumentParser()
    options.add_argument("minutes", type=float, nargs="?", default=10.0)
    options.add_argument("name", nargs="?")
    given = options.parse_args()
    names = sorted(each.name for each in (HERE / "corpus").iterdir())
    chosen = [each for each in names if given.name in (None, each)]
    if not chosen:
        options.error(f"no target {given.name}: choose from {', '.join(names)}")
    return _all(chosen, max(1, round(given.minutes * 60 / len(chosen))))


if __name__ == "__main__":
    sys.exit(main())
