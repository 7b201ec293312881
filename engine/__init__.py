"""The engine of the Influence Attack Lab: influence scores, and attacks on them.

    dataset = engine.load_dataset("digits")
    model = engine.fit(dataset)
    result = engine.attack(model, dataset, targets=16, k=1, radius=0.3)

The public names are listed in `__init__.pyi`. Each is imported when it is first used: `import
engine` alone imports neither torch nor NumPy.
"""

import lazy_loader

from engine.version import VERSION as __version__  # noqa: F401

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
