"""The teachers that learn by adapters are those of the teachers' own tests."""

from tests.train.teachers.conftest import _own_home as _own_home
from tests.train.teachers.conftest import checkpoints as checkpoints
