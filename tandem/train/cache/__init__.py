"""What the teacher said of every picture, kept on disk so that it need be asked only once."""

from tandem.train.cache.maintenance import (
    CacheFault,
    CacheInfo,
    collect_garbage,
    list_caches,
    verify_cache,
)
from tandem.train.cache.request import SourceRequest, SourceSetup, WantedSignals
from tandem.train.cache.session import kept_bytes, lacking, open_source
from tandem.train.cache.sources import CachedSource, OnlineSource

__all__ = [
    "CacheFault",
    "CacheInfo",
    "CachedSource",
    "OnlineSource",
    "SourceRequest",
    "SourceSetup",
    "WantedSignals",
    "collect_garbage",
    "kept_bytes",
    "lacking",
    "list_caches",
    "open_source",
    "verify_cache",
]
