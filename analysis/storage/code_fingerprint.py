"""The fingerprint of a callable: plain data that differs wherever two may answer differently.

A name does not say what a function does: every ``lambda`` has the same one. So its code is read:
byte code, constants, names, defaults, the values in its closure, and the globals that it refers to,
as far as these are plain data or functions themselves.
"""

import builtins
import dataclasses
import dis
import functools
import inspect
import re
import sys
from collections.abc import Callable
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

Plain = list[Any]
"""Lists of strings, numbers and such lists, as JSON holds them."""

PURE_MODULES = frozenset(
    [
        "re",
        "string",
        "unicodedata",
        "html",
        "textwrap",
        "functools",
        "itertools",
        "operator",
        "math",
        "collections",
    ]
)
"""Modules of the standard library whose functions depend on nothing but what they are given."""
_IMPURE = frozenset(
    [
        "open",
        "input",
        "eval",
        "exec",
        "compile",
        "__import__",
        "globals",
        "locals",
        "vars",
        "id",
        "hash",
        "breakpoint",
    ]
)
"""Built-in functions that read more than they are given."""
_IGNORED = frozenset(
    [
        "__module__",
        "__dict__",
        "__weakref__",
        "__doc__",
        "__annotations__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__firstlineno__",
        "__static_attributes__",
        "__qualname__",
        "__orig_bases__",
        "__parameters__",
        "__type_params__",
        "__abstractmethods__",
        "_abc_impl",
        "__match_args__",
        "__dataclass_fields__",
        "__dataclass_params__",
    ]
)
"""Attributes of a class that decide nothing when an object of it is called."""


class NotIdentifiableError(Exception):
    """A callable refers to something that cannot be told apart from all others by its value."""


def fingerprint(function: Callable[..., object]) -> Plain:
    """Read a callable's code and all that it refers to into plain data.

    Functions, lambdas, closures, bound methods, ``functools.partial``, objects with ``__call__``
    and built-in functions are read. Referred to may be: numbers, strings, bytes, compiled regular
    expressions, tuples, lists, dictionaries and sets of these, further functions, classes written
    in Python and their objects, and the modules of :data:`PURE_MODULES`. The version of Python is
    a part, since byte code means nothing without it.

    Args:
        function: the callable to identify.

    Returns:
        Plain data, equal for two callables only if they do the same.

    Raises:
        NotIdentifiableError: it refers to anything else, such as an open file, an array, another
            module, or a function written in C that reads more than it is given.
    """
    try:
        return [list(sys.version_info[:2]), _Reader().value(function)]
    except RecursionError:
        raise NotIdentifiableError("what it refers to is nested too deeply") from None


