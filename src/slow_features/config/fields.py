"""How a setting is declared: type, default, bounds and a one-line meaning in one place."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


class Section(BaseModel):
    """A frozen group of settings that refuses unknown keys and implicit conversions."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def _as_float(value: Any) -> Any:
    """Accept whole numbers, and '1e-3', which YAML 1.1 reads as a string."""
    if isinstance(value, bool):  # an int in Python, but not a number for a user
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, int) and abs(value) > 2**63:
        return math.inf
    return float(value) if isinstance(value, int) else value


def _as_size(value: Any) -> Any:
    """Accept a size in quotes, as the published files have it: `backbone_mlp: '512'`."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value) else value


def _as_whole(value: Any) -> Any:
    """Keep true and 1.0 from passing for 1, which they equal in Python."""
    return value if type(value) is int else repr(value)


def _as_switch(value: Any) -> Any:
    """Keep 0 and 0.0 from passing for false."""
    return value if isinstance(value, bool) else repr(value)


def number(**bounds: float) -> Any:
    """Return the type of a real number within pydantic's bounds (ge, gt, le, lt)."""
    return Annotated[float, Field(**bounds), BeforeValidator(_as_float)]


AS_SIZE = BeforeValidator(_as_size)
WHOLE = BeforeValidator(_as_whole)
Coefficient = number(ge=0, le=1e6)
Rate = number(ge=1e-12, le=1e3)  # far from where float32 ends
Zero = number(ge=0, le=0)
Off = Annotated[Literal[False], BeforeValidator(_as_switch)]
Count = Annotated[int, Field(ge=1, le=100_000_000)]


def setting(default: Any, meaning: str, **bounds: Any) -> Any:
    """Declare one setting: its default, its one-line meaning and pydantic's bounds."""
    return Field(default, description=meaning, **bounds)
