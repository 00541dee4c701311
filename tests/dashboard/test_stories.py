"""What a page says before anything is trained: what the runs of a comparison share."""

from __future__ import annotations

import pytest
from dashboard_examples import comparisons
from hypothesis import given

import gclip
from gclip.clipping import ClipByNorm, NoClip
from gclip.dashboard.benches import COMPARE
from gclip.dashboard.settings import CHANGES, Comparison, Entry
from gclip.dashboard.stories import WORDS, what_differs
from gclip.training import RunConfig

LOWER, SCALED = Entry(learning_rate=0.001), Entry(standardize_target=True)
CLIPPED = Entry(clipper=ClipByNorm(1.0))
BASE = "Same data, same initial weights, same batches: "


RULE = "the rule is all that differs."


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ((Entry(), CLIPPED), RULE),
        ((Entry(), CLIPPED, LOWER), "the rule and the learning rate are all that differ."),
        ((Entry(), SCALED), "the scale of the target is all that differs."),
        ((Entry(), LOWER, SCALED), "the learning rate and the scale of the target are all that differ."),
        ((CLIPPED, LOWER, SCALED), "the rule, the learning rate and the scale of the target are all that differ."),
        ((LOWER, Entry(clipper=ClipByNorm(1.0), learning_rate=0.001)), RULE),
        ((Entry(), Entry(clipper=ClipByNorm(1.0), learning_rate=0.01)), RULE),
        ((Entry(),), RULE),
    ],
)
def test_what_differs_is_named(entries: tuple[Entry, ...], said: str) -> None:
    assert what_differs(Comparison(entries=entries)) == f"{BASE}**{said}**"


@given(comparisons)
def test_the_rule_is_all_that_differs_only_where_it_is(comparison: Comparison) -> None:
    rest = {config.model_copy(update={"clipper": NoClip()}).key for config, *_ in comparison.configs()}
    assert (f"**{RULE}**" in what_differs(comparison)) == (len(rest) == 1)


def test_the_page_s_own_runs_are_told_apart() -> None:
    assert f"**{RULE}**" in what_differs(COMPARE.default)
    both = what_differs(Comparison(entries=tuple(COMPARE.runs.values())[-6:]))
    assert "**the rule, the learning rate and the scale of the target are all that differ.**" in both


def test_everything_in_which_runs_may_differ_has_its_words() -> None:
    assert set(WORDS) == {"clipper", *CHANGES}


def test_at_the_tutorials_settings_an_unclipped_run_is_lost_by_step_10() -> None:
    # The page says so.
    steps = [h.lost_at for h in gclip.run([RunConfig(epochs=1, init_seed=s, batch_seed=s) for s in range(20)])]
    assert max(10 if step is None else step for step in steps) <= 10
    assert None not in steps
