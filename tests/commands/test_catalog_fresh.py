"""The generated catalogue is the registry's, now."""

from __future__ import annotations

from tandem.spec.plugins.catalog import FILE
from tandem.train import catalog


def test_catalog_json_is_fresh() -> None:
    fresh = catalog.as_text(catalog.build())
    assert FILE.read_text(encoding="utf-8") == fresh, "run: python -m tandem.train.catalog"
