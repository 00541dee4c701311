"""Each row of the Frameworks page says what the library's own line, run for real, does to the same gradient."""

from __future__ import annotations

import ast
import json
import math
import os
import random
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from gclip.clipping import Chain, ClipByNorm, ClipByValue
from gclip.dashboard.frameworks import calls, view
from gclip.dashboard.frameworks.calls import (
    CALLS,
    KERAS,
    LIBRARIES,
    LIGHTNING,
    OLD_KERAS,
    OPTAX,
    PYTORCH,
    RULES,
    TIMM,
    Call,
)
from gclip.dashboard.frameworks.inputs import DEFAULTS, EXAMPLES, FIELDS, Inputs, elements, read
from gclip.dashboard.frameworks.view import figure, panels, span
from gclip.dashboard.frameworks.words import COUNTS, conclusion, effect, groups, moral, norm_words, rows, story, trap

os.environ["KERAS_BACKEND"] = "torch"
import keras

NAN, INF = math.nan, math.inf


def typed(**texts: str) -> Inputs:
    """Return what the fields say, all accepted."""
    inputs, _, refused = read(DEFAULTS | texts, {})
    assert not refused
    return inputs


def some(seed: int) -> Inputs:
    """Return a gradient of any size, with a threshold near its norm as often as not."""
    chance = random.Random(seed)
    scale = 10 ** chance.uniform(-3, 6)
    weight, bias = ([scale * chance.gauss(0, 1) for _ in range(chance.randint(1, 3))] for _ in range(2))
    threshold = min(1e4, max(1e-3, chance.choice([1.0, scale, scale / 7, 10 ** chance.uniform(-3, 4)])))
    return Inputs(tuple(weight), tuple(bias), threshold, chance.choice([0.0, 1e-4, 0.5, 30.0]), chance.uniform(0, 2))


CASES = {
    **{name: typed(weight=weight, bias=bias) for name, (weight, bias) in EXAMPLES.items()},
    **{f"{name}, c=20": typed(weight=weight, bias=bias, threshold="20") for name, (weight, bias) in EXAMPLES.items()},
    "norm at the threshold": typed(weight="0.6, 0.8", bias="0"),
    "minus inf in the bias": typed(weight="3, -4", bias="-inf"),
    "NaN and Inf": typed(weight="nan, inf", bias="1"),
    "largest float, c above 1": typed(weight="3e38, 1", bias="1", threshold="10"),
    **{f"random {seed}": some(seed) for seed in range(25)},
}
OVERFLOWING = [name for name in CASES if "NaN" in name or "Inf" in name or "inf" in name or "overflow" in name]


def result_of(inputs: Inputs, library: str, argument: str) -> np.ndarray:
    """Return what the page says of one call."""
    [found] = [r for r in calls.results(inputs) if (r.call.library, r.call.argument) == (library, argument)]
    return found.clipped


# ---- the libraries themselves: each runs the code line that the page shows


def model_of(inputs: Inputs) -> Any:
    """Return a model whose weights and gradients are the page's."""
    parameters = {name: torch.nn.Parameter(weights[0]) for name, weights in inputs.params().items()}
    for name, gradient in inputs.grads().items():
        parameters[name].grad = gradient[0].clone()
    return SimpleNamespace(parameters=lambda: list(parameters.values()))


def left_in(model: Any) -> np.ndarray:
    return torch.cat([parameter.grad for parameter in model.parameters()]).numpy()


def by_torch(line: str, inputs: Inputs) -> np.ndarray:
    model = model_of(inputs)
    exec(line, {"torch": torch, "model": model})
    return left_in(model)


def file_of(package: str, file: str) -> ModuleType:
    """Load one file of an installed library by itself: all of timm needs a torchvision that fits torch."""
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    spec = spec_from_file_location(f"only_{package}_{Path(file).stem}", Path(found.origin).parent / file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_timm(line: str, inputs: Inputs) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "timm.utils.agc", file_of("timm", "utils/agc.py"))
        utils = file_of("timm", "utils/clip_grad.py")
    model = model_of(inputs)
    exec(line, {"timm": SimpleNamespace(utils=utils), "model": model})
    return left_in(model)


