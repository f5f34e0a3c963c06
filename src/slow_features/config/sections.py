"""The settings of each model type and of the probe: defaults, bounds, meanings.

Key names and defaults are those of the published configurations (Sobal et al. 2022); a key that
is not in them says so in its meaning. A published key that no published file changes takes its
published value alone. No torch here: reading a configuration stays cheap.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from slow_features.config.fields import (
    AS_SIZE,
    WHOLE,
    Coefficient,
    Count,
    Off,
    Rate,
    Section,
    Zero,
    number,
    setting,
)

Size = Annotated[int, Field(ge=1, le=65_536)]


class ModelSection(Section):
    """What every model type has: an encoder, a predictor and a number of epochs."""

    arch: Literal["menet5"] = setting("menet5", "encoder")
    backbone_width_factor: Annotated[int, Field(ge=1, le=64)] = setting(
        2, "width w of the encoder: 16w, 32w, 32w channels"
    )
    backbone_mlp: Annotated[Literal["id"] | Size | None, AS_SIZE] = setting(
        None, "a linear layer behind the encoder, whose size is then the embedding's; id: none"
    )
    embedding_size: Size = setting(
        512, "size D of an embedding, if backbone_mlp does not set another"
    )
    channels: Annotated[Literal[1, 3], WHOLE] = setting(
        1, "channels of a frame; 3 only with dataset_type Multiple"
    )
    action_dim: Annotated[Literal[2], WHOLE] = setting(2, "size of an action: x and y")
    predictor: Literal["rnn"] = setting("rnn", "predictor: a GRU")
    rnn_layers: Annotated[int, Field(ge=1, le=64)] = setting(1, "layers of the GRU")
    rnn_burnin: Annotated[Literal[1], WHOLE] = setting(
        1, "number of first frames whose true encoding the predictor sees"
    )
    epochs: Count = setting(100, "passes of dataset_size fresh sequences")

    @property
    def state_size(self) -> int:
        """Size of an embedding as the model has it: what the predictor and the probe read."""
        return self.backbone_mlp if isinstance(self.backbone_mlp, int) else self.embedding_size

    @property
    def size_note(self) -> str | None:
        """One line that says so where `embedding_size` is not the embedding's size, else None."""
        if self.state_size == self.embedding_size:
            return None
        return (
            f"backbone_mlp = {self.backbone_mlp}: embeddings have size {self.state_size}, as "
            f"published, and not embedding_size = {self.embedding_size}"
        )


class JepaSection(ModelSection):
    """A joint-embedding model, trained with LARS."""

    projector: Literal["id"] = setting("id", "projector before the loss: none")
    random_projector: Off = setting(False, "frozen projector: there is none")
    base_lr: Rate = setting(0.2, "LARS rate at batch 256; the rate used is base_lr * batch / 256")
    action_coeff: Coefficient = setting(0.0, "weight of the action predictor's loss")
    decoding_coeff: Zero = setting(0.0, "weight of a decoder's loss: there is none")
    frame_differences: bool = setting(
        False, "remedy: encode the change from the frame before; frame 0 needs frame 1 (ours)"
    )


class VICRegSection(JepaSection):
    """VICReg on predictions and encodings (paper, section 2; Bardes et al. 2022)."""

    sim_coeff: Coefficient = setting(25.0, "weight of the prediction error")
    std_coeff: Coefficient = setting(25.0, "weight of the variance hinge")
    cov_coeff: Coefficient = setting(1.0, "weight of the covariance")
    encoding_std_coeff: Zero = setting(
        0.0, "variance hinge before the projector: there is no projector, see std_coeff"
    )
    encoding_cov_coeff: Zero = setting(
        0.0, "covariance before the projector: there is no projector, see cov_coeff"
    )
    skip_first_step_vc: bool = setting(True, "leave frame 0 out of variance and covariance")
    repr_loss_after_projector: Off = setting(
        False, "prediction error behind the projector: there is none"
    )
    time_std_coeff: Coefficient = setting(
        0.0, "remedy: weight of a variance hinge over the frames of a sequence (ours)"
    )
    time_cov_coeff: Coefficient = setting(
        0.0, "remedy: weight of the covariance over the frames of a sequence (ours)"
    )
    sigreg_coeff: Coefficient = setting(
        0.0, "remedy: weight of SIGReg, in place of std_coeff and cov_coeff (ours)"
    )


class SimCLRSection(JepaSection):
    """SimCLR on predictions and encodings (paper, section 2; Chen et al. 2020)."""

    loss_temp: number(ge=1e-6, le=1e6) = setting(1.0, "temperature of the softmax")
    normalize_z: bool = setting(False, "put the vectors on the unit sphere first")
    negatives: Literal["across", "within", "actions"] = setting(
        "across",
        "what vectors are told apart from: other sequences at their time (published); remedies: "
        "other times of their own sequence, their own start under other actions (ours)",
    )
    other_actions: Annotated[int, Field(ge=1, le=64)] = setting(
        3, "with negatives = actions: how many other sequences' actions (ours)"
    )
    across_coeff: Coefficient = setting(
        0.0, "remedy: weight of the published loss beside other negatives (ours)"
    )
    across_share: number(gt=0, le=1) = setting(
        1.0,
        "with across_coeff: share of the features that the published loss sees; below 1 the other "
        "negatives see the rest alone (ours)",
    )


class IDMSection(JepaSection):
    """Inverse dynamics: predict the action between two states (paper, section 3)."""

    action_coeff: number(ge=1e-12, le=1e6) = setting(1.0, "weight of the action predictor's loss")


FREE_NATS = 3.0  # of the RSSM: a smaller KL costs nothing more, and gives no gradient


class RSSMSection(ModelSection):
    """Reconstruction with a recurrent state space model (paper, section 3; Hafner et al. 2019)."""

    learning_rate: Rate = setting(0.0005, "Adam's rate, constant")
    rssm_adam_epsilon: number(ge=1e-20, le=1) = setting(1e-8, "Adam's epsilon")
    min_var: number(ge=0, le=100) = setting(
        0.05, "added to the scales of prior and posterior in training, save of frame 0's prior"
    )
    backbone_mlp: None = setting(None, "layer behind the encoder: none was published")
    rnn_layers: Annotated[Literal[1], WHOLE] = setting(1, "layers of the GRU")


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
    measured_on: Literal["evaluation", "validation"] = setting(
        "evaluation",
        "sequences that errors are measured on; validation: those behind the evaluation's, for "
        "choosing between trainings (ours)",
    )
    lr: Rate = setting(0.001, "Adam's rate")
    epochs: Count = setting(30, "Adam's epochs on rollouts ('pred')")
    epochs_enc: Count = setting(30, "Adam's epochs on the encoding of frame 0 ('enc')")
    batch_size: Count | None = setting(None, "sequences in a batch; null: dataset_batch_size")
    full_finetune: bool = setting(False, "published form of model_type Supervised, with eval_only")
    schedule: None = setting(None, "rate schedule of the probe; only null was published")
    prober_arch: Literal[""] = setting("", "hidden layers of the probe; only '' (linear)")
