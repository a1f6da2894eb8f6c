"""A workaround for a torchvision whose compiled operators do not match the installed torch."""

import importlib
import sys

# Operators live only as long as the library object that defined them.
_kept_alive: list[object] = []

_MISSING_OPERATOR = "operator torchvision::nms does not exist"


def ensure_torchvision() -> None:
    """Make torchvision importable; call this before the first import of timm or lightning.

    A torchvision built for CUDA cannot load its operators with a CPU build of torch. Its import
    then fails because it attaches shape rules to the missing operators, and the imports of timm,
    lightning and torchmetrics fail with it. Declaring those operators lets the import pass. What
    sonotempo needs of torchvision then works; ``torchvision.ops.nms`` and ``torchvision.io`` do
    not. Where torchvision is healthy or not installed, nothing changes.
    """
    if "torchvision" in sys.modules:  # a failed import leaves no entry
        return
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise
    except RuntimeError as error:
        if _MISSING_OPERATOR not in str(error):
            raise
        _declare_operators()
        importlib.import_module("torchvision")


def _declare_operators() -> None:
    """Declare the operators, and drop the parts of torchvision that were imported without them."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    # torch is slow to import, and only needed here.
    library = importlib.import_module("torch.library").Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept_alive.append(library)
