"""bfloat16 on a processor that lacks it: what stages/train.py does, with its products emulated.

    python -m benchmarks.rounding --configs FILE --values precision=bfloat16 output_path=FOLDER

A processor with bfloat16 multiplies rounded numbers, adds the products in float32 and rounds the
sum. So does this: the product of two bfloat16 numbers is exact in float32. What remains is the
order of the sums, which differs between two such processors as well. All else, as activations that
lie in bfloat16 between layers, is torch's own. An emulated training takes a tenth longer than one
in float32; torch's own bfloat16 without such a processor takes ten times as long and more.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import flop_registry


class EmulatedProducts(TorchDispatchMode):
    """Inside of it, convolutions and products of bfloat16 are computed in float32, then rounded.

    What counts as a product is torch's own list of operations that are counted in FLOPs.
    """

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Run one operation of torch."""
        kwargs = kwargs or {}
        products = operation.overloadpacket in flop_registry
        if not (products and any(map(_is_bfloat16, args))):
            return operation(*args, **kwargs)
        return tree_map(_rounded, operation(*tree_map(_widened, args), **kwargs))


def _is_bfloat16(value):
    return isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16


def _widened(value):
    return value.float() if _is_bfloat16(value) else value


def _rounded(value):
    return value.bfloat16() if isinstance(value, torch.Tensor) else value


def train():
    """Train one world model on the moving dot, then probe it, with products emulated."""
    from slow_features.commands import experiment

    with EmulatedProducts():
        experiment.train()


if __name__ == "__main__":
    from slow_features.errors import exit_with_message

    exit_with_message(train)
