"""The wheel, built through the source distribution, works without the tree."""

import json
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import recloser

ROOT = Path(__file__).parent.parent
FOLDERS = {
    "engine": "",
    "fsm": "fsm/",
    "policies": "policies/",
    "tools": "",
    "transport": "transport/",
}


def test_in_the_clone_every_module_is_a_link_to_its_source() -> None:
    """So an editor and a type checker follow each import to the source (decision 0005)."""
    [links] = {Path(recloser.__path__[0])}
    for folder, prefix in FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            link = links / prefix / path.relative_to(ROOT / folder)
            assert link.resolve() == path, f"run a target of make: {link} is missing"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but what the wheel holds."""
    dist = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(ROOT)],
        check=True,
        capture_output=True,
    )
    [wheel] = dist.glob("*.whl")
    site = tmp_path_factory.mktemp("site")
    with ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(site: Path, program: str) -> str:
    """Run a program outside the tree that finds recloser in the wheel alone."""
    program = f"import sys; sys.path.insert(0, {str(site)!r})\n{program}"
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", program],
        cwd=site.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    return done.stdout


def test_it_holds_every_file_of_the_tree_and_no_other(site: Path) -> None:
    tree = {
        f"recloser/{prefix}{path.relative_to(ROOT / folder).as_posix()}"
        for folder, prefix in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    built = {
        path.relative_to(site).as_posix()
        for path in site.rglob("*")
        if path.is_file() and not path.relative_to(site).parts[0].endswith(".dist-info")
    }
    assert built == tree


def test_it_is_typed(site: Path) -> None:
    for prefix in set(FOLDERS.values()):
        assert (site / f"recloser/{prefix}py.typed").is_file()


def test_every_module_imports_outside_the_tree(site: Path) -> None:
    modules = sorted(
        ".".join(path.relative_to(site).with_suffix("").parts).removesuffix(".__init__")
        for path in site.glob("recloser/**/*.py")
        if path.name != "__main__.py"
    )
    found = json.loads(
        run(
            site,
            "import importlib, json\n"
            f"found = [importlib.import_module(name).__file__ for name in {modules!r}]\n"
            "print(json.dumps(found))",
        )
    )
    assert all(Path(each).is_relative_to(site) for each in found)


def test_the_command_works_outside_the_tree(site: Path) -> None:
    picture = run(site, "from recloser.cli import main\nmain(['diagram', '--format', 'mermaid'])")
    assert picture == (ROOT / "diagrams" / "machine.mmd").read_text(encoding="utf-8")


def test_it_asks_for_four_packages_and_no_more(site: Path) -> None:
    program = "from importlib.metadata import requires\nprint(*requires('recloser'), sep='\\n')"
    required = [line for line in run(site, program).splitlines() if "extra ==" not in line]
    names = sorted(line.split("<")[0].split(">")[0].split("=")[0].strip() for line in required)
    assert names == ["aiohttp", "click", "structlog", "transitions"]
