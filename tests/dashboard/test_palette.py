"""One style per run: the unclipped one is warm, and no two are alike."""

import hypothesis.strategies as some
from dashboard_examples import single_rules
from hypothesis import given, settings

from gclip.clipping import ClipByNorm, Clipper, NoClip
from gclip.dashboard.palette import OTHERS, UNCLIPPED, styles
from gclip.dashboard.settings import MAX_RUNS
from gclip.training import RunConfig


@settings(max_examples=100)
@given(some.lists(single_rules, min_size=1, max_size=MAX_RUNS))
def test_the_first_unclipped_run_is_warm_and_all_are_distinct(rules: list[Clipper]) -> None:
    looks = styles([RunConfig(clipper=rule) for rule in rules])
    assert len(looks) == len(rules)
    for feature in ("color", "dash", "symbol"):
        found = [getattr(look, feature) for look in looks if look != UNCLIPPED]
        assert len(set(found)) == len(found)
    assert len({look.color for look in looks}) == len({look.symbol for look in looks}) == len(looks)
    warm = [rule for rule, look in zip(rules, looks, strict=True) if look == UNCLIPPED]
    assert warm == [rule for rule in rules if isinstance(rule, NoClip)][:1]


def test_the_warm_style_moves_no_other_colour() -> None:
    clipped = [RunConfig(clipper=ClipByNorm(float(i))) for i in range(1, 4)]
    alone, beside = styles(clipped), styles([RunConfig(), *clipped])
    assert beside == [UNCLIPPED, *alone]


def test_six_clipped_runs_need_no_warm_one() -> None:
    assert styles([RunConfig(clipper=ClipByNorm(float(i))) for i in range(1, 7)]) == list(OTHERS)


def test_no_runs_no_styles() -> None:
    assert styles([]) == []


def test_the_unclipped_colour_is_warm() -> None:
    red, green, blue = (int(UNCLIPPED.color[i : i + 2], 16) for i in (1, 3, 5))
    assert red > green > blue
    assert UNCLIPPED.color not in {look.color for look in OTHERS}
