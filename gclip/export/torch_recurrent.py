"""The recurrent network in PyTorch: its sequences, its network and first weights, its batches and its score."""

from __future__ import annotations

from typing import NamedTuple

from gclip.clipping import derivative_clip
from gclip.export import text
from gclip.export.numpy_data import ZEN, drawing
from gclip.export.torch_parts import Parts
from gclip.training import RecurrentConfig
from gclip.training.recurrent_config import GATES

SINE = '''\
def draw(rows, generator):
    """Draw noisy sines; the target is the next value, without the noise."""
    turns = 0.05 + 0.1 * torch.rand(rows, 1, generator=generator)
    phase = torch.rand(rows, 1, generator=generator)
    times = torch.arange(SEQUENCE_LENGTH + 1)
    clean = torch.sin(2 * math.pi * (turns * times + phase))
    noise = 0.1 * torch.randn(rows, SEQUENCE_LENGTH, generator=generator)
    return (clean[:, :-1] + noise).unsqueeze(-1), clean[:, 1:]'''

SUM = '''\
def draw(rows, generator):
    """Draw numbers between 0 and 1; the target, asked for at the end, is their sum."""
    x = torch.rand(rows, SEQUENCE_LENGTH, 1, generator=generator)
    return x, x.sum(1)'''

TEXT = """\
text = zen()
alphabet = sorted(set(text))
ids = torch.tensor([alphabet.index(character) for character in text])"""

CHARACTERS = '''\
def pieces(starts):
    """Return pieces of the text, one-hot, and the number of each next character."""
    rows = ids[starts + torch.arange(SEQUENCE_LENGTH + 1)]
    return nn.functional.one_hot(rows[:, :-1], len(alphabet)).float(), rows[:, 1:]


def draw(rows, generator):
    """Draw pieces of the text from anywhere in it."""
    last = len(ids) - SEQUENCE_LENGTH
    return pieces(torch.randint(last, (rows, 1), generator=generator))'''


class Problem(NamedTuple):
    """What differs from problem to problem."""

    data: list[str]
    imports: str
    inputs: str
    answer: str
    """The answer that is scored, of ``hidden [rows, time, units]``."""
    loss: str
    test: str
    """The sequences that every run is tested on."""


TEST = "x_test, y_test = draw({rows}, torch.Generator().manual_seed(2**31))"

PROBLEMS = {
    "sine": Problem([SINE], "", "1", "self.output(hidden).squeeze(-1)", "MSELoss", TEST.format(rows=64)),
    "sum": Problem([SUM], "", "1", "self.output(hidden[:, -1])", "MSELoss", TEST.format(rows=256)),
    "characters": Problem(
        [ZEN, TEXT, CHARACTERS],
        "import codecs\nimport contextlib\nimport io",
        "len(alphabet)",
        "self.output(hidden).transpose(1, 2)  # [rows, characters, time]",
        "CrossEntropyLoss",
        "starts = torch.arange(0, len(ids) - SEQUENCE_LENGTH, SEQUENCE_LENGTH)\n"
        "x_test, y_test = pieces(starts.unsqueeze(1))",
    ),
}

NETWORK = """\
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.{layer} = nn.{cell}({inputs}, HIDDEN_UNITS, batch_first=True)
        self.output = nn.Linear(HIDDEN_UNITS, {outputs})

    def forward(self, x):
        hidden, _ = self.{layer}(x)
        return {answer}"""

CUT = '''\
def cut_derivative(tensor, bound):
    """Clamp the derivative of the loss by this tensor while it flows back."""
    if tensor.requires_grad:  # nothing flows back when the network is tested
        tensor.register_hook(lambda derivative: derivative.clamp(-bound, bound))'''

