"""Pictures of trainings, predictions and data: functions from arrays to matplotlib Figures.

No global state is touched: nothing appears on a screen, and no figure stays in memory after its last use.
"""

from neuroloom.calls import public
from neuroloom.plots.approximation import approximation
from neuroloom.plots.art import category_boxes, category_counts
from neuroloom.plots.associative import recall_rates
from neuroloom.plots.curves import best_epoch, curves
from neuroloom.plots.diagram import Box, Drawing, draw
from neuroloom.plots.evaluation import confusion_matrix, residuals
from neuroloom.plots.images import images
from neuroloom.plots.maps import component_planes, hit_map, label_map, u_matrix, unit_graph
from neuroloom.plots.networks import decision_regions, energies, hinton, recalls
from neuroloom.plots.population import population, reliability
from neuroloom.plots.sequences import series
from neuroloom.plots.stochastic import receptive_fields, tours
from neuroloom.plots.style import svg
from neuroloom.plots.topology import connections
from neuroloom.plots.units import unit_diagram

__all__ = [
    "connections", "recall_rates",
    "approximation", "category_boxes", "category_counts",
    "curves", "best_epoch", "confusion_matrix", "residuals", "images", "decision_regions", "hinton",
    "energies", "recalls", "unit_diagram", "population", "reliability", "svg", "Box",
    "Drawing", "draw", "component_planes", "hit_map", "label_map", "series", "receptive_fields", "tours", "u_matrix",
    "unit_graph",
]  # fmt: skip

public(__name__)
