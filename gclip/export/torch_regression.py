"""The regression MLP in PyTorch: its data, its network and first weights, its batches and its score."""

from __future__ import annotations

from gclip.export import text
from gclip.export.numpy_data import MAKE_DATA
from gclip.export.torch_parts import Parts
from gclip.training import RunConfig
from gclip.training.losses import LOSSES

FLOATS = """\
x = torch.tensor(x, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32)
n_train = N_SAMPLES // 2  # the first half trains, the second half tests"""

SCALING = {
    "standardize_inputs": """\
mean, std = x[:n_train].mean(0), x[:n_train].std(0, unbiased=False)
x = (x - mean) / std.clamp(min=1e-12)""",
    "standardize_target": """\
mean, std = y[:n_train].mean(0), y[:n_train].std(0, unbiased=False)
y = (y - mean) / std.clamp(min=1e-12)""",
}
UNSEEN = "Scaled by the training half alone: the test half must stay unseen."

SPLIT = "x_train, y_train, x_test, y_test = x[:n_train], y[:n_train], x[n_train:], y[n_train:]"

HIDDEN = {
    False: "self.hidden = nn.Sequential(nn.Linear(N_FEATURES, HIDDEN_UNITS), nn.ReLU())",
    True: """\
layers = [nn.Linear(N_FEATURES, HIDDEN_UNITS), nn.ReLU()]
for _ in range(HIDDEN_LAYERS - 1):
    layers += [nn.Linear(HIDDEN_UNITS, HIDDEN_UNITS), nn.ReLU()]
self.hidden = nn.Sequential(*layers)""",
}
"""The hidden layers, by whether there are more than one."""

NETWORK = """\
class Network(nn.Module):
    def __init__(self):
        super().__init__()
{hidden}
        self.output = nn.Linear(HIDDEN_UNITS, 1)

    def forward(self, x):
        # self.output(x) by hand: a matrix product with one column would round the
        # sum in another order, and training amplifies even that.
        return (self.hidden(x) * self.output.weight).sum(1) + self.output.bias"""

WEIGHTS = """\
model = Network()

# Weights: He for the ReLU layers, Glorot for the output; biases zero.
generator = torch.Generator().manual_seed(INIT_SEED)
for layer in model.hidden:
    if isinstance(layer, nn.Linear):
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(layer.bias)
nn.init.xavier_uniform_(model.output.weight, generator=generator)
nn.init.zeros_(model.output.bias)

loss_function = nn.{loss}()"""

BATCHES = """\
class Batches:
    \"\"\"The rows of the training half, in another order each time, batch by batch.\"\"\"

    def __init__(self):
        self.shuffle = torch.Generator().manual_seed(BATCH_SEED)

    def __iter__(self):
        for rows in torch.randperm(n_train, generator=self.shuffle).split(BATCH_SIZE):
            yield x_train[rows], y_train[rows]

    def __len__(self):
        return math.ceil(n_train / BATCH_SIZE)"""

LOOP = """\
shuffle = torch.Generator().manual_seed(BATCH_SEED)
for _ in range(EPOCHS):
    for rows in torch.randperm(n_train, generator=shuffle).split(BATCH_SIZE):
        optimizer.zero_grad()
        loss = loss_function(model(x_train[rows]), y_train[rows])
        loss.backward()
{clip}
        optimizer.step()"""

SCORE = """\
with torch.no_grad():
    train_loss = loss_function(model(x_train), y_train).item()
    test_loss = loss_function(model(x_test), y_test).item()"""

SMALL = (
    "Layers or batches as small as these are multiplied in another order here than in gclip: the last digits "
    "differ, and where training amplifies them the results agree only in kind."
)


def parts(config: RunConfig) -> Parts:
    """Return the parts of this run's script."""
    scaling = [code for field, code in SCALING.items() if getattr(config, field)]
    return Parts(
        needs="torch and scikit-learn",
        standard="import json\nimport math",
        others="import torch\nfrom sklearn.datasets import make_regression\nfrom torch import nn",
        data=[text.lines(MAKE_DATA, FLOATS, text.comment(UNSEEN) if scaling else "", *scaling, SPLIT)],
        network=[NETWORK.format(hidden=text.indent(HIDDEN[config.hidden_layers > 1], 8))],
        weights=WEIGHTS.format(loss=LOSSES[config.loss].torch_name),
        loop=LOOP,
        columns=8,
        batches=BATCHES,
        score=SCORE,
        notes=[] if same_bits(config) else [SMALL],
    )


def same_bits(config: RunConfig) -> bool:
    """Say whether the run's matrices are large enough for stacked and plain products to agree in every bit.

    Below some 16 columns or 8 rows, the result of the processor's library depends on where in memory a matrix begins.
    """
    whole, rest = divmod(config.n_train, config.batch_size)
    rows = min(size for size in (config.batch_size if whole else 0, rest) if size)
    return rows >= 8 and min(config.hidden_units, config.n_features) >= 16