def by_keras(line: str, inputs: Inputs) -> np.ndarray:
    names: dict[str, Any] = {"keras": keras}
    exec(line, names)
    gradients = [keras.ops.convert_to_tensor(gradient[0].numpy()) for gradient in inputs.grads().values()]
    clipped = names["optimizer"]._clip_gradients(gradients)
    return np.concatenate([np.asarray(keras.ops.convert_to_numpy(gradient)) for gradient in clipped])


def by_optax(line: str, inputs: Inputs) -> np.ndarray:
    names: dict[str, Any] = {"optax": optax}
    exec(line, names)
    gradients, params = (
        {name: jnp.asarray(tensor[0].numpy()) for name, tensor in tensors.items()}
        for tensors in (inputs.grads(), inputs.params())
    )
    optimizer = names["optimizer"]
    updates, _ = optimizer.update(gradients, optimizer.init(params), params)
    return np.concatenate([np.asarray(updates[name]) for name in ("weight", "bias")]) / np.float32(-0.01)


def by_lightning(line: str, inputs: Inputs) -> np.ndarray:
    try:
        pytorch = import_module("lightning.pytorch")
    except Exception as error:  # not installed, or its torchvision was built for another torch
        pytest.skip(f"lightning cannot be imported: {error}")
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    names: dict[str, Any] = {"Trainer": lambda **given: pytorch.Trainer(**quiet, **given)}
    exec(line, names)
    trainer, model = names["trainer"], model_of(inputs)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    trainer.precision_plugin.clip_gradients(optimizer, trainer.gradient_clip_val, trainer.gradient_clip_algorithm)
    return left_in(model)


def by_old_keras(line: str, inputs: Inputs) -> np.ndarray:
    """Keras 2.2–2.3 no longer installs: the formula of its ``clip_norm`` and ``get_gradients``, by hand, in numpy."""
    [argument] = [name for name in ("clipnorm", "clipvalue") if f"{name}={inputs.threshold!r}" in line]
    g, c = inputs.raw, np.float32(inputs.threshold)
    with np.errstate(all="ignore"):
        if argument == "clipvalue":
            return np.clip(g, -c, c)
        norm = np.sqrt((g * g).sum(dtype=np.float32))
        return c / norm * g if norm >= c else g


REAL: dict[str, Callable[[str, Inputs], np.ndarray]] = {
    PYTORCH: by_torch,
    OLD_KERAS: by_old_keras,
    KERAS: by_keras,
    OPTAX: by_optax,
    TIMM: by_timm,
    LIGHTNING: by_lightning,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.library} {call.argument}")
def test_a_row_is_what_the_librarys_line_does(call: Call) -> None:
    for name, inputs in CASES.items():
        expected = REAL[call.library](call.line(inputs.threshold), inputs)
        row = result_of(inputs, call.library, call.argument)
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-37, err_msg=name)


def test_keras_multiplies_before_it_divides() -> None:
    # At c above 1 the product may overflow where the norm does, and Inf / Inf is NaN.
    at_largest = result_of(CASES["largest float, c above 1"], KERAS, "clipnorm")
    np.testing.assert_array_equal(np.isnan(at_largest), [True, False, False])


# ---- the calls


def test_a_call_with_arithmetic_of_its_own_is_our_rule_where_all_is_finite() -> None:
    own = [call for call in CALLS if call.formula]
    assert {call.library for call in own} == {OLD_KERAS, KERAS, OPTAX}
    finite = [inputs for name, inputs in CASES.items() if name not in OVERFLOWING and "largest" not in name]
    for inputs in finite:
        for call in own:
            rule = RULES[call.measures](inputs.threshold)
            clipped = rule.clip(inputs.grads(), (), inputs.params()).grads
            formula = call.clip(inputs.grads(), inputs.params(), inputs.threshold)
            for name, tensor in clipped.items():
                torch.testing.assert_close(formula[name], tensor, rtol=1e-2, atol=1e-9)


def test_all_libraries_and_all_kinds_are_there() -> None:
    assert {call.library for call in CALLS} == set(LIBRARIES) == set(REAL)
    assert {call.measures for call in CALLS} == set(RULES)
    assert len({(call.library, call.argument) for call in CALLS}) == len(CALLS) == 17
    assert sum(call.named_norm_clip for call in CALLS) == 7


