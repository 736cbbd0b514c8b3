"""Small helpers under the name that programs written for Keras expect them."""

from neuroloom.config import set_random_seed
from neuroloom.data.labels import to_categorical

__all__ = ["set_random_seed", "to_categorical"]
