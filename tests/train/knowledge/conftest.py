from tests.train.teachers.conftest import _own_home, checkpoints

__all__ = ["_own_home", "checkpoints"]
