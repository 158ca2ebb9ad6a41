"""Distil a large vision-language model into a small student; the flags are in docs/flags.md."""

import sys

from tandem.commands.train import qwen_vl_script

if __name__ == "__main__":
    sys.exit(qwen_vl_script())
