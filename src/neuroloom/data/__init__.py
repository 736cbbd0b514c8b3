"""Data on its way into a network: tables, arrays and labels."""

from neuroloom.calls import public
from neuroloom.data.labels import class_weight_vector, to_categorical
from neuroloom.data.tables import Table, TableSchema, as_table, read_csv

__all__ = ["Table", "TableSchema", "as_table", "class_weight_vector", "read_csv", "to_categorical"]

public(__name__)