@pytest.mark.parametrize("c", [1.0, 0.001, 2.5, 10000.0])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.library} {call.argument}")
def test_a_code_line_is_python_and_holds_the_threshold(call: Call, c: float) -> None:
    tree = ast.parse(call.line(c))
    assert [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)].count(c) == 1
    assert call.note.endswith(".")


def test_the_oracle() -> None:
    inputs = typed()
    for library, argument in ((PYTORCH, "clip_grad_norm_"), (OLD_KERAS, "clipnorm"), (KERAS, "global_clipnorm")):
        np.testing.assert_allclose(result_of(inputs, library, argument), [0.59702, 0.79603, 0.09950], atol=1e-5)
    np.testing.assert_allclose(result_of(inputs, KERAS, "clipnorm"), [0.6, 0.8, 0.5], atol=1e-7)


def test_what_becomes_of_numbers_that_are_not_finite() -> None:
    by_norm = {name: result_of(CASES[name], PYTORCH, "clip_grad_norm_") for name in EXAMPLES}
    np.testing.assert_array_equal(by_norm["A NaN"], [NAN, NAN, NAN])
    np.testing.assert_array_equal(by_norm["An Inf"], [NAN, 0, 0])
    np.testing.assert_array_equal(by_norm["Norm overflows"], [0, 0, 0])
    for name in ("A NaN", "An Inf", "Norm overflows"):
        assert np.isnan(result_of(CASES[name], KERAS, "global_clipnorm")).all()
    np.testing.assert_array_equal(result_of(CASES["A NaN"], OLD_KERAS, "clipnorm"), [NAN, 4, 0.5])
    np.testing.assert_array_equal(result_of(CASES["An Inf"], PYTORCH, "clip_grad_value_"), [1, 1, 0.5])


def test_clipvalue_after_clipnorm_at_the_same_threshold_cuts_nothing() -> None:
    # Which is what the note on Keras 2.2–2.3 clipvalue says.
    for name in ("Two tensors", "One spike"):
        grads = CASES[name].grads()
        both = Chain(ClipByNorm(1.0), ClipByValue(1.0))
        clipped = both.clip(grads, both.init(grads), grads).grads
        alone = ClipByNorm(1.0).clip(grads, (), grads).grads
        assert all(torch.equal(clipped[tensor], alone[tensor]) for tensor in grads)


# ---- what the learner types


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3, 4", (3, 4)),
        (" [3,4] ", (3, 4)),
        ("3 4", (3, 4)),
        ("-1e-3,+.5, 2.", (-0.001, 0.5, 2)),
        ("INF, -inf", (INF, -INF)),
        ("3.4e38", (3.4e38,)),
        ("0", (0,)),
    ],
)
def test_what_people_type_is_read(text: str, numbers: tuple[float, ...]) -> None:
    assert elements(text) == numbers


def test_nan_is_read() -> None:
    assert math.isnan(elements("NaN")[0])


NONSENSE = ["", " ", "abc", "3,,4", "3, 4,", "1, 2, 3, 4", "1e39", "-1e999", "٣", "1_0", "0x10", "None", "[3, 4", "1;2",
            "infinity", "3, x", "9" * 400, "1 " * 200, "\x00", "½", "--1", "1e", ".", "<b>", "nan()",
            "\ud800"]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: ascii(text[:12]))
@pytest.mark.parametrize("name", FIELDS)
def test_nonsense_is_refused_in_a_sentence_and_the_last_good_text_stays(name: str, text: str) -> None:
    held = DEFAULTS | {name: "0.25"}
    inputs, in_force, [sentence] = read(DEFAULTS | {name: text}, held)
    assert in_force == held
    assert inputs == read(held, {})[0]
    assert sentence.startswith(f"{FIELDS[name].label} is {text[:57]!r}"[:20])
    assert FIELDS[name].allowed in sentence
    assert sentence.endswith("It stays at 0.25.")
    assert len(sentence) < 300


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e5", "1, 2"])
def test_a_threshold_out_of_range_is_refused(text: str) -> None:
    inputs, _, [sentence] = read(DEFAULTS | {"threshold": text}, {})
    assert inputs.threshold == 1.0
    assert "Threshold c" in sentence


