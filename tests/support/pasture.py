"""The objects of fediverse-pasture-inputs without the packages it depends on.

Its inputs need one name of ``fediverse_pasture`` for a type annotation only; that package would bring servers,
clients and an old cryptography. A module with that one name stands in while the inputs are imported.
"""

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any
from unittest import mock

STANDS_IN = ("fediverse_pasture", "fediverse_pasture.runner", "fediverse_pasture.runner.entry")


def load_inputs() -> Mapping[str, Any]:
    """``{name: InputData}``; of each, ``examples`` is the list of objects (dicts without id or actor)."""
    modules = {name: ModuleType(name) for name in STANDS_IN}
    modules["fediverse_pasture.runner.entry"].Entry = object
    with mock.patch.dict(sys.modules, modules):
        return importlib.import_module("fediverse_pasture_inputs").available
