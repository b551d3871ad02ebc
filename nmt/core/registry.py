"""Named variants of a component's configuration.

A family (attention, encoder, optimiser ...) has an abstract config dataclass that carries a ``Registry``; each variant
registers its own config class under the name used in YAML. The registry is filled by explicit imports.
"""

from __future__ import annotations

import difflib
import functools
import typing
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from nmt.core.errors import wrong_result

C = TypeVar("C")


class Registry(Generic[C]):
    """Maps names to the config classes of one family.

    Args:
        kind: name of the family for messages, such as ``"attention score"``.
        default: name used if a mapping has no ``type``; ``None`` if ``type`` is required.
    """

    def __init__(self, kind: str, default: str | None = None) -> None:
        self.kind = kind
        self.default = default
        self._classes: dict[str, type[C]] = {}

    def register(self, name: str) -> Callable[[type[C]], type[C]]:
        """Return a class decorator that registers a config class under ``name``.

        Raises:
            ValueError: the name is taken, or the class is not a complete config of the family (a programming error).
        """

        def decorate(cls: type[C]) -> type[C]:
            if name in self._classes:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            if problem := self._misfit(cls):
                raise ValueError(f"{self.kind} {name!r}: {cls.__name__} {problem}")
            if "build" in vars(cls):
                cls.build = _checked(vars(cls)["build"], self)  # type: ignore[attr-defined]
            self._classes[name] = cls
            return cls

        return decorate

    def names(self) -> tuple[str, ...]:
        """Every registered name, in order of registration."""
        return tuple(self._classes)

    def find(self, name: str) -> type[C] | None:
        """Return the class registered under ``name``, or ``None``."""
        return self._classes.get(name)

    def name_of(self, cls: type[C]) -> str:
        """Return the name under which ``cls`` itself is registered.

        Raises:
            KeyError: it is not registered.
        """
        for name, registered in self._classes.items():
            if registered is cls:
                return name
        raise KeyError(cls.__qualname__)

    def called(self, cls: type[C]) -> str:
        """Return the name of a class for messages: its registered name, or else its own."""
        return next((name for name, registered in self._classes.items() if registered is cls), cls.__qualname__)

    def _misfit(self, cls: type[C]) -> str | None:
        """Return why a class is not a config of this family, or ``None`` if it is one."""
        if getattr(cls, "registry", None) is not self:
            return "must inherit from the class whose registry this is"
        if "__dataclass_fields__" not in vars(cls):
            return "must be a dataclass: @dataclass(frozen=True, slots=True, kw_only=True), below its registration"
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        return f"must define {missing}" if missing else None


def _checked(build: Callable[..., object], registry: Registry[Any]) -> Callable[..., object]:
    """Wrap the ``build`` of a config, so that it returns what its family declares, or raises a ``ConfigError``."""

    @functools.wraps(build)
    def checked(config: object, *arguments: Any, **named: Any) -> object:
        built = build(config, *arguments, **named)
        family = next(base for base in type(config).__mro__ if vars(base).get("registry") is registry)
        wanted = typing.get_type_hints(family.build)["return"]  # type: ignore[attr-defined]
        if not isinstance(built, wanted):
            raise wrong_result(build, f"a part of class {wanted.__name__}", built)
        return built

    return checked


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """Return the choice closest in spelling to ``name``, or ``None`` if none is close."""
    found = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.6)
    return found[0] if found else None
