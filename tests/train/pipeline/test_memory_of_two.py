"""Two processes that run out of memory: they start again with less at once, and finish."""

import os
import textwrap
from pathlib import Path

from tests.train.engines.runs import events, run_here

PLUGIN = """
    import torch
    from tandem.train.registry import register
    from tandem.train.students.resnet import ResNet, build as build_resnet

    class Hungry(ResNet):
        def forward(self, images_BCHW, layers=()):
            if self.training and len(images_BCHW) > 4:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return super().forward(images_BCHW, layers)

    @register.student("hungry", kinds={"classification"}, gives={"logits", "pooled", "tokens"})
    def build(spec, num_classes, image_size):
        \"\"\"A ResNet on a device that holds four images.\"\"\"
        student = build_resnet(
            spec.model_copy(update={"type": "resnet"}), num_classes, image_size
        )
        student.__class__ = Hungry
        return student
"""


def install(folder: Path) -> None:
    """A package with an entry point, as somebody else's plug-in has it."""
    (folder / "hungry_student.py").write_text(textwrap.dedent(PLUGIN))
    info = folder / "hungry_student-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hungry-student\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tandem.plugins]\nhungry = hungry_student\n")


def test_two_processes_go_on_with_half_as_much_at_once(spec_of, tmp_path, monkeypatch):
    install(tmp_path)
    search = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", search)
    # Without a teacher: each of the four processes would load it for nothing.
    spec = spec_of(
        mode="direct",
        teacher=None,
        optim__epochs=1,
        student={"type": "hungry", "size": "resnet18"},
        run__processes=2,
    )
    assert run_here(spec, tmp_path) == 0
    # 24 pictures are two batches of 12: six in each process, which do not fit.
    said = [one["message"] for one in events(spec, "notice") if one["level"] == "warning"]
    assert any("going on with 3 samples at once" in one for one in said), said
    assert len(events(spec, "started")) == 2
    assert (tmp_path / "run" / "final_model").is_dir()
