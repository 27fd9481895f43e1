"""`NamedTuple`: that of `typing`, without the compiler.

`typing.NamedTuple` writes the constructor of each class as text, and compiles it whenever the
module of the class is imported. Here a constructor that is compiled already gets the names of the
fields: there is one for each number of fields that recloser needs. A type checker sees
`typing.NamedTuple`.
"""

from inspect import FullArgSpec
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

__all__ = ["NamedTuple"]

_new: Final[Any] = tuple.__new__

_CONSTRUCTORS: Final = {
    constructor.__code__.co_argcount - 1: constructor.__code__
    for constructor in (
        lambda _cls, a: _new(_cls, (a,)),
        lambda _cls, a, b: _new(_cls, (a, b)),
        lambda _cls, a, b, c: _new(_cls, (a, b, c)),
        lambda _cls, a, b, c, d: _new(_cls, (a, b, c, d)),
        lambda _cls, a, b, c, d, e: _new(_cls, (a, b, c, d, e)),
        lambda _cls, a, b, c, d, e, f: _new(_cls, (a, b, c, d, e, f)),
        lambda _cls, a, b, c, d, e, f, g: _new(_cls, (a, b, c, d, e, f, g)),
        lambda _cls, a, b, c, d, e, f, g, h: _new(_cls, (a, b, c, d, e, f, g, h)),
        lambda _cls, a, b, c, d, e, f, g, h, i: _new(_cls, (a, b, c, d, e, f, g, h, i)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n, p, q, r, s: _new(
            _cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, p, q, r, s)
        ),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n, p, q, r, s, t, u, v, w, x: _new(
            _cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, p, q, r, s, t, u, v, w, x)
        ),
    )
}

_reader: Final[Any] = type(vars(FullArgSpec)["args"])
"""Reads the field at one place of a tuple. It has no public name; each named tuple has some."""


class _Type(type):
    """The class of named tuples: it makes fields of what the body of a class annotates."""

    def __init__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> None:
        super().__init__(name, bases, space)
        if bases[0].__base__ is not tuple:
            return  # the base itself, or a class that adds no field
        fields = tuple(cls.__annotations__)
        defaults = {each: space[each] for each in fields if each in space}
        if fields[len(fields) - len(defaults) :] != tuple(defaults):
            raise TypeError(f"{name}: a field without a default follows one that has one")
        if len(fields) not in _CONSTRUCTORS:
            raise TypeError(f"{name}: named_tuple.py has no constructor of {len(fields)} fields")
        code = _CONSTRUCTORS[len(fields)].replace(co_name="__new__", co_varnames=("_cls", *fields))
        constructor: Any = FunctionType(code, globals(), "__new__", tuple(defaults.values()))
        constructor.__annotations__ = cls.__annotations__
        made = {"_fields": fields, "_field_defaults": defaults, "__match_args__": fields}
        readers = {field: _reader(place, None) for place, field in enumerate(fields)}
        for attribute, value in {**made, **readers, "__new__": constructor}.items():
            setattr(cls, attribute, value)

    @classmethod
    def __prepare__(cls, *given: Any, **more: Any) -> dict[str, object]:
        return {"__slots__": ()}


if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class NamedTuple(tuple, metaclass=_Type):
        """The base of all named tuples."""

        __slots__ = ()

        @classmethod
        def _make(cls, facts):
            made = _new(cls, facts)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, not {len(made)}")
            return made

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changes):
            made = _new(type(self), map(changes.pop, self._fields, self))
            if changes:
                raise TypeError(f"{type(self).__name__} has no field {', '.join(changes)}")
            return made

        __replace__ = _replace  # for `copy.replace` of Python 3.13

        def __repr__(self):
            facts = ", ".join(f"{name}={fact!r}" for name, fact in self._asdict().items())
            return f"{type(self).__name__}({facts})"

        def __getnewargs__(self):
            return tuple(self)
