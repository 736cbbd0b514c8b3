"""Pictures of trainings, predictions and data: functions from arrays to matplotlib Figures.

No global state is touched: nothing appears on a screen, and no figure stays in memory after its last use.
"""

from neuroloom.plots.curves import best_epoch, curves
from neuroloom.plots.evaluation import confusion_matrix, residuals
from neuroloom.plots.images import images
from neuroloom.plots.style import svg

__all__ = ["curves", "best_epoch", "confusion_matrix", "residuals", "images", "svg"]
