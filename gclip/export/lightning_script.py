"""A run as a Lightning script: the PyTorch script's data, network and batches, and a Trainer in place of its loop."""

from __future__ import annotations

from gclip.clipping import ClipByNorm, ClipByValue
from gclip.export import text
from gclip.export.acts import Act, acts_of
from gclip.export.text import Bracket
from gclip.export.torch_rules import Clipping, clipping
from gclip.export.torch_script import SETTINGS, introduction, optimizing, parts_of
from gclip.training import Config

ALGORITHMS: dict[type, str] = {ClipByNorm: "norm", ClipByValue: "value"}
"""What the Trainer's own arguments can say, and how it calls it."""

TRAINING = """\
class Training(L.LightningModule):
    def __init__(self, model):
        super().__init__()
        self.model = model
{made}
    def training_step(self, batch):
        x, y = batch
{loss}

    def configure_optimizers(self):
{optimizer}"""

LOSS = {
    False: "return loss_function(self.model(x), y)",
    True: """\
loss = loss_function(self.model(x), y)
self.losses.append(loss.item())
return loss""",
}
"""How a step ends, by whether the last losses are what a run is judged by."""

HOOK = """\
    def configure_gradient_clipping(
        self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None
    ):
        # The Trainer's arguments know the L2 norm and the value; this hook knows all.
{clip}"""

QUIET = ("logger=False", "enable_checkpointing=False", "enable_progress_bar=False", "enable_model_summary=False")

FIT = """\
training = Training(model)
{trainer}
trainer.fit(training, Batches())"""


def lightning(config: Config) -> str:
    """Return a Lightning script, without gclip, that trains this run with the numbers of its PyTorch script.

    Raises:
        ValueError: if the run's clipping rule has no counterpart here.
    """
    parts = parts_of(config)
    clip = clipping(config, 8, owner="self.", model="self.model")
    summary = f"One training run in Lightning; it needs lightning, {parts.needs}."
    return text.script(
        text.docstring(introduction(config, summary, parts)),
        text.lines(parts.standard, clip.imports),
        text.lines("import lightning as L", parts.others),
        text.constants(*text.run_constants(config), clip.constants),
        SETTINGS,
        *parts.data,
        *parts.network,
        *clip.helpers,
        parts.weights,
        module(config, clip),
        parts.batches,
        FIT.format(trainer=trainer(config)),
        text.lines(parts.score.replace("losses[", "training.losses["), text.RESULT),
    )


def arguments(config: Config) -> list[str]:
    """Return the Trainer's arguments that clip, or nothing if the hook must do it, or nobody."""
    acts = acts_of(config)
    if len(acts) != 1 or not by_trainer(acts[0]):
        return []
    [constant] = acts[0].names.values()
    return [f"gradient_clip_val={constant}", f'gradient_clip_algorithm="{ALGORITHMS[type(acts[0].rule)]}"']


def by_trainer(act: Act) -> bool:
    """Say whether the Trainer's own arguments can say this: the L2 norm or the value, of the whole network."""
    return type(act.rule) in ALGORITHMS and act.layers is None and "norm_type" not in act.values


def module(config: Config, clip: Clipping) -> str:
    """Return the module that tells the Trainer how a step goes."""
    made = text.lines("self.losses = []" if config.RECURRENT else "", clip.made)
    optimizer = text.written(optimizing(config, "return ", "self.model"), 8)
    code = TRAINING.format(
        made=text.indent(f"{made}\n", 8) if made else "",
        loss=text.indent(LOSS[config.RECURRENT], 8),
        optimizer=text.indent(optimizer, 8),
    )
    if not acts_of(config) or arguments(config):
        return code
    return f"{code}\n\n{HOOK.format(clip=clip.clip)}"


def trainer(config: Config) -> str:
    """Return the line that makes the Trainer."""
    epochs = "1" if config.RECURRENT else "EPOCHS"
    options = [f"max_epochs={epochs}", *arguments(config), 'accelerator="cpu"', *QUIET]
    return text.written(Bracket("trainer = L.Trainer(", options))
