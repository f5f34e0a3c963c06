"""A GRU whose backward pass needs one product for the weights of all time steps."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class GRU(nn.GRU):
    """nn.GRU with its parameters and its equations; every layer starts in the same state."""

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Run the top layer's states over time: inputs [T, B, I], state [B, D] -> [T, B, D].

        Inside of an autocast context products are computed in its type; gates and states stay in
        the state's own, so that rounding does not add up over time.
        """
        outputs = inputs
        for weight_ih, weight_hh, bias_ih, bias_hh in self.all_weights:
            input_gates = F.linear(outputs, weight_ih, bias_ih).to(state.dtype)
            product_dtype = _product_dtype(state)
            outputs = _Recurrence.apply(input_gates, state, weight_hh, bias_hh, product_dtype)
        return outputs


def _product_dtype(state: Tensor) -> torch.dtype:
    """Return the type that products are computed in here: autocast's, or the state's own."""
    device = state.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else state.dtype


def _add_product(term: Tensor, rows: Tensor, matrix: Tensor, out: Tensor | None = None) -> Tensor:
    """Return term + rows @ matrix: the product in the matrix's type, the sum in the term's."""
    if matrix.dtype == term.dtype:
        return torch.addmm(term, rows, matrix, out=out)
    return torch.add(term, rows.to(matrix.dtype) @ matrix, out=out)


class _Recurrence(torch.autograd.Function):
    """The part of a GRU layer that goes step by step, after its inputs' share of the gates.

    For one step, with the inputs' share i and h' the last state (Cho et al. 2014, as in nn.GRU):
    reset r = sigmoid(i_r + W_r h' + b_r), update z = sigmoid(i_z + W_z h' + b_z),
    candidate n = tanh(i_n + r * (W_n h' + b_n)), state h = (1 - z) n + z h'.

    Exact: autograd's gradient of W is a sum over time steps of products G_t^T H_t; stacking the
    steps as the rows of G and H makes that sum the one product G^T H.
    """

    @staticmethod
    def forward(
        ctx: Any,
        input_gates: Tensor,
        state: Tensor,
        weight: Tensor,
        bias: Tensor,
        product_dtype: torch.dtype,
    ) -> Tensor:
        """Return the states [T, B, D]; input_gates [T, B, 3D], state [B, D], weight [3D, D]."""
        weight = weight.to(product_dtype)
        steps, batch, size = len(input_gates), *state.shape
        states = state.new_empty(steps + 1, batch, size)
        states[0] = state
        gates = torch.empty_like(input_gates)  # r, z and W_n h' + b_n of every step
        candidates = torch.empty_like(states[1:])
        for t in range(steps):
            _add_product(bias, states[t], weight.T, out=gates[t])
            gates[t, :, : 2 * size].add_(input_gates[t, :, : 2 * size]).sigmoid_()
            reset, update, hidden = gates[t].chunk(3, dim=1)
            torch.addcmul(input_gates[t, :, 2 * size :], reset, hidden, out=candidates[t])
            torch.lerp(candidates[t].tanh_(), states[t], update, out=states[t + 1])
        ctx.save_for_backward(states, gates, candidates, weight)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of input_gates, state, weight and bias."""
        states, gates, candidates, weight = ctx.saved_tensors
        size = states.shape[2]
        grad_gates = torch.empty_like(gates)
        grad_candidates = torch.empty_like(grad)
        grad_state = torch.zeros_like(grad[0])
        for t in reversed(range(len(grad))):
            reset, update, hidden = gates[t].chunk(3, dim=1)
            candidate = candidates[t]
            total = grad[t] + grad_state
            kept = total * update
            grad_candidate = (total - kept) * (1 - candidate * candidate)
            grad_gates[t, :, :size] = grad_candidate * hidden * reset * (1 - reset)
            grad_gates[t, :, size : 2 * size] = kept * (states[t] - candidate) * (1 - update)
            grad_gates[t, :, 2 * size :] = grad_candidate * reset
            grad_candidates[t] = grad_candidate
            grad_state = _add_product(kept, grad_gates[t], weight)
        rows = grad_gates.flatten(0, 1)
        grad_bias = rows.sum(0)
        rounded = states[:-1].flatten(0, 1).to(weight.dtype)
        grad_weight = (rows.to(weight.dtype).T @ rounded).to(grad.dtype)
        grad_gates[:, :, 2 * size :] = grad_candidates  # the candidate's input is not reset
        return grad_gates, grad_state, grad_weight, grad_bias, None
