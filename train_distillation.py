"""As train_qwen_vl_distillation.py with four other defaults; `--help` lists the flags."""

import sys

from tandem.commands.runs.train import distillation_script

if __name__ == "__main__":
    sys.exit(distillation_script())