class _Reader:
    """Reads nested values; a value that is met again is replaced by its number."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._alive: list[object] = []  # or two values might get the same id

    def value(self, value: object) -> Plain:
        kind = type(value)
        if value is None or value is Ellipsis or value is NotImplemented:
            return ["constant", repr(value)]
        if kind in (bool, int, float, complex, str, bytes):
            return [kind.__name__, repr(value)]
        if id(value) in self._seen:
            return ["again", self._seen[id(value)]]
        self._seen[id(value)] = len(self._seen)
        self._alive.append(value)
        return self._read(value)

    def _read(self, value: object) -> Plain:
        match value:
            case tuple() | list() if type(value) in (tuple, list):
                return [type(value).__name__, [self.value(part) for part in value]]
            case set() | frozenset() if type(value) in (set, frozenset):
                members = [_Reader().value(part) for part in value]
                return [type(value).__name__, sorted(members, key=repr)]
            case dict() if type(value) is dict:
                return ["dict", [[self.value(k), self.value(v)] for k, v in value.items()]]
            case range() | slice():
                return ["range", repr(value)]
            case re.Pattern():
                return ["pattern", repr(value.pattern), value.flags]
            case CodeType():
                return self._code(value)
            case FunctionType():
                return self._function(value)
            case MethodType():
                return ["method", self.value(value.__func__), self.value(value.__self__)]
            case functools.partial():
                called = [value.func, value.args, value.keywords]
                return ["partial", [self.value(part) for part in called]]
            case staticmethod() | classmethod():
                return [type(value).__name__, self.value(value.__func__)]
            case property():
                return ["property", self.value(value.fget)]
            case functools.cached_property():
                return ["property", self.value(value.func)]
            case BuiltinFunctionType():
                return self._builtin(value)
            case MethodDescriptorType():
                return ["built in", self.value(value.__objclass__), value.__name__]
            case MemberDescriptorType():
                return ["slot", value.__name__]
            case ModuleType() if sys.modules.get(value.__name__) is value:
                return _module(value.__name__)
            case type():
                return self._class(value)
            case functools._lru_cache_wrapper():
                return ["cached", self.value(value.__wrapped__)]
        return self._object(value)

    def _function(self, function: FunctionType) -> Plain:
        if _pure(function):
            return ["built in", function.__module__, function.__qualname__]
        cells = [self._cell(cell) for cell in function.__closure__ or ()]
        names = sorted(_globals_of(function.__code__))
        return [
            "function",
            self.value(function.__code__),
            [self.value(function.__defaults__), self.value(function.__kwdefaults__)],
            cells,
            [[name, self._global(function, name)] for name in names],
            self.value(dict(function.__dict__)),
        ]

    def _code(self, code: CodeType) -> Plain:
        counts = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags]
        names = [code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars]
        return [
            "code",
            code.co_code.hex(),
            code.co_exceptiontable.hex(),
            counts,
            [list(part) for part in names],
            [self.value(constant) for constant in code.co_consts],
        ]

    def _cell(self, cell: Any) -> Plain:
        try:
            return self.value(cell.cell_contents)
        except ValueError:
            return ["empty"]

    def _global(self, function: FunctionType, name: str) -> Plain:
        if name in function.__globals__:
            return self.value(function.__globals__[name])
        builtin_names = function.__globals__.get("__builtins__", vars(builtins))
        builtin_names = builtin_names if isinstance(builtin_names, dict) else vars(builtin_names)
        if name in builtin_names:
            return self.value(builtin_names[name])
        return ["missing"]

    def _builtin(self, function: BuiltinFunctionType) -> Plain:
        owner = function.__self__
        if owner is builtins and function.__name__ in _IMPURE:
            raise NotIdentifiableError(f"{function.__name__}() reads more than it is given")
        place = ["builtins"] if owner is builtins else self.value(owner)
        if owner is None:
            place = _module(function.__module__ or "")
        return ["built in", place, function.__name__]

    def _class(self, kind: type) -> Plain:
        if _pure(kind):
            return ["class", kind.__module__, kind.__qualname__]
        if type(kind) is not type or not kind.__flags__ & _HEAP:
            raise NotIdentifiableError(f"{kind.__qualname__} is no class written in Python")
        parts = {name: part for name, part in vars(kind).items() if name not in _IGNORED}
        if dataclasses.is_dataclass(kind):  # its own methods follow from its fields
            parts = {name: part for name, part in parts.items() if not _generated(part)}
            parts["fields"] = [repr(kind.__dataclass_params__), *kind.__dataclass_fields__]  # type: ignore[attr-defined]
        return [
            "class",
            [self.value(base) for base in kind.__bases__],
            [[name, self.value(parts[name])] for name in sorted(parts)],
        ]

    def _object(self, value: object) -> Plain:
        kind = type(value)
        for base in kind.__mro__[:-1]:
            if base.__module__ == "builtins" or not base.__flags__ & _HEAP:
                raise NotIdentifiableError(f"an object of {kind.__qualname__} holds more than data")
        slots = [
            (name, getattr(value, name))
            for base in kind.__mro__
            for name, part in vars(base).items()
            if isinstance(part, MemberDescriptorType) and hasattr(value, name)
        ]
        attributes = {**dict(slots), **getattr(value, "__dict__", {})}
        return [
            "object",
            self.value(kind),
            [[n, self.value(attributes[n])] for n in sorted(attributes)],
        ]


_HEAP = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: the class was created at run time, as every ``class`` statement does."""


def _pure(definition: FunctionType | type) -> bool:
    """Whether a function or class is what a module of the standard library has by that name."""
    module = sys.modules.get(definition.__module__)
    is_listed = definition.__module__ == "builtins" or definition.__module__ in PURE_MODULES
    return is_listed and getattr(module, definition.__qualname__, None) is definition


def _generated(part: object) -> bool:
    """Whether the part of a class is code that ``dataclass`` wrote."""
    code = getattr(inspect.unwrap(part), "__code__", None) if callable(part) else None
    return code is not None and code.co_filename == "<string>"


def _module(name: str) -> Plain:
    if name.lstrip("_") not in PURE_MODULES:
        raise NotIdentifiableError(f"the module {name} may depend on anything")
    return ["module", name]


def _globals_of(code: CodeType) -> set[str]:
    """The global names that code reads, in the functions inside it too."""
    names = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname.startswith("IMPORT_NAME"):
            _module(str(instruction.argval))
        elif instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            names.add(str(instruction.argval))
    for constant in code.co_consts:
        if inspect.iscode(constant):
            names |= _globals_of(constant)
    return names
