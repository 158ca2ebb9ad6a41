"""Distil a large vision-language model into a small student; `--help` lists the flags."""

import sys

from tandem.commands.runs.train import qwen_vl_script

if __name__ == "__main__":
    sys.exit(qwen_vl_script())