# ---- what the page says


def test_seven_calls_named_norm_give_two_answers_to_the_oracle() -> None:
    inputs = typed()
    text = conclusion(calls.results(inputs), inputs)
    assert "Seven of these calls promise a clip by norm; here they give two answers." in text
    assert "Six of them: [0.597, 0.796] [0.0995], shortened to 19.9 %" in text
    assert "Keras 3 `clipnorm`: [0.6, 0.8] [0.5], turned by 21°" in text


def test_one_tensor_alone_is_no_trap() -> None:
    inputs = typed(bias="0")
    results = calls.results(inputs)
    assert "here they agree" in conclusion(results, inputs)
    assert "does not snap" in moral(results)


@pytest.mark.parametrize("name", CASES)
def test_every_gradient_has_its_words_rows_and_panels(name: str) -> None:
    inputs = CASES[name]
    results = calls.results(inputs)
    answers = groups([result for result in results if result.call.named_norm_clip])
    assert sum(map(len, answers)) == 7
    assert COUNTS[len(answers)] in conclusion(results, inputs) or len(answers) == 1
    assert moral(results).endswith((".", ".**"))
    assert all(story(result, inputs).endswith(".") for result in trap(results).values())
    assert len(rows(results, inputs)) == len(CALLS)
    drawn = panels(results)
    assert [panel.title for panel in drawn] == list(RULES)
    chart = json.loads(str(figure(drawn, inputs, span(drawn), 280).to_json()))
    broken = sum(int(np.isnan(panel.values).sum()) for panel in drawn)
    crosses = [text for trace in chart["data"] for text in trace.get("text", []) if text == "NaN"]
    assert len(crosses) == broken  # no NaN vanishes from the drawing


def test_the_moral_knows_when_the_trap_snaps() -> None:
    assert "Same word, other rule" in moral(calls.results(typed()))
    overflow = moral(calls.results(CASES["Norm overflows"]))
    assert "Same word, other rule" in overflow
    assert "global_clipnorm differs" in overflow
    whole = typed(weight="inf", bias="inf")
    assert "only global_clipnorm" not in moral(calls.results(whole))


@pytest.mark.parametrize(
    ("raw", "clipped", "words"),
    [
        ([3, 4], [3, 4], "unchanged"),
        ([NAN, 4], [NAN, 4], "unchanged"),
        ([3, 4], [0.6, 0.8], "shortened to 20 %"),
        ([0.3, 0.4], [0.6, 0.8], "lengthened to 200 %"),
        ([3, 4], [1, 1], "turned by 8.1°"),
        ([10, 1], [1, 1], "turned by 39°"),
        ([0.6, 0.8], [0.5999994, 0.7999992], "unchanged but for rounding"),
        ([3, 4], [0, 0], "all zero: no step"),
        ([INF, 4], [1, 1], "the Inf is cut"),
        ([INF, 4], [NAN, 0], "NaN in 1 of 2, the rest 0"),
        ([NAN, 4], [NAN, 1], "NaN in 1 of 2 elements"),
        ([NAN, 4], [NAN, NAN], "every element NaN"),
    ],
)
def test_what_happened(raw: list[float], clipped: list[float], words: str) -> None:
    assert effect(np.array(raw, dtype=np.float32), np.array(clipped, dtype=np.float32)) == words


def test_an_overflowing_norm_is_told() -> None:
    assert "overflows" in norm_words(CASES["Norm overflows"].raw)
    assert norm_words(typed().raw) == "5.02"


def test_the_ticks_say_where_the_direction_alone_would_put_an_element() -> None:
    inputs = typed()
    drawn = {panel.title: panel for panel in panels(calls.results(inputs))}
    kept = view._kept_direction(drawn[calls.GLOBAL])
    np.testing.assert_allclose(kept, drawn[calls.GLOBAL].values, rtol=1e-6)
    turned = view._kept_direction(drawn[calls.VALUE])
    assert np.linalg.norm(turned) == pytest.approx(np.linalg.norm(drawn[calls.VALUE].values))
    assert not np.allclose(turned, drawn[calls.VALUE].values, rtol=0.1)
