"""`tandem demo`."""

from __future__ import annotations

from pathlib import Path

from tandem.config.settings import load


def demo(output: Path | None, seeds: int) -> int:
    """Run the demonstration under TANDEM_HOME; its exit code."""
    home = load().home
    from tandem.train.demo.run import main

    return main(home, seeds, output)
