"""One file of an installed library, without the rest of it."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


def load(package: str, file: str, without: str = "") -> ModuleType:
    """Load ``file`` of ``package`` by itself, the package ``without`` out of sight.

    Importing all of timm needs torchvision, and zclip takes lightning along wherever it is installed, which needs it
    too; a torchvision that was built for another torch would take the parity tests with it.
    """
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None, f"{package} is not installed; it comes with gclip[test]"
    spec = spec_from_file_location(f"only_{package}", Path(found.origin).parent / file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        if without:
            patch.setitem(sys.modules, without, None)
        spec.loader.exec_module(module)
    return module
