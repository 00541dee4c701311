"""Read a rule back from its repr: the form it has in links, in the store and in config files."""

from __future__ import annotations

import ast
import math
from textwrap import shorten
from typing import Any

from gclip.clipping.chain import Chain
from gclip.clipping.per_layer import PerLayer
from gclip.clipping.rule import Clipper, quoted

MAX_LENGTH = 2000
"""Room for a rule for each of a dozen layers; Python's own parser is not made for longer text from strangers."""

MAX_DEPTH = 3
"""As deep as `Chain(PerLayer(Chain(...), ...), ...)`."""


def parse(text: str, rules: dict[str, type]) -> Clipper:
    """Return the rule that ``text`` writes, as ``ClipByNorm(max_norm=1.0)``, ``NoClip`` or ``Chain(NoClip(), ...)``.

    Only names of ``rules``, numbers and ``inf`` are read; nothing is ever evaluated.

    Raises:
        ValueError: saying what stands there and what is allowed.
    """
    try:
        if len(text) > MAX_LENGTH:
            raise ValueError("too long")
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise _refusal(text) from None
    try:
        return _rule(tree, rules, depth=0)
    except RecursionError:
        raise _refusal(text) from None


def _refusal(text: str) -> ValueError:
    return ValueError(f"clipper is {quoted(text)}; allowed is a rule such as ClipByNorm(max_norm=1.0).")


def _rule(node: ast.AST, rules: dict[str, type], depth: int) -> Clipper:
    if isinstance(node, ast.Name) and node.id in rules:  # A name alone is the rule as it is by default.
        node = ast.Call(node, [], [])
    name = _name(node)
    if not isinstance(node, ast.Call) or name not in rules:
        raise ValueError(f"clipper is {_source(node)}; allowed are {', '.join(rules)}.")
    if depth > MAX_DEPTH:
        raise ValueError(f"clipper: {_source(node)} lies too deep; allowed are {MAX_DEPTH} rules around it.")
    if rules[name] is Chain or rules[name] is PerLayer:
        return _composed(node, rules, depth)
    args = [_number(arg) for arg in node.args]
    keywords = {str(keyword.arg): _number(keyword.value) for keyword in node.keywords}
    if len(keywords) < len(node.keywords):
        raise ValueError(f"{name}: {_source(node)} gives one number twice.")
    try:
        return rules[name](*args, **keywords)
    except TypeError as error:
        raise ValueError(f"{name}: {_source(node)} does not fit; {_plain(error, name)}.") from None


def _composed(node: ast.Call, rules: dict[str, type], depth: int) -> Clipper:
    args = [_rule(arg, rules, depth + 1) for arg in node.args]
    layers = {str(keyword.arg): _rule(keyword.value, rules, depth + 1) for keyword in node.keywords}
    if rules[_name(node)] is Chain:
        if layers:
            raise ValueError("Chain: takes rules only, as Chain(ClipByNorm(1.0), ClipByValue(0.5)).")
        return Chain(*args)
    if len(args) != 1:
        example = "PerLayer(ClipByNorm(1.0), output=ClipByNorm(10.0))"
        raise ValueError(f"PerLayer: takes one rule for the rest, then rules by name of layer, as {example}.")
    if len(layers) < len(node.keywords):
        raise ValueError(f"PerLayer: {_source(node)} names one layer twice.")
    return PerLayer(args[0], **layers)


def _name(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _number(node: ast.AST) -> Any:
    if isinstance(node, ast.Name) and node.id in ("inf", "nan"):
        return math.inf if node.id == "inf" else math.nan
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand)
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return node.value
    raise ValueError(f"clipper: {_source(node)} stands where a number is needed.")


def _plain(error: TypeError, name: str) -> str:
    return shorten(str(error).replace(f"{name}.__init__() ", "it "), 120, placeholder="...")


def _source(node: ast.AST) -> str:
    return quoted(ast.unparse(node))
