"""The functions of a package whose arguments have no names: those that an application implements.

The engine calls `decide` and `delay` by place, so an application may name their parameters as it
likes. Every other function takes the names that its page shows.
"""

from collections.abc import Iterator
from importlib import import_module
from inspect import Parameter, isclass, isfunction, signature
from pathlib import Path
from types import FunctionType, ModuleType


def nameless(package: ModuleType) -> set[str]:
    """Return the names of the functions and methods of a package that have such a parameter."""
    return {
        function.__name__
        for function in _functions(package)
        if any(each.kind is Parameter.POSITIONAL_ONLY for each in _parameters(function))
    }


def _parameters(function: FunctionType) -> Iterator[Parameter]:
    yield from signature(function).parameters.values()


def _functions(package: ModuleType) -> Iterator[FunctionType]:
    """Every function of the package's own modules, and every method of their classes."""
    for path in sorted(Path(str(package.__file__)).parent.glob("[!_]*.py")):
        module = import_module(f"{package.__name__}.{path.stem}")
        for value in vars(module).values():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            for each in vars(value).values() if isclass(value) else (value,):
                plain = getattr(each, "__func__", each)
                if not isfunction(plain) or plain.__module__ != module.__name__:
                    continue
                if plain.__name__ != "__annotate__":  # which the compiler makes, from 3.14 on
                    yield plain
