"""An exported file says what the model says, and one that would not is never written."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tandem.spec.errors import OutputFolderError, StudentError, TandemError
from tandem.train.export import final_model, onnx_model

from .models import save_model


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "final_model"
    save_model(folder)
    return folder, onnx_model.to_onnx(folder, folder.parent / "model.onnx")


def test_onnx_runtime_agrees_for_any_batch(exported):
    folder, file = exported
    student, _ = final_model.load(folder)
    session = onnxruntime.InferenceSession(str(file))
    for count in (1, 2, 7):
        images = torch.rand(count, 3, 32, 32)
        with torch.no_grad():
            ours = student(images).logits_BK.numpy()
        (theirs,) = session.run(["logits"], {"images": images.numpy()})
        np.testing.assert_allclose(theirs, ours, atol=1e-4)


def test_it_is_one_valid_file_of_a_recent_opset(exported):
    _, file = exported
    model = onnx.load(str(file), load_external_data=False)
    onnx.checker.check_model(model)
    assert {entry.version for entry in model.opset_import if not entry.domain} == {18}
    assert {entry.name for entry in file.parent.iterdir()} == {"final_model", "model.onnx"}


def test_a_file_that_disagrees_is_not_written(exported, tmp_path, monkeypatch):
    folder, _ = exported
    real = onnx_model.write

    def wrong(student, config, file):
        with torch.no_grad():
            student.net.fc.bias += 0.01
        real(student, config, file)
        with torch.no_grad():
            student.net.fc.bias -= 0.01

    monkeypatch.setattr(onnx_model, "write", wrong)
    with pytest.raises(TandemError, match="disagree by 0.01"):
        onnx_model.to_onnx(folder, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_one_sentence(exported, tmp_path):
    with pytest.raises(StudentError, match="There is no model"):
        onnx_model.to_onnx(tmp_path, tmp_path / "model.onnx")
    with pytest.raises(OutputFolderError, match="no folder"):
        onnx_model.to_onnx(exported[0], tmp_path / "nowhere" / "model.onnx")
