"""A loss says what it is in a run, so that one that nobody listed is chosen and counted too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tandem.spec.event import Epoch, parse
from tandem.spec.measured import distill_loss, hard_loss, soft_loss
from tandem.spec.plugins.losses import ROLES
from tandem.train.registry import entries
from tests.train.engines.runs import write

# A package of somebody's own; what docs/loss.md shows, under a name that is on no list.
PLUGIN = """
    from tandem.train.registry import register

    @register.loss("powered", role="soft", needs={"logits"}, zero_at_teacher=True)
    def powered(student, teacher, batch, options):
        \"\"\"Squared difference of the logits, mean over rows and classes.\"\"\"
        return (student.logits_BK - teacher.logits_BK).square().mean()

    @register.loss("feature_absolute", role="feature", needs={"tokens"}, projects={"tokens"})
    def absolute(student, teacher, batch, options):
        \"\"\"Absolute difference of the tokens, mean over cells and channels.\"\"\"
        return (student.tokens_BHWD - teacher.tokens_BHWD).abs().mean()
"""


def install(folder: Path, point: str) -> dict[str, str]:
    """An installed package with one entry point, and the environment that sees it."""
    (folder / "powered_loss.py").write_text(textwrap.dedent(PLUGIN))
    info = folder / "powered_loss-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: powered-loss\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tandem.plugins]\n{point} = powered_loss\n")
    search = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": search}


def trained(spec: dict, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tandem.train", str(write(spec, folder))]
    return subprocess.run(command, env=env, capture_output=True, text=True)


def epochs(spec: dict) -> list[Epoch]:
    lines = (Path(spec["run"]["output_dir"]) / "events.jsonl").read_text().splitlines()
    said = [parse(line) for line in lines]
    return [event for event in said if isinstance(event, Epoch)]


@pytest.mark.parametrize("point", ["losses.powered", "any_name"])
def test_a_loss_from_an_entry_point_is_chosen_and_counted_among_the_soft(
    spec_of, tmp_path: Path, point: str
):
    spec = spec_of(
        optim__epochs=1, loss={"soft_loss": "powered", "hard_label_weight": 0.4},
        teacher__knowledge="probe",
    )  # fmt: skip
    ran = trained(spec, tmp_path, install(tmp_path, point))
    assert ran.returncode == 0, ran.stderr + ran.stdout
    [epoch] = epochs(spec)
    assert epoch.roles == {"cross_entropy": "hard", "powered": "soft", "feature_mse": "feature"}
    assert soft_loss(epoch) == epoch.terms["powered"] > 0
    assert hard_loss(epoch) == epoch.terms["cross_entropy"]
    assert distill_loss(epoch) == epoch.terms["powered"] + epoch.terms["feature_mse"]


def test_a_loss_of_another_role_is_refused_with_those_that_fit(spec_of, tmp_path: Path):
    env = install(tmp_path, "any_name")  # not announced by name: the registry judges
    spec = spec_of(loss={"soft_loss": "relation"})
    ran = trained(spec, tmp_path, env)
    assert ran.returncode == 2
    said = ran.stderr + ran.stdout
    assert "loss.soft_loss names relation, which is no loss of that sort." in said
    assert "powered" in said


def test_the_service_takes_a_loss_that_a_package_announces(tmp_path: Path):
    code = (
        "import sys; from tandem.server.wire.create import Advanced;"
        "print(Advanced(distillLossType='powered').distill_loss_type);"
        "assert not {'torch', 'powered_loss'} & set(sys.modules)"
    )
    env = install(tmp_path, "losses.powered")
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert ran.stdout == "powered\n", ran.stderr


def test_every_loss_says_its_role_and_the_catalog_has_it():
    shipped = {name: entry.role for name, entry in entries("losses").items()}
    assert set(shipped.values()) == set(ROLES)
    catalog = json.loads((Path(__file__).parents[3] / "tandem" / "catalog.json").read_text("utf-8"))
    assert {one["name"]: one["role"] for one in catalog["losses"]} == shipped


def test_a_journal_from_before_roles_is_added_up_as_it_was():
    fields = {
        "type": "epoch", "seq": 1, "at": "2026-11-01T00:00:00Z", "task_id": "t", "attempt": 1,
        "epoch": 1, "total_epochs": 1, "train_loss": 1.0, "learning_rate": 0.1, "seconds": 1.0,
        "images_per_second": 1.0,
        "terms": {"cross_entropy": 0.25, "dkd": 0.5, "feature_pkd": 1.0, "box": 2.0, "soft": 4.0},
    }  # fmt: skip
    epoch = parse(json.dumps(fields))
    assert isinstance(epoch, Epoch)
    assert (hard_loss(epoch), soft_loss(epoch), distill_loss(epoch)) == (2.25, 4.5, 5.5)
