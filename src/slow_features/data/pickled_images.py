"""The images in a pickled file of CIFAR-10's python version, read without unpickling it.

Python's unpickler calls whatever a file names. Here a file's opcodes, which the standard library
lists without running anything, are worked out one by one: the few that these files hold, dicts,
lists, tuples, strings and whole numbers, and the three functions by which an array is written, as
names that are never imported. Everything else is refused.
"""

from __future__ import annotations

import pickletools
from enum import Enum, auto
from typing import Any

import numpy as np

IMAGE_BYTES = 3 * 32 * 32  # red, green and blue, row by row
_MOST_OPCODES = 300_000  # CIFAR-10's files have about 30,000; every opcode makes one object at most


class _Name(Enum):
    """What stands on the stack in place of what a file names, or has not finished."""

    MARK = auto()
    ENCODE = auto()
    RECONSTRUCT = auto()
    ARRAY = auto()
    DTYPE = auto()
    EMPTY_ARRAY = auto()
    NEW_DTYPE = auto()
    UINT8 = auto()


_GLOBALS = {
    "_codecs encode": _Name.ENCODE,
    "numpy.core.multiarray _reconstruct": _Name.RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": _Name.RECONSTRUCT,
    "numpy ndarray": _Name.ARRAY,
    "numpy dtype": _Name.DTYPE,
}
_TEXTS = {"BINSTRING", "SHORT_BINSTRING", "BINUNICODE"}
_NUMBERS = {"BININT", "BININT1", "BININT2"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_images(content: bytes) -> np.ndarray:
    """Return the array `data` of the dict in a file, uint8 [n, 3072].

    Raises ValueError when the file is anything but such a dict.
    """
    machine = _Machine(len(content))
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if number == _MOST_OPCODES:
                raise ValueError("too many opcodes")
            machine.step(opcode.name, argument)
    except LookupError:
        raise ValueError("an opcode has nothing to work on") from None
    match machine.stack:
        case [dict(found)]:
            images = found.get("data", found.get(b"data"))
            if isinstance(images, np.ndarray):
                return images
    raise ValueError("no dict with an array 'data'")


class _Machine:
    """The stack and the memo that opcodes work on.

    stack: None, bool, int, str, bytes, tuple, list, dict, _Name, and arrays uint8 [n, 3072].
    """

    def __init__(self, size: int) -> None:
        """Start empty. size: bytes of the file, which the encoded strings may have in all."""
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._allowed = size

    def step(self, name: str, argument: Any) -> None:
        """Work out one opcode. Raises ValueError or LookupError for one that is out of place."""
        if name in _TEXTS or name in _NUMBERS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])
        elif name == "GLOBAL" and argument in _GLOBALS:
            self.stack.append(_GLOBALS[argument])
        elif name == "MARK":
            self.stack.append(_Name.MARK)
        elif name != "STOP" and (name, argument) != ("PROTO", 2):
            self._combine(name)

    def _combine(self, name: str) -> None:
        """Work out an opcode that takes several objects from the stack."""
        if name in _TUPLES:
            self.stack.append(tuple([self.stack.pop() for _ in range(_TUPLES[name])][::-1]))
        elif name == "TUPLE":
            self.stack.append(tuple(self._to_mark()))
        elif name == "APPENDS":
            _extend(self._to_mark(), self.stack[-1])
        elif name == "SETITEMS":
            _update(self._to_mark(), self.stack[-1])
        elif name in ("REDUCE", "BUILD"):
            argument, made = self.stack.pop(), self.stack.pop()
            make = self._reduced if name == "REDUCE" else self._built
            self.stack.append(make(made, argument))
        else:
            raise ValueError(f"opcode {name} is not one of a file of images")

    def _to_mark(self) -> list[Any]:
        """Take everything above the last mark, and the mark."""
        items = []
        while (item := self.stack.pop()) is not _Name.MARK:
            items.append(item)
        return items[::-1]

    def _reduced(self, function: Any, arguments: Any) -> Any:
        """Return what a call stands for; the only calls are those of an array and of bytes."""
        match function, arguments:
            case _Name.ENCODE, (str(text), "latin1"):
                return self._encoded(text)
            case _Name.RECONSTRUCT, (_Name.ARRAY, (0,), "b" | b"b"):
                return _Name.EMPTY_ARRAY
            case _Name.DTYPE, ("u1", 0, 1):
                return _Name.NEW_DTYPE
        raise ValueError("a call that is not one of an array of bytes")

    def _built(self, made: Any, state: Any) -> Any:
        """Return a dtype or an array with its state: uint8, and [n, 3072] of as many bytes."""
        match made, state:
            case _Name.NEW_DTYPE, (3, "|", None, None, None, -1, -1, 0):
                return _Name.UINT8
            case (
                _Name.EMPTY_ARRAY,
                (1, (int(rows), 3072), _Name.UINT8, bool(fortran), str() | bytes() as data),
            ):
                content = self._encoded(data) if isinstance(data, str) else data
                if rows < 1 or len(content) != rows * IMAGE_BYTES:
                    raise ValueError(f"{len(content)} bytes for {rows} images of {IMAGE_BYTES}")
                values = np.frombuffer(content, dtype=np.uint8)
                return values.reshape(rows, IMAGE_BYTES, order="F" if fortran else "C")
        raise ValueError(f"an array that is not uint8 [n, {IMAGE_BYTES}]")

    def _encoded(self, text: str) -> bytes:
        """Return a string as bytes: all of them together are no longer than the file."""
        self._allowed -= len(text)
        if self._allowed < 0:
            raise ValueError("more bytes than the file has")
        return text.encode("latin-1")


def _extend(items: list[Any], target: Any) -> None:
    """Append to a list, strings and numbers alone."""
    if not isinstance(target, list) or not all(isinstance(i, int | str | bytes) for i in items):
        raise ValueError("a list of other things than strings and numbers")
    target.extend(items)


def _update(items: list[Any], target: Any) -> None:
    """Set keys and values, in turn, in a dict: strings to strings, numbers, lists and arrays."""
    keys, values = items[::2], items[1::2]
    plain = all(isinstance(key, str | bytes) for key in keys) and all(
        isinstance(value, int | str | bytes | list | np.ndarray) for value in values
    )
    if not isinstance(target, dict) or len(keys) != len(values) or not plain:
        raise ValueError("a dict of other things than strings, numbers, lists and arrays")
    target.update(zip(keys, values, strict=True))
