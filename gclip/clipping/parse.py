"""Read a rule back from its repr: the form it has in links, in the store and in config files."""

from __future__ import annotations

import ast
import math
from typing import Any

from gclip.clipping.chain import Chain
from gclip.clipping.rule import Clipper

MAX_LENGTH = 500
"""No rule's repr comes near it; Python's own parser is not made for longer text from strangers."""


def parse(text: str, rules: dict[str, type]) -> Clipper:
    """Return the rule that ``text`` writes, as ``ClipByNorm(max_norm=1.0)`` or ``Chain(NoClip(), ...)``.

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
    return ValueError(f"clipper is {text[:80]!r}; allowed is a rule such as ClipByNorm(max_norm=1.0).")


def _rule(node: ast.AST, rules: dict[str, type], depth: int) -> Clipper:
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
    if not isinstance(node, ast.Call) or name not in rules or depth > 2:
        raise ValueError(f"clipper is {_source(node)!r}; allowed are {', '.join(rules)}.")
    if rules[name] is Chain:
        if node.keywords:
            raise ValueError("Chain: takes rules only, as Chain(ClipByNorm(1.0), ClipByValue(0.5)).")
        return Chain(*[_rule(arg, rules, depth + 1) for arg in node.args])
    args = [_number(arg) for arg in node.args]
    keywords = {str(keyword.arg): _number(keyword.value) for keyword in node.keywords}
    if len(keywords) < len(node.keywords):
        raise ValueError(f"{name}: {_source(node)!r} gives one number twice.")
    try:
        return rules[name](*args, **keywords)
    except TypeError as error:
        raise ValueError(f"{name}: {_source(node)!r} does not fit; {_plain(error, name)}.") from None


def _number(node: ast.AST) -> Any:
    if isinstance(node, ast.Name) and node.id in ("inf", "nan"):
        return math.inf if node.id == "inf" else math.nan
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand)
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return node.value
    raise ValueError(f"clipper: {_source(node)!r} stands where a number is needed.")


def _plain(error: TypeError, name: str) -> str:
    return str(error).replace(f"{name}.__init__() ", "it ")


def _source(node: ast.AST) -> str:
    return ast.unparse(node)[:80]
