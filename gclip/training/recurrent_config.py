"""The settings of one small recurrent network."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from gclip.training.config import MAX_WORK, Config, Real, Whole

INPUTS = {"sine": 1, "characters": 45, "sum": 1}
"""Numbers that each problem shows the network at one time step; of characters, one for each of the text's."""

OUTPUTS = {"sine": 1, "characters": 45, "sum": 1}
"""Numbers that the network answers with."""

GATES = {"LSTM": 4, "RNN": 1}
"""Rows of weights for each hidden unit."""


class RecurrentConfig(Config):
    """One recurrent layer with a linear output, trained once under one rule; the defaults are an exploding sine.

    Every step draws a fresh batch. ``weight_gain`` g makes each gate's recurrent weights g times an orthogonal
    matrix; at 0 they stay as PyTorch initialises them. ``bad_scale`` multiplies the targets of step ``bad_step`` alone.

    Raises:
        pydantic.ValidationError: for a field out of range; `explain` turns it into plain sentences.
    """

    LANEWISE: ClassVar[frozenset[str]] = Config.LANEWISE | {"weight_gain", "bad_scale", "bad_step"}

    RECURRENT: ClassVar[bool] = True

    problem: Literal["sine", "characters", "sum"] = Field(default="sine", title="Problem")
    cell: Literal["LSTM", "RNN"] = Field(default="LSTM", title="Cell")
    learning_rate: Real = Field(default=2.0, gt=0, le=1000, title="Learning rate")
    steps: Whole = Field(default=800, ge=20, le=4000, multiple_of=20, title="Steps")  # type: ignore[assignment]
    sequence_length: Whole = Field(default=50, ge=2, le=200, title="Time steps")
    batch_size: Whole = Field(default=16, ge=1, le=128, title="Batch size")
    hidden_units: Whole = Field(default=32, ge=1, le=128, title="Hidden units")
    weight_gain: Real = Field(default=0.0, ge=0, le=16, title="Weight gain")
    bad_scale: Real = Field(default=1.0, ge=0, le=1e6, title="Bad batch: targets times")
    bad_step: Whole = Field(default=300, ge=0, le=4000, title="Bad batch: at step")

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if self.bad_scale != 1 and self.problem == "characters":
            raise ValueError(f"bad_scale is {self.bad_scale:g}; allowed is 1 where the targets are characters")
        if self.work > MAX_WORK:
            raise ValueError(
                f"hidden_units is {self.hidden_units} over {self.sequence_length} time steps and {self.steps} steps: "
                f"{self.work:.1e} multiply-adds; allowed are {MAX_WORK:.0e}. Take a smaller network or fewer steps"
            )
        return self

    @property
    def steps_per_epoch(self) -> int:
        """Steps from one evaluation to the next."""
        return 20

    @property
    def epochs(self) -> int:
        """Evaluations in the whole run."""
        return self.steps // self.steps_per_epoch

    @property
    def has_bad_step(self) -> bool:
        """Whether a step of this run has its targets scaled."""
        return self.bad_scale != 1 and self.bad_step < self.steps

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the network's layers, from input to output."""
        return (self.cell.lower(), "output")

    @property
    def work(self) -> float:
        """Multiply-adds of the whole run, forward and backward."""
        weights = GATES[self.cell] * self.hidden_units * (INPUTS[self.problem] + self.hidden_units)
        return 3.0 * self.steps * self.batch_size * self.sequence_length * weights
