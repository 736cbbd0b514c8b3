"""What programs written for Keras expect under `saving`."""

from neuroloom.calls import public
from neuroloom.serializable import get_registered_name, register_keras_serializable, register_serializable

__all__ = ["get_registered_name", "register_keras_serializable", "register_serializable"]

public(__name__)
