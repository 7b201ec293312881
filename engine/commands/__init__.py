"""The command line's own commands, and its start without what `--help` does not need."""

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType

PUT_OFF = ("joblib", "pandas", "scipy")  # four tenths of a second to import


class PutOff(ModuleType):
    """A package that is in `sys.modules` and loads when something in it is first asked for.

    `importlib.util.LazyLoader` is no help: in Python 3.11 it loads a package when it is imported a
    second time. Only for processes in which one thread alone imports.
    """

    def __getattr__(self, name: str) -> object:
        """Load the package. `__path__` is asked for too: whoever imports a part loads the whole."""
        spec = self.__spec__
        assert spec is not None and spec.loader is not None
        module: ModuleType = self
        module.__class__ = ModuleType
        module.__path__ = list(spec.submodule_search_locations or ())
        spec.loader.exec_module(module)
        return getattr(module, name)


def put_off(name: str) -> None:
    """Have `import name` load nothing yet, unless the package is loaded already or is not there."""
    spec = find_spec(name) if name not in sys.modules else None
    if spec is None:
        return
    module = sys.modules[name] = module_from_spec(spec)
    del module.__path__
    module.__class__ = PutOff


for package in PUT_OFF:
    put_off(package)
