"""Public names on the site: what has a name in code leads to its place in the API reference.

An object is documented once, under its most public name. A type in a signature, a word in the
backticks of a docstring and a name in a page lead there, whatever module they name.
"""

import builtins
import inspect
import re
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.domains.python import ObjectEntry
    from sphinx.environment import BuildEnvironment

PACKAGES: Final = (
    "recloser",
    "recloser.policies",
    "recloser.policies.backoff",
    "recloser.policies.field",
    "recloser.fsm",
    "recloser.outbox",
    "recloser.credentials",
    "recloser.transport",
    "recloser.testing",
    "recloser.hints",
    "recloser.journal",
    "recloser.metrics",
    "recloser.statistics",
    "recloser.inspector",
    "recloser.diagram",
    "recloser.fleet",
    "recloser.admission",
)
"""What a program may import from: the packages with an `__all__`, the most public first."""

INSTANCES: Final = {"ws": "ReconnectingWebSocket", "opening": "Opening", "view": "Settled"}
"""The names that documents and docstrings give to objects of these classes."""

UNMISTAKABLE = re.compile(
    r"(?P<name>[A-Z]\w*[a-z]\w*|\w+(\.\w+)+)(\(.*\))?|(?P<call>[a-z]+_\w+)\(.*\)", re.DOTALL
)
"""A class, a member, or a call of a function of two words: `retry` may be a rule or a trigger."""


def homes() -> dict[str, str]:
    """Return where each public object is documented: by its name, and by where it is defined."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        module = import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, ModuleType):
                continue
            home = defined = f"{package}.{name}"
            if inspect.isclass(value) or inspect.isroutine(value):
                defined = f"{value.__module__}.{value.__qualname__}"
            home = found.get(defined, home)
            for each in (defined, name, f"{package}.{name}", f"{package.split('.')[-1]}.{name}"):
                found.setdefault(each, home)
    return found


HOMES: Final = homes()


def entry(env: "BuildEnvironment", target: str) -> tuple[str, "ObjectEntry"] | None:
    """Find what a name means: an object, or a member of one; None if it is not documented."""
    objects = env.domains.python_domain.objects
    head, _, rest = target.partition(".")
    for whole in (target, f"{INSTANCES.get(head, head)}.{rest}".rstrip(".")):
        owner, _, member = whole.rpartition(".")
        full = HOMES.get(whole) or f"{HOMES.get(owner, owner)}.{member}"
        if full in objects:
            return full, objects[full]
    return None


def resolve(
    app: "Sphinx", env: "BuildEnvironment", node: pending_xref, contnode: nodes.TextElement
) -> nodes.Node | None:
    """Lead from a docstring or an annotation to the public name of what it means."""
    if node.get("refdomain") != "py":
        return None
    if found := entry(env, node["reftarget"]):
        full, at = found
        return make_refnode(app.builder, node["refdoc"], at.docname, at.node_id, contnode, full)
    return contnode if node["reftype"] == "obj" else None  # code that names nothing public


def _nameless(target: str) -> bool:
    """Whether a type has no place here: `bytes` of Python, `T`, and what begins with `_`."""
    last = target.rpartition(".")[2]
    return hasattr(builtins, target) or len(last) == 1 or last.startswith("_")


def unlink(_: "Sphinx", document: nodes.document) -> None:
    """Take the links off types that have no place: members of ours have such names, too."""
    for node in list(document.findall(pending_xref)):
        if node.get("refdomain") == "py" and _nameless(node["reftarget"]):
            node.replace_self(node.children)


def link_pages(app: "Sphinx", document: nodes.document, docname: str) -> None:
    """Lead from the names in a page to the reference."""
    for code in list(document.findall(nodes.literal)):
        words = UNMISTAKABLE.fullmatch(code.astext())
        if not words:
            continue
        if any(isinstance(above, nodes.reference | nodes.title) for above in _above(code)):
            continue
        if found := entry(app.env, words["name"] or words["call"]):
            full, at = found
            link = make_refnode(app.builder, docname, at.docname, at.node_id, code.deepcopy(), full)
            code.replace_self(link)


def _above(node: nodes.Node) -> list[nodes.Node]:
    above = []
    while (node := node.parent) is not None:
        above.append(node)
    return above


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect to the events of Sphinx."""
    app.connect("doctree-read", unlink)
    app.connect("missing-reference", resolve)
    app.connect("doctree-resolved", link_pages)
    return {"parallel_read_safe": True}
