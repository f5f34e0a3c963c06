"""The settings of each model type and of the probe: defaults, bounds, meanings.

Key names and defaults are those of the published configurations (Sobal et al. 2022); a key that
is not in them says so in its meaning. No torch here: reading a configuration stays cheap.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from slow_features.config.fields import (
    AS_TEXT,
    WHOLE,
    Coefficient,
    Count,
    Rate,
    Section,
    number,
    setting,
)

ENCODERS = Literal["menet5", "resnet18", "lenet5", "mlp", "identity"]
_SIZES = r"[1-9]\d{0,4}(-[1-9]\d{0,4})*"  # layer sizes of an MLP, as in "512-512"


class ModelSection(Section):
    """What every model type has: an encoder, a predictor and a number of epochs."""

    arch: ENCODERS = setting("menet5", "encoder")
    backbone_width_factor: Annotated[int, Field(ge=1, le=64)] = setting(
        2, "width w of the encoder: 16w, 32w, 32w channels"
    )
    backbone_mlp: Annotated[str, Field(pattern=rf"^{_SIZES}$"), AS_TEXT] | None = setting(
        None, "hidden sizes of an MLP behind the encoder's last layer, as '512-512'; null for none"
    )
    embedding_size: Annotated[int, Field(ge=1, le=65_536)] = setting(512, "size D of an embedding")
    channels: Annotated[Literal[1, 3], WHOLE] = setting(
        1, "channels of a frame; 3 only with dataset_type Multiple"
    )
    action_dim: Annotated[Literal[2], WHOLE] = setting(2, "size of an action: x and y")
    predictor: Annotated[str, Field(pattern=rf"^(rnn|id|{_SIZES})$")] = setting(
        "rnn", "'rnn' (GRU), 'id', or the layer sizes of an MLP as '514-512-512'"
    )
    rnn_layers: Annotated[int, Field(ge=1, le=64)] = setting(1, "layers of the GRU")
    rnn_burnin: Annotated[int, Field(ge=1, le=1000)] = setting(
        1, "number of first frames whose true encoding the predictor may see"
    )
    epochs: Count = setting(100, "passes of dataset_size fresh sequences")


class JepaSection(ModelSection):
    """A joint-embedding model: trained with LARS, with a projector before the loss."""

    projector: Annotated[str, Field(pattern=rf"^(id|{_SIZES})$")] = setting(
        "id", "projector before the loss: 'id' or layer sizes as '512-512-512'"
    )
    random_projector: bool = setting(False, "keep the projector at its random initial weights")
    base_lr: Rate = setting(0.2, "LARS rate at batch 256; the rate used is base_lr * batch / 256")
    action_coeff: Coefficient = setting(0.0, "weight of the action predictor's loss")
    decoding_coeff: Coefficient = setting(
        0.0, "weight of a decoder's reconstruction loss (the decoder reads detached states)"
    )


class VICRegSection(JepaSection):
    """VICReg on predictions and encodings (paper, section 2; Bardes et al. 2022)."""

    sim_coeff: Coefficient = setting(25.0, "weight of the prediction error")
    std_coeff: Coefficient = setting(25.0, "weight of the variance hinge")
    cov_coeff: Coefficient = setting(1.0, "weight of the covariance")
    encoding_std_coeff: Coefficient = setting(
        0.0, "weight of the variance hinge on encodings before the projector"
    )
    encoding_cov_coeff: Coefficient = setting(
        0.0, "weight of the covariance on encodings before the projector"
    )
    prediction_diff_coeff: Coefficient = setting(
        0.0, "weight of the error between successive differences of predictions and encodings"
    )
    skip_first_step_vc: bool = setting(True, "leave frame 0 out of variance and covariance")
    repr_loss_after_projector: bool = setting(
        False, "measure the prediction error behind the projector"
    )


class SimCLRSection(JepaSection):
    """SimCLR on predictions and encodings (paper, section 2; Chen et al. 2020)."""

    loss_temp: number(gt=0, le=1e6) = setting(1.0, "temperature of the softmax")
    normalize_z: bool = setting(False, "put the vectors on the unit sphere first")


class IDMSection(JepaSection):
    """Inverse dynamics: predict the action between two states (paper, section 3)."""

    action_coeff: number(gt=0, le=1e6) = setting(1.0, "weight of the action predictor's loss")


FREE_NATS = 3.0  # of the RSSM: a smaller KL costs nothing more, and gives no gradient


class RSSMSection(ModelSection):
    """Reconstruction with a recurrent state space model (paper, section 3; Hafner et al. 2019)."""

    learning_rate: Rate = setting(0.0005, "Adam's rate, constant")
    rssm_adam_epsilon: number(gt=0, le=1) = setting(1e-8, "Adam's epsilon")
    min_var: number(ge=0, le=100) = setting(
        0.05, "added to the scales of prior and posterior in training"
    )
    action_coeff: Coefficient = setting(0.0, "weight of the action predictor's loss")


class SupervisedSection(ModelSection):
    """Encoder, predictor and linear probe trained together on the true locations."""

    lr: Rate = setting(0.001, "Adam's rate")
    batch_size: Count | None = setting(None, "sequences in a batch; null: dataset_batch_size")


class RandomSection(ModelSection):
    """An untrained, frozen model: what training has to beat."""


class ProbeSection(Section):
    """The linear probe from a state to the dots' locations (paper, section 3)."""

    solver: Literal["closed_form", "adam"] = setting(
        "closed_form", "least squares in float64, or the published Adam (ours)"
    )
    sequences: Count = setting(
        10_000, "sequences that the closed form is fitted on; Adam takes epochs * val_dataset_size"
    )
    lr: Rate = setting(0.001, "Adam's rate")
    epochs: Count = setting(30, "Adam's epochs on rollouts ('pred')")
    epochs_enc: Count = setting(30, "Adam's epochs on the encoding of frame 0 ('enc')")
    batch_size: Count | None = setting(None, "sequences in a batch; null: dataset_batch_size")
    full_finetune: bool = setting(False, "published form of model_type Supervised, with eval_only")
    schedule: None = setting(None, "rate schedule of the probe; only null was published")
    prober_arch: Literal[""] = setting("", "hidden layers of the probe; only '' (linear)")
