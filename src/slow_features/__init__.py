"""World models on a moving dot: a reproduction of Sobal et al. 2022 (arXiv 2211.10831).

For notebooks: load_results, load_model, batches, decoded_paths, as docs/library.md shows. They are
loaded when they are first used, so that the import alone costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slow_features.library import batches, decoded_paths, load_model, load_results

__all__ = ["batches", "decoded_paths", "load_model", "load_results"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("slow_features.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
