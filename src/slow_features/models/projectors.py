"""Projectors: what lies between the embeddings and the loss."""

from __future__ import annotations

from torch import Tensor, nn

from slow_features.config.sections import JepaSection
from slow_features.models.mlp import layer_sizes, mlp


class MLPProjector(nn.Module):
    """Linear layers with a BatchNorm and a ReLU between them."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.mlp = mlp(sizes, batch_norm=True)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Project embeddings [T, B, D] -> [T, B, P]; BatchNorm sees all T * B rows at once."""
        return self.mlp(embeddings.flatten(0, 1)).unflatten(0, embeddings.shape[:2])


def build_projector(section: JepaSection) -> nn.Module:
    """Build the projector that `section.projector` names: 'id' or layer sizes '512-512-512'.

    As in VICReg (Bardes et al. 2022) the sizes are those of the layers' outputs: three sizes are
    three linear layers behind an embedding. With `random_projector` the weights are never trained.
    """
    if section.projector == "id":
        return nn.Identity()
    projector = MLPProjector([section.embedding_size, *layer_sizes(section.projector)])
    return projector.requires_grad_(not section.random_projector)
