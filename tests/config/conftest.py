"""Tests of the configuration have a home of their own, as those of the commands do."""

from tests.commands.conftest import home as home
