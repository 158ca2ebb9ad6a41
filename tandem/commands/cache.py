"""`tandem cache ls|verify|gc`."""

from __future__ import annotations