UNROLLED = """\
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.{layer} = nn.{cell}({inputs}, HIDDEN_UNITS)
        self.output = nn.Linear(HIDDEN_UNITS, {outputs})

    def forward(self, x):
        # nn.{cell} hands out no derivative between two time steps, so its steps are
        # written out here, with its weights.
        w_ih, w_hh, b_ih, b_hh = self.{layer}.parameters()
{start}
        outputs = []
        for x_t in x.unbind(1):
            z = x_t @ w_ih.T + h @ w_hh.T + b_ih + b_hh
            cut_derivative(z, GATE_CLIP)
{step}
            outputs.append(h)
        hidden = torch.stack(outputs, 1)
{answer}"""

START = {
    "LSTM": "h = c = x.new_zeros(len(x), HIDDEN_UNITS)",
    "RNN": "h = x.new_zeros(len(x), HIDDEN_UNITS)",
}
STEP = {
    "LSTM": """\
i, f, g, o = z.chunk(4, dim=1)
c = f.sigmoid() * c + i.sigmoid() * g.tanh()
h = o.sigmoid() * c.tanh()""",
    "RNN": "h = z.tanh()",
}

WEIGHTS = """\
model = Network()

# Weights as torch draws them.
generator = torch.Generator().manual_seed(INIT_SEED)
bound = HIDDEN_UNITS**-0.5
for parameter in model.parameters():
    nn.init.uniform_(parameter, -bound, bound, generator)"""

GAIN = """\
# Recurrent weights: for each gate an orthogonal matrix, times the gain.
for gate in model.{layer}.weight_hh_l0.detach().chunk({gates}):
    nn.init.orthogonal_(gate, WEIGHT_GAIN, generator)"""

LOOP = """\
stream = torch.Generator().manual_seed(BATCH_SEED)
losses = []
for {step} in range(STEPS):
{draw}
    optimizer.zero_grad()
    loss = loss_function(model(x), y)
    loss.backward()
{clip}
    optimizer.step()
    losses.append(loss.item())"""
BATCHES = '''\
class Batches:
    """Fresh sequences at every step."""

    def __iter__(self):
        stream = torch.Generator().manual_seed(BATCH_SEED)
        for {step} in range(STEPS):
{draw}
            yield x, y

    def __len__(self):
        return STEPS'''

SCORE = """\
train_loss = sum(losses[-20:]) / 20
{test}
with torch.no_grad():
    test_loss = loss_function(model(x_test), y_test).item()"""

NEAR = (
    "Data, first weights and batches are those of gclip's run. Its losses agree to rounding for the first tens of "
    "steps; training amplifies rounding, so that they agree in kind at the end."
)


def parts(config: RecurrentConfig) -> Parts:
    """Return the parts of this run's script."""
    problem = PROBLEMS[config.problem]
    gain = GAIN.format(layer=config.layers[0], gates=GATES[config.cell]) if config.weight_gain else ""
    return Parts(
        needs="torch",
        standard=text.lines(problem.imports, "import json\nimport math"),
        others="import torch\nfrom torch import nn",
        data=problem.data,
        network=network(config, problem),
        weights=text.lines(WEIGHTS, gain) + f"\n\nloss_function = nn.{problem.loss}()",
        loop=LOOP.format(clip="{clip}", **drawing(config, 4, "stream")),
        columns=4,
        batches=BATCHES.format(**drawing(config, 12, "stream")),
        score=SCORE.format(test=problem.test),
        notes=[NEAR],
    )


def network(config: RecurrentConfig, problem: Problem) -> list[str]:
    """Return the blocks that define the network, its steps written out where a derivative is cut between them."""
    sizes = {"inputs": problem.inputs, "outputs": problem.inputs}
    named = {"layer": config.layers[0], "cell": config.cell, **sizes}
    if not derivative_clip(config.clipper):
        return [NETWORK.format(answer=problem.answer, **named)]
    start, step = text.indent(START[config.cell], 8), text.indent(STEP[config.cell], 12)
    cut = f"answer = {problem.answer}\ncut_derivative(answer, OUTPUT_CLIP)\nreturn answer"
    return [CUT, UNROLLED.format(start=start, step=step, answer=text.indent(cut, 8), **named)]
