"""Ground: named tuples. `NamedTuple` is typing's to whoever reads types, and its like to whoever
runs it: made in a sixth of the time, of which a start spends a tenth on a hundred of them.

Annotations are not looked at, and the code of a constructor is compiled once for each number of
fields.
"""

from __future__ import annotations

from collections import namedtuple
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NamedTuple, Self
else:

    class _Named(tuple):
        """What all of them can do."""

        __slots__ = ()
        _fields = ()

        @classmethod
        def _make(cls, values: Iterable[Any]) -> Self:
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
            return made

        def _replace(self, /, **values: Any) -> Self:
            made = self._make(map(values.pop, self._fields, self))
            if values:
                raise TypeError(f"Got unexpected field names: {[*values]!r}")
            return made

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            said = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({said})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

        __replace__ = _replace

    # Annotations that a function gives (of Python 3.14, without the import from __future__).
    _UNREAD = {"__new__", "__annotate__", "__annotate_func__"}

    class _Maker(type):
        def __new__(
            cls, name: str, bases: tuple[type, ...], space: dict[str, Any]
        ) -> type[NamedTuple]:
            if not bases:
                return super().__new__(cls, name, bases, space)
            fields = tuple(space.get("__annotations__", ()))
            defaults = {field: space[field] for field in fields if field in space}
            last = [*fields[len(fields) - len(defaults) :]]
            if [*defaults] != last or _UNREAD & space.keys():
                raise TypeError(f"{name}: defaults come last, annotations are text, no __new__")
            model = _of_size(len(fields))
            code = model.__new__.__code__.replace(co_varnames=("_cls", *fields))
            space.update(
                zip(fields, map(model.__dict__.get, model._fields), strict=True),
                __slots__=(),
                __match_args__=fields,
                _fields=fields,
                _field_defaults=defaults,
                __new__=FunctionType(
                    code, model.__new__.__globals__, "__new__", tuple(defaults.values())
                ),
            )
            return type(name, tuple(_Named if b is NamedTuple else b for b in bases), space)

    @cache
    def _of_size(count: int) -> type[tuple[Any, ...]]:
        return namedtuple("Model", [f"field{number}" for number in range(count)])  # noqa: PYI024

    class NamedTuple(metaclass=_Maker):
        """A class with this base is a tuple of its annotated fields."""


__all__ = ["NamedTuple"]
