"""The Lightning script computes what gclip computes; its Trainer clips where it can, its hook everywhere else."""

from __future__ import annotations

import ast
import math

import export_examples as examples
import pytest

import gclip
from gclip import export
from gclip.clipping import (
    AutoClip,
    Chain,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    ClipDerivative,
    Clipper,
    NoClip,
    PerLayer,
)
from gclip.training import RecurrentConfig, RunConfig

BY_TRAINER = [
    (ClipByNorm(2.0), ["gradient_clip_val=MAX_NORM", "gradient_clip_algorithm='norm'"]),
    (ClipByValue(2.0), ["gradient_clip_val=CLIP_VALUE", "gradient_clip_algorithm='value'"]),
    (Chain(NoClip(), ClipByNorm(math.inf)), ["gradient_clip_val=MAX_NORM", "gradient_clip_algorithm='norm'"]),
]

BY_HOOK = [
    (ClipByNorm(2.0, 1.0), ["nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM, norm_type=NORM_TYPE)"]),
    (ClipByTensorNorm(2.0), ["clip_by_tensor_norm(self.model.parameters(), MAX_NORM)"]),
    (AutoClip(), ["self.auto_clip(self.model.parameters())"]),
    (
        PerLayer(NoClip(), output=ClipByNorm(2.0)),
        ["nn.utils.clip_grad_norm_(self.model.output.parameters(), MAX_NORM)"],
    ),
    (
        Chain(ClipByNorm(2.0), ClipByValue(1.0)),
        [
            "nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM_1)",
            "nn.utils.clip_grad_value_(self.model.parameters(), CLIP_VALUE_2)",
        ],
    ),
]

SHORT = ["L1 norm", "Huber", "AGC", "AutoClip's window", "ZClip", "AdaGC", "per layer of four", "uneven batches"]
RUNS = [
    *[examples.CONFIGS[name] for name in SHORT],
    RunConfig(clipper=ClipByNorm(1.0), epochs=20),
    RunConfig(clipper=ClipByValue(0.5), epochs=20, optimizer="RMSprop"),
    RunConfig(epochs=2),
]
SEQUENCES = [examples.RECURRENT[name] for name in ("sine", "spoilt_sum", "characters", "characters_by_layer", "graves")]

ALONE = """
# Lightning needs no torchvision, but imports one that is there, and fails with it if it was built for another torch.
import sys, unittest.mock
sys.modules["torchvision"] = sys.modules["torchvision.models"] = unittest.mock.MagicMock()
"""


def trainer_arguments(script: str) -> list[str]:
    """Return the Trainer's arguments that clip."""
    [trainer] = [node for node in ast.walk(ast.parse(script)) if ast.unparse(node).startswith("trainer = L.Trainer")]
    keywords = [node for node in ast.walk(trainer) if isinstance(node, ast.keyword)]
    return [ast.unparse(node) for node in keywords if "clip" in str(node.arg)]


def hook(script: str) -> list[str]:
    """Return the statements of the hook that clips."""
    functions = [node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.FunctionDef)]
    bodies = [node.body for node in functions if node.name == "configure_gradient_clipping"]
    return [ast.unparse(statement) for body in bodies for statement in body]


@pytest.mark.parametrize(("rule", "arguments"), BY_TRAINER, ids=repr)
def test_the_trainer_clips_by_norm_and_value(rule: Clipper, arguments: list[str]) -> None:
    script = export.lightning(RunConfig(clipper=rule))
    assert (trainer_arguments(script), hook(script)) == (arguments, [])


@pytest.mark.parametrize(("rule", "lines"), BY_HOOK, ids=repr)
def test_the_hook_clips_by_every_other_rule(rule: Clipper, lines: list[str]) -> None:
    script = export.lightning(RunConfig(clipper=rule))
    assert (trainer_arguments(script), hook(script)) == ([], lines)


@pytest.mark.parametrize("config", [RunConfig(), RecurrentConfig(), RecurrentConfig(clipper=ClipDerivative())])
def test_where_no_finished_gradient_is_clipped_neither_does(config: RunConfig) -> None:
    script = export.lightning(config)
    assert (trainer_arguments(script), hook(script)) == ([], [])


def test_the_scripts_end_where_the_runs_end() -> None:
    printed = examples.run_all([export.lightning(config) for config in (*RUNS, *SEQUENCES)], before=ALONE)
    for config, result in zip((*RUNS, *SEQUENCES), printed, strict=True):
        [history] = gclip.run([config])
        for name, loss in result.items():
            ours = float(getattr(history, name)[-1])
            assert loss is None if not math.isfinite(ours) else loss == pytest.approx(ours, rel=1e-3), config


@pytest.mark.parametrize("config", [*RUNS[:9:2], *SEQUENCES], ids=lambda config: repr(config.clipper))
def test_the_script_is_clean(config: RunConfig) -> None:
    examples.assert_clean(export.lightning(config), "N812")  # "import lightning as L" is how its manual has it
