"""As train_qwen_vl_distillation.py with four other defaults; `--help` lists the flags."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  said in words an older Python can read
    here = ".".join(str(number) for number in sys.version_info[:2])
    sys.stderr.write("Tandem needs Python 3.11 or 3.12, and this is " + here + ". ")
    sys.stderr.write("conda create -n tandem python=3.11 makes one. 需要 Python 3.11 或 3.12。\n")
    sys.exit(2)

from tandem.commands.runs.train import distillation_script  # noqa: E402

if __name__ == "__main__":
    sys.exit(distillation_script())
