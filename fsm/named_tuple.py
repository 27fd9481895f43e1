"""`NamedTuple`: that of `typing`, of up to nine fields, without the compiler.

`typing.NamedTuple` writes the constructor of each class as text, and compiles it whenever the
module of the class is imported. Here a constructor that is compiled already gets the names of the
fields. A type checker sees `typing.NamedTuple`.
"""

from collections import namedtuple
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

__all__ = ["NamedTuple"]

_new: Final[Any] = tuple.__new__

_CONSTRUCTORS: Final = (
    lambda _cls: _new(_cls, ()),
    lambda _cls, a: _new(_cls, (a,)),
    lambda _cls, a, b: _new(_cls, (a, b)),
    lambda _cls, a, b, c: _new(_cls, (a, b, c)),
    lambda _cls, a, b, c, d: _new(_cls, (a, b, c, d)),
    lambda _cls, a, b, c, d, e: _new(_cls, (a, b, c, d, e)),
    lambda _cls, a, b, c, d, e, f: _new(_cls, (a, b, c, d, e, f)),
    lambda _cls, a, b, c, d, e, f, g: _new(_cls, (a, b, c, d, e, f, g)),
    lambda _cls, a, b, c, d, e, f, g, h: _new(_cls, (a, b, c, d, e, f, g, h)),
    lambda _cls, a, b, c, d, e, f, g, h, i: _new(_cls, (a, b, c, d, e, f, g, h, i)),
)
"""That of n fields stands at place n."""

_Nine = namedtuple("_Nine", "a b c d e f g h i")  # noqa: PYI024 - it is no type, but has readers
_READERS: Final = tuple(vars(_Nine)[name] for name in _Nine._fields)
"""What reads the first field of any tuple, the second, and so on."""


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
        code = _CONSTRUCTORS[len(fields)].__code__.replace(
            co_name="__new__", co_varnames=("_cls", *fields)
        )
        constructor: Any = FunctionType(code, globals(), "__new__", tuple(defaults.values()))
        constructor.__annotations__ = cls.__annotations__
        made = {"_fields": fields, "_field_defaults": defaults, "__match_args__": fields}
        readers = dict(zip(fields, _READERS, strict=False))
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
            return cls(*facts)

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changes):
            return type(self)(**{**self._asdict(), **changes})

        def __repr__(self):
            facts = ", ".join(f"{name}={fact!r}" for name, fact in self._asdict().items())
            return f"{type(self).__name__}({facts})"

        def __getnewargs__(self):
            return tuple(self)
