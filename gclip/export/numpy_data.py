"""The data of a script without torch: the regression's rows are gclip's own, sequences are drawn by numpy."""

from __future__ import annotations

from typing import NamedTuple

from gclip.clipping import ClipByNorm
from gclip.export import text
from gclip.export.acts import acts_of
from gclip.training import Config, RecurrentConfig, RunConfig

MAKE_DATA = """\
x, y = make_regression(
    n_samples=N_SAMPLES,
    n_features=N_FEATURES,
    n_informative=N_INFORMATIVE,
    noise=NOISE,
    random_state=DATA_SEED,
)"""

FLOATS = """\
x, y = x.astype("float32"), y.astype("float32").reshape(-1, 1)
n_train = N_SAMPLES // 2  # the first half trains, the second half tests"""

SCALING = {
    "standardize_inputs": "x = (x - x[:n_train].mean(0)) / x[:n_train].std(0).clip(1e-12)",
    "standardize_target": "y = (y - y[:n_train].mean(0)) / y[:n_train].std(0).clip(1e-12)",
}
SPLIT = "x_train, y_train, x_test, y_test = x[:n_train], y[:n_train], x[n_train:], y[n_train:]"

SINE = '''\
def draw(rows, random):
    """Draw noisy sines; the target is the next value, without the noise."""
    turns = 0.05 + 0.1 * random.random((rows, 1))
    times = np.arange(SEQUENCE_LENGTH + 1)
    clean = np.sin(2 * math.pi * (turns * times + random.random((rows, 1))))
    x = clean[:, :-1] + 0.1 * random.standard_normal((rows, SEQUENCE_LENGTH))
    return x[..., None].astype("float32"), clean[:, 1:, None].astype("float32")'''

SUM = '''\
def draw(rows, random):
    """Draw numbers between 0 and 1; the target, asked for at the end, is their sum."""
    x = random.random((rows, SEQUENCE_LENGTH, 1), dtype="float32")
    return x, x.sum(1)'''

ZEN = '''\
def zen():
    """Return the Zen of Python, which every Python brings along."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return codecs.decode(this.s, "rot13")'''

TEXT = """\
text = zen()
alphabet = sorted(set(text))
ids = np.array([alphabet.index(character) for character in text])"""

CHARACTERS = '''\
def pieces(starts):
    """Return pieces of the text, one-hot, and the number of each next character."""
    rows = ids[starts[:, None] + np.arange(SEQUENCE_LENGTH + 1)]
    return np.eye(len(alphabet), dtype="float32")[rows[:, :-1]], rows[:, 1:]


def draw(rows, random):
    """Draw pieces of the text from anywhere in it."""
    return pieces(random.integers(len(ids) - SEQUENCE_LENGTH, size=rows))'''

PARTED = "x_test, y_test = pieces(np.arange(0, len(ids) - SEQUENCE_LENGTH, SEQUENCE_LENGTH))"

BAD = """\
if step == BAD_STEP:
    y = y * BAD_SCALE"""


class Problem(NamedTuple):
    """What differs from problem to problem."""

    data: list[str]
    imports: str
    inputs: str
    test: str
    """The sequences that the run is tested on."""


TEST = "x_test, y_test = draw({rows}, np.random.default_rng(2**31))"

PROBLEMS = {
    "sine": Problem([SINE], "", "1", TEST.format(rows=64)),
    "sum": Problem([SUM], "", "1", TEST.format(rows=256)),
    "characters": Problem(
        [ZEN, TEXT, CHARACTERS], "import codecs\nimport contextlib\nimport io", "len(alphabet)", PARTED
    ),
}


def regression_data(config: RunConfig) -> str:
    """Return the block that makes the regression's data."""
    scaling = [code for field, code in SCALING.items() if getattr(config, field)]
    return text.lines(MAKE_DATA, FLOATS, *scaling, SPLIT)


def drawing(config: RecurrentConfig, columns: int, generator: str = "random") -> dict[str, str]:
    """Return the name of a step's number, and the lines that draw its batch from the generator of this name."""
    bad = BAD if config.has_bad_step else ""
    drawn = text.lines(f"x, y = draw(BATCH_SIZE, {generator})", bad)
    return {"step": "step" if bad else "_", "draw": text.indent(drawn, columns)}


def differs(config: Config) -> str:
    """Say in which numbers the script differs from gclip's run."""
    names = "initial weights and sequences" if config.RECURRENT else "initial weights and the order of rows"
    return f"It differs from gclip's run in its random numbers ({names}), so results agree in kind, not in digits."


def by_norm(config: Config) -> bool:
    """Say whether the run clips by the norm, to which torch adds 1e-6."""
    return any(isinstance(act.rule, ClipByNorm) for act in acts_of(config))
