"""`Value`: an immutable object that equals each other one of its class with the same facts.

To `dataclasses` a value is a frozen data class: it can be read, copied and replaced as one. But a
data class has its methods compiled whenever its module is imported, and nothing else in an import
takes as long. Values share the methods of `Value`, and each class writes its constructor out.
"""

from collections.abc import Callable, Container
from dataclasses import Field, FrozenInstanceError, field, make_dataclass, replace
from inspect import Parameter, signature
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, ClassVar, Final, Self, dataclass_transform

assign: Final = object.__setattr__
"""Sets a field of a value. For constructors: everywhere else a value refuses it."""


def parameters(constructor: Callable[..., None]) -> tuple[str, ...]:
    """Return the names of what the `__init__` of a class takes, in order."""
    code = constructor.__code__
    return code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]


@dataclass_transform(frozen_default=True)
class Value:
    """The base of all values: what a constructor takes are the fields of its class, in order.

    Fields that are `hidden` are not shown. Those that are `uncompared` make no two values
    different. Those that are `unhashed` are compared, but cannot be hashed. A class without a
    constructor of its own says `init=False` to type checkers, which would think of one.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __dataclass_params__: ClassVar[Any]

    _names: ClassVar[tuple[str, ...]]
    _slots: ClassVar[tuple[str, ...]]
    _hidden: ClassVar[Container[str]]
    _compared: ClassVar[Any]
    _hashed: ClassVar[Any]

    def __init_subclass__(
        cls,
        *,
        hidden: Container[str] = (),
        uncompared: Container[str] = (),
        unhashed: Container[str] = (),
        init: bool = True,
    ) -> None:
        del init
        slots = cls.__dict__.get("__slots__")
        if not slots:
            return  # it adds no field: all is as in the class that it inherits from
        cls._names = parameters(cls.__init__)
        cls._slots, cls._hidden = slots, hidden
        compared = [each for each in cls._names if each not in uncompared]
        cls._compared = attrgetter(*compared)
        cls._hashed = attrgetter(*(each for each in compared if each not in unhashed))
        for name in ("__dataclass_fields__", "__dataclass_params__"):
            setattr(cls, name, _DataClass(name, cls, hidden, uncompared, unhashed))

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self._compared(self) == self._compared(other))

    def __hash__(self) -> int:
        return hash(self._hashed(self))

    @recursive_repr()
    def __repr__(self) -> str:
        shown = (each for each in self._names if each not in self._hidden)
        facts = ", ".join(f"{each}={getattr(self, each)!r}" for each in shown)
        return f"{type(self).__qualname__}({facts})"

    def __replace__(self, **changes: Any) -> Self:
        return replace(self, **changes)

    def __getstate__(self) -> list[object]:
        return [getattr(self, each) for each in self._slots]

    def __setstate__(self, state: list[object]) -> None:
        for name, fact in zip(self._slots, state, strict=True):
            assign(self, name, fact)


class _DataClass:
    """An attribute by which `dataclasses` knows a data class, made when it is first looked for."""

    __slots__ = ("_hidden", "_kind", "_name", "_uncompared", "_unhashed")

    def __init__(
        self,
        name: str,
        kind: type[Value],
        hidden: Container[str],
        uncompared: Container[str],
        unhashed: Container[str],
    ) -> None:
        self._name = name
        self._kind = kind
        self._hidden = hidden
        self._uncompared = uncompared
        self._unhashed = unhashed

    def __get__(self, instance: object, owner: type[Value]) -> Any:
        fields = [
            (name, each.annotation, self._field(each))
            for name, each in signature(self._kind).parameters.items()
        ]
        made = make_dataclass(self._kind.__name__, fields, frozen=True, slots=True)
        found = getattr(made, self._name)
        setattr(self._kind, self._name, found)
        return found

    def _field(self, described: Parameter) -> Any:
        name, default = described.name, described.default
        options: dict[str, Any] = {
            "repr": name not in self._hidden,
            "compare": name not in self._uncompared,
            "hash": False if name in self._unhashed else None,
            "kw_only": described.kind is Parameter.KEYWORD_ONLY,
        }
        if default is not Parameter.empty:
            if default.__hash__ is None:
                # `dataclasses` refuses a default without a hash: each object could change it.
                return field(default_factory=lambda: default, **options)
            options["default"] = default
        return field(**options)
