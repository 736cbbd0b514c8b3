"""Tests for what others build on neuroloom: whether an engine is one."""

from neuroloom.calls import public
from neuroloom.testing.engines import check_engine, engine_checks

__all__ = ["check_engine", "engine_checks"]

public(__name__)
