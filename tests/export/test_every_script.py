"""Whatever the run, each library's script compiles and says what it must, or a sentence says why there is none."""

from __future__ import annotations

import ast
import re

import export_examples as examples
import pytest
from hypothesis import given, settings

from gclip import export
from gclip.training import Config, RunConfig

LIBRARIES = ("keras", "lightning", "optax", "pytorch")
IN_FULL = ("lightning", "pytorch")
"""Those that can say every rule."""

IMPORTS = {
    "keras": "import keras",
    "lightning": "import lightning as L",
    "optax": "import optax",
    "pytorch": "import to",
}


def test_these_are_all() -> None:
    assert tuple(export.__all__) == LIBRARIES


@pytest.mark.parametrize("library", LIBRARIES)
@settings(max_examples=60)
@given(config=examples.configs | examples.recurrent_configs)
def test_there_is_a_script_or_a_reason(library: str, config: Config) -> None:
    script, reason = script_or_reason(library, config)
    if reason:
        assert library not in IN_FULL
        assert re.fullmatch(rf"{library.title()} [^\n]{{20,}}\.", reason.replace("Keras 3", "Keras"))
        return
    assert_sound(script, config)
    assert f"\n{IMPORTS[library]}" in script


def script_or_reason(library: str, config: Config) -> tuple[str, str]:
    """Return the script or the reason why there is none, and for the other an empty text."""
    try:
        return getattr(export, library)(config), ""
    except ValueError as error:
        return "", str(error)


def assert_sound(script: str, config: Config) -> None:
    """Hold a script to what all of them promise."""
    tree = ast.parse(script)
    compile(script, "<script>", "exec")
    summary = " ".join((ast.get_docstring(tree) or "").split())
    assert f"Clipping rule: {config.clipper!r}." in summary
    assert ("on the training half" if isinstance(config, RunConfig) else "the last 20 steps") in summary
    assert script.endswith("print(json.dumps(finite))\n")
    assert not re.search(r"^\s*(import|from) gclip", script, re.MULTILINE)
    assert max(map(len, script.splitlines())) <= 88
    unused = {name for name in constants(tree) if len(re.findall(rf"\b{name}\b", script)) == 1}
    assert not unused
    for field in ("learning_rate", "batch_size", "hidden_units", "init_seed", "batch_seed"):
        assert f"\n{field.upper()} = {getattr(config, field)!r}\n" in script


def constants(tree: ast.Module) -> set[str]:
    """Return the names of the constants at the top of a script."""
    targets = [ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)]
    return {name for name in targets if name.isupper()}
