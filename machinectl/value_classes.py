"""Value classes that take no time to define: `dataclasses` compiles code for each class. Light path."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Never, TypeVar, dataclass_transform

    AnyValue = TypeVar("AnyValue", bound="Value")
else:

    def dataclass_transform(**_: object) -> Callable[[type], type]:
        return lambda cls: cls


MISSING: Any = object()


class Field:
    """How a value class treats one of its fields."""

    def __init__(self, default: Any, default_factory: Any, *, shown: bool, compared: bool) -> None:
        self.default = default
        self.default_factory = default_factory
        self.shown = shown
        self.compared = compared


def field(
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] = MISSING,
    repr: bool = True,  # noqa: A002 - the name in dataclasses, which type checkers know
    compare: bool = True,
) -> Any:
    """As dataclasses.field."""
    return Field(default, default_factory, shown=repr, compared=compare)


class DataclassFields:
    """Lets functions of `dataclasses`, such as replace(), take our values: other people's drivers may call them."""

    def __get__(self, _: object, owner: type[Value]) -> Any:
        import dataclasses

        fields = [(name, object, dataclasses.field(default=None)) for name in owner.fields_by_name]
        found = dataclasses.make_dataclass(owner.__name__, fields).__dict__["__dataclass_fields__"]
        owner.__dataclass_fields__ = found
        return found


class Value:  # noqa: PLW1641 - Frozen has __hash__
    """What Mutable and Frozen share. The fields of their subclasses are the annotated names."""

    fields_by_name: ClassVar[dict[str, Field]] = {}
    defaults: ClassVar[dict[str, Any]] = {}
    factories: ClassVar[dict[str, Callable[[], Any]]] = {}
    __dataclass_fields__: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        fields = dict(cls.fields_by_name)
        for name in cls.__annotations__:
            given = cls.__dict__.get(name, MISSING)
            one = given if isinstance(given, Field) else Field(given, MISSING, shown=True, compared=True)
            if given is one:
                delattr(cls, name)
            fields[name] = one
        cls.fields_by_name = fields
        cls.defaults = {name: one.default for name, one in fields.items() if one.default is not MISSING}
        factories = {name: one.default_factory for name, one in fields.items()}
        cls.factories = {name: make for name, make in factories.items() if make is not MISSING}
        cls.__dataclass_fields__ = DataclassFields()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        values = dict(zip(self.fields_by_name, args, strict=False))
        values.update(kwargs)
        if len(values) != len(args) + len(kwargs):
            raise TypeError(f"{type(self).__name__} has fewer fields, or got a value twice")
        for name, make in self.factories.items():
            if name not in values:
                values[name] = make()
        values = {**self.defaults, **values}
        if values.keys() != self.fields_by_name.keys():
            wrong = ", ".join(sorted(values.keys() ^ self.fields_by_name.keys()))
            raise TypeError(f"{type(self).__name__} needs these fields, or has no such ones: {wrong}")
        self.__dict__.update(values)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return compared_values(self) == compared_values(other)

    def __repr__(self) -> str:
        shown = [name for name, one in self.fields_by_name.items() if one.shown]
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def __replace__(self, **changes: Any) -> Value:
        return replace(self, **changes)


@dataclass_transform(field_specifiers=(field,))
class Mutable(Value):
    """A class with this base is to its users as one with @dataclass."""


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Frozen(Value):
    """A class with this base is to its users as one with @dataclass(frozen=True)."""

    def __setattr__(self, name: str, _: object) -> Never:
        raise AttributeError(f"{type(self).__name__} is immutable: {name!r} stays")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"{type(self).__name__} is immutable: {name!r} stays")

    def __hash__(self) -> int:
        return hash(compared_values(self))


def compared_values(value: Value) -> tuple[Any, ...]:
    values = vars(value)
    return tuple([values[name] for name, one in value.fields_by_name.items() if one.compared])


def replace(value: AnyValue, **changes: Any) -> AnyValue:
    """As dataclasses.replace."""
    return type(value)(**{**vars(value), **changes})
