"""The criteria of claims.yaml in a typed form: what a claim needs to count as reproduced."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from slow_features.config.load import read_yaml
from slow_features.grid.config_files import CONFIGS_FOLDER
from slow_features.grid.definition import PUBLISHED

CRITERIA_FILE = Path(__file__).parent / "claims.yaml"
PUBLISHED_FILE = CONFIGS_FOLDER / "published" / "results.yaml"
CENTRE, START = "centre", "start"  # baselines that need no model
TRAINED = "training_worked"  # the criterion that compares a training with its own start


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Criterion(_Part):
    """Compares an error with ratio * reference + plus_px, in px; or a share with a number.

    of: what the error is compared with; None for a share, whose bound is the number itself.
    share: which share of the variance of the encodings, by its name in metrics.json.
    """

    at_most: float | None = None
    at_least: float | None = None
    of: str | None = None
    share: Literal["noise_share", "dot_share"] | None = None
    plus_px: float = 0.0
    why: str

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("a criterion has one bound: at_most or at_least")
        if (self.of is None) == (self.share is None):
            raise ValueError("a criterion has one of: of, for an error, or share")
        return self

    @property
    def ratio(self) -> float:
        """The factor of the reference."""
        return self.at_least if self.at_most is None else self.at_most

    def bound(self, reference: float) -> float:
        """Return the bound that a reference error gives, px; of a share, with reference 1."""
        return self.ratio * reference + self.plus_px

    def margin(self, value: float, bound: float) -> float:
        """Return by how much a value keeps its bound; negative if it does not."""
        return value - bound if self.at_most is None else bound - value

    @property
    def kind(self) -> str:
        """The side of the bound, in words."""
        return "at least" if self.at_most is None else "at most"

    def sentence(self, reference: str) -> str:
        """Return the criterion in words; reference says what is compared with."""
        if self.share:
            return f"{self.share.replace('_', ' ')} {self.kind} {self.ratio:g}"
        times = "" if self.ratio == 1 else f"{self.ratio:g} x "
        plus = f" {self.plus_px:+g} px" if self.plus_px else ""
        return f"{self.kind} {times}{reference}{plus}"


class Trained(_Part):
    """When a training counts as having worked.

    loss_falls: share of its first value. encoder_moves: |w - w0| / |w0| of the encoder.
    """

    loss_falls: float
    encoder_moves: float
    why: str

    def sentence(self) -> str:
        """Return the criterion in words."""
        return (
            f"the loss fell by {self.loss_falls:.0%} or more, "
            f"the encoder moved by {self.encoder_moves:g} or more"
        )

    def margin(self, facts: tuple[float, float]) -> float:
        """Return by how much (fall of the loss, move of the encoder) exceed what is asked.

        The smaller of both excesses, each relative to what is asked; negative if one falls short.
        """
        fell, moved = facts
        return min(fell / self.loss_falls, moved / self.encoder_moves) - 1


class Elsewhere(_Part):
    """Where the same model is, that a check compares with; what is not named stays the same."""

    family: str | None = None
    alpha: str | None = None
    variant: str | None = None


class Need(_Part):
    """What must hold at the same level before a check says anything.

    models, variant: whom it is about; what is not named is that of the check itself.
    otherwise: what is said of a model that does not meet it.
    leave_out: whether a part is judged by its other checks alone where it is not met and the check
        would hold. A check that does not hold counts all the same.
    """

    criterion: str
    models: tuple[str, ...] = ()
    variant: str | None = None
    otherwise: str
    leave_out: bool = False


class Check(_Part):
    """One criterion for some models."""

    criterion: str
    models: tuple[str, ...]
    variant: str = PUBLISHED
    dot: str | None = None
    against: Elsewhere = Elsewhere()
    needs: Need | None = None

    def of_need(self, model: str) -> list[Check]:
        """Return what this check of a model needs, as checks of one model each."""
        if not self.needs:
            return []
        need = self.needs
        return [
            Check(
                criterion=need.criterion,
                models=(who,),
                variant=need.variant or self.variant,
                dot=self.dot,
            )
            for who in need.models or (model,)
        ]


class Span(_Part):
    """A range of noise levels; a side that is not named is open."""

    above: str | None = None
    to: str | None = None

    def holds(self, alpha: str) -> bool:
        """Return whether a level lies within; `above` itself does not, `to` does."""
        low = self.above is None or float(alpha) > float(self.above)
        return low and (self.to is None or float(alpha) <= float(self.to))


class ClaimPart(_Part):
    """A part of a claim: checks in one noise family.

    levels: without which it is not run. within: every other level of the scale in this range is
    judged as well; without it, none is.
    """

    name: str
    family: str
    levels: tuple[str, ...] = Field(min_length=1)
    within: Span | None = None
    holds: Literal["every_level", "some_level"] = "every_level"
    checks: tuple[Check, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _levels_are_within(self) -> Self:
        outside = [a for a in self.levels if self.within and not self.within.holds(a)]
        if outside:
            raise ValueError(f"{self.name}: level {outside[0]} is outside of its own range")
        return self

    @model_validator(mode="after")
    def _something_decides(self) -> Self:
        if all(check.needs and check.needs.leave_out for check in self.checks):
            raise ValueError(f"{self.name}: every check may be left out, so none decides")
        return self


class Claim(_Part):
    """A claim: of the paper, whose text stands under the same id in the published results; or ours.

    text: of a claim of ours.
    """

    id: str
    text: str = ""
    parts: tuple[ClaimPart, ...] = Field(min_length=1)


class Rules(_Part):
    """The whole of claims.yaml: `claims` are the paper's, `own` are ours."""

    trained: Trained
    criteria: dict[str, Criterion]
    claims: tuple[Claim, ...]
    own: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _own_claims_say_what_they_claim(self) -> Self:
        for claim in self.own:
            if not claim.text:
                raise ValueError(f"own: {claim.id}: a claim of ours has a text")
        return self

    @model_validator(mode="after")
    def _criteria_are_there(self) -> Self:
        claims = (*self.claims, *self.own)
        checks = [check for claim in claims for p in claim.parts for check in p.checks]
        used = {check.criterion for check in checks}
        used |= {check.needs.criterion for check in checks if check.needs}
        unknown = used - self.criteria.keys() - {TRAINED}
        if unknown:
            raise ValueError(f"unknown criteria: {', '.join(sorted(unknown))}")
        return self


def read_rules(file: Path = CRITERIA_FILE) -> Rules:
    """Read the criteria. Raises pydantic's ValidationError for a file that is not as it should."""
    return Rules.model_validate(yaml.load(file.read_bytes(), yaml.CSafeLoader))


def read_published(file: Path = PUBLISHED_FILE) -> dict:
    """Read the published numbers and claims. Raises InputError if they are not there."""
    return read_yaml(file, max_depth=4)
