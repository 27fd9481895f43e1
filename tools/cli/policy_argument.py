"""The policy that the argument of a command names."""

import sys
from importlib import import_module
from inspect import isclass, iscoroutinefunction
from pathlib import Path
from typing import Final

import click

from recloser import policies
from recloser.fsm.decisions import Policy
from recloser.fsm.spelling import suggestion

_NAMES: Final = ", ".join(policies.SHIPPED)

POLICY_HELP: Final = f"{_NAMES}, a service of `recloser codes`, or module:object."
"""The values that the option --policy of a command takes."""


def load_policy(name: str) -> Policy:
    """Return the policy of this name: shipped, of a service, or `module:object`.

    The object is a policy, a policy class, or a function that makes one without arguments;
    the module is found in the current folder too. Raises `click.BadParameter`, which says in
    one line what is wrong.
    """
    if ":" in name:
        return _imported(name)
    if name in policies.SHIPPED:
        return policies.SHIPPED[name]()
    try:
        return policies.for_service(name)
    except ValueError as error:
        hint = suggestion(name, (*policies.SHIPPED, *policies.services()))
        raise _bad(
            f"unknown policy {name!r}{hint or ':'} give {_NAMES}, a service of `recloser codes`, "
            "or module:object"
        ) from error


def _imported(name: str) -> Policy:
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise _bad(f"{name!r} is not module:object")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: object = import_module(module_name)
    except (Exception, SystemExit) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == module_name
        what = "no module" if missing else f"{_error_text(error)} while importing"
        raise _bad(f"{what} {module_name!r}, looked for in the current folder too") from error
    for part in path.split("."):
        if not hasattr(found, part):
            hint = suggestion(part, dir(found))
            raise _bad(f"module {module_name!r} has no {path!r}{hint}")
        found = getattr(found, part)
    return _instance(name, found)


def _instance(name: str, found: object) -> Policy:
    if callable(found) and (isclass(found) or not isinstance(found, Policy)):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise _bad(f"{name} cannot be made without arguments: {_error_text(error)}") from error
    if not isinstance(found, Policy):
        raise _bad(f"{name} is no policy: it has no decide(close, context)")
    if iscoroutinefunction(found.decide):
        raise _bad(f"{name} has an async decide(): a policy is a plain function, never async")
    return found


def _error_text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _bad(text: str) -> click.BadParameter:
    return click.BadParameter(text, param_hint="--policy")
