"""As train_qwen_vl_distillation.py, with other defaults; the flags are in docs/flags.md."""

import sys

from tandem.commands.train import distillation_script

if __name__ == "__main__":
    sys.exit(distillation_script())
