"""The one writer and the one reader of model files.

A model file is a safetensors file: weights named by path, and in its metadata a JSON record with the structure, the
format's version, and SHA-256 digests of the record and of the weights. Nothing in it is ever executed.
"""

from neuroloom.files.reader import Header, read_arrays, read_header, read_record
from neuroloom.files.writer import write

__all__ = ["Header", "read_arrays", "read_header", "read_record", "write"]
