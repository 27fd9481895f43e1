"""What the README prints is what stands in the tree, and runs."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from recloser.cli import COMMANDS
from recloser.fsm import Cause, Close, Context, Hold, Origin, Phase, Retry, Stop

INTERACTIVE = {"connect", "serve"}
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_example_is_the_one_in_the_tree() -> None:
    quickstart = (ROOT / "examples" / "quickstart.py").read_text()
    assert blocks("python")[0] == quickstart
    assert len([line for line in quickstart.splitlines() if line.strip()]) <= 15


def test_the_picture_is_the_live_machine() -> None:
    (picture,) = blocks("mermaid")
    assert picture == (ROOT / "diagrams" / "machine.mmd").read_text()


def test_the_policy_of_ones_own_decides() -> None:
    (text,) = [block for block in blocks("python") if "class OfficeHours" in block]
    namespace: dict[str, type] = {}
    exec(compile(text, "README.md", "exec"), namespace)
    policy = namespace["OfficeHours"]()

    def decide(**known: object) -> object:
        close = Close(**{"code": 1006, "origin": Origin.PEER, "cause": Cause.EOF, **known})
        return policy.decide(close, Context(phase=Phase.OPEN, attempt=1, roll=0.25))

    assert decide() == Retry(2.0, rule="soon")
    assert decide(code=4000) == Hold(rule="night")
    assert decide(status=403) == Stop(rule="final")
    assert decide(intentional=True) == Stop(rule="final")


def test_the_commands_that_are_named_exist() -> None:
    named = set(re.findall(r"^recloser (\w+)", "\n".join(blocks("console")), re.MULTILINE))
    assert named
    assert named <= set(COMMANDS)


def test_commands_run_as_printed() -> None:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    recloser = Path(sys.executable).parent / "recloser"
    for line in lines:
        words, _, remark = line.partition("#")
        words = words.split()
        if words[1:2] and words[1] in INTERACTIVE:
            command = import_module(COMMANDS[words[1]][0]).command
            with command.make_context(words[1], words[2:]):
                pass  # its words are understood; running it would need somebody to talk to
        elif words and words[0] == "recloser":
            run = subprocess.run(
                [str(recloser), *words[1:]], cwd=ROOT, capture_output=True, timeout=120, check=False
            )
            expected = 1 if "exit status 1" in remark else 0
            assert (run.returncode, run.stderr) == (expected, b""), line
            assert run.stdout
