"""When a run is saved and what is said of it: the same for every training loop."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor, nn

from tandem.spec.errors import OutputFolderError, StoppedError
from tandem.spec.i18n import t
from tandem.train.engines import checkpoint
from tandem.train.engines.checkpoint import Saved, TrainingPosition
from tandem.train.engines.context import Run
from tandem.train.engines.save import SaveRequest
from tandem.train.types import ImageTable

KEPT_CHECKPOINTS = 2


def plan_key(
    table: ImageTable, batch_size: int, grad_accum_steps: int, samples: int | None = None
) -> str:
    """What the batches of an epoch follow from: in others, no step of it is where it was."""
    settings = f"{batch_size}/{grad_accum_steps}" + ("" if samples is None else f"/{samples}")
    digest = hashlib.blake2b(settings.encode(), digest_size=8)
    digest.update(table.hashes_N.tobytes() + table.labels_N.tobytes())
    return digest.hexdigest()


def copy_weights(weights: Mapping[str, Tensor], into: dict[str, Tensor]) -> None:
    """Copy to the CPU, into the tensors that are there: the next step changes the weights.

    No second copy then lies beside the first, whose room an allocator may keep.
    """
    for name, one in weights.items():
        kept = into.get(name)
        if kept is not None and (kept.shape, kept.dtype) == (one.shape, one.dtype):
            kept.copy_(one.detach())
        else:
            into[name] = one.detach().to("cpu", copy=True)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """OutputFolderError where a checkpoint is of another network than the one built now."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        # PyTorch tells every tensor in a line of its own; the first one shows what is the matter.
        reason = str(error).splitlines()[1:2] or [str(error)]
        raise OutputFolderError(
            "The checkpoint is of another network: {reason}",
            reason=reason[0].strip(),
            fix="Give this run another output folder.",
        ) from error


class CheckpointKeeper:
    """Saves where a loop is, finds where an earlier attempt was, and ends a run on request.

    `capture` gives the loop's whole state; every process calls it, and the first one writes.
    """

    def __init__(self, run: Run, capture: Callable[[], Saved]) -> None:
        self.run, self.capture = run, capture
        self.save_request = SaveRequest(
            Path(run.spec.run.output_dir), looks=run.device_context.first
        )
        self.last_saved = ""

    def furthest(self) -> Saved | None:
        """The furthest whole checkpoint, if there is one; damaged ones are set aside."""
        folder = self.run.folder.checkpoints
        # The first process alone renames: the others would find the folder gone under them.
        for path in checkpoint.set_aside(folder) if self.run.device_context.first else ():
            self.run.reporter.notice(
                t("A checkpoint is damaged and is passed over: {path}.", path=path), warning=True
            )
        found = checkpoint.latest(folder)
        if found is None:
            return None
        self.last_saved = found.name
        return checkpoint.load(found)

    def rewound(self, position: TrainingPosition, plan: str) -> bool:
        """Whether the batches are others than `position` counts; its epoch then begins again."""
        changed = position.plan not in ("", plan)
        if changed and position.step > 0:
            self.run.reporter.notice(
                t(
                    "The batches of epoch {epoch} are others now: it begins again.",
                    epoch=position.epoch + 1,
                )
            )
            position.step, position.sums = 0, {}
        position.plan = plan
        return changed

    def enough(self, position: TrainingPosition) -> bool:
        """Whether so many epochs were no better that the run is to end early."""
        patience = self.run.spec.optim.early_stopping_epochs
        return 0 < patience <= position.epochs_without_better

    def due(self, position: TrainingPosition) -> bool:
        """Whether the epoch that has ended is one of those after which a run is saved."""
        spec = self.run.spec.run
        return spec.save_checkpoints and position.epoch % spec.checkpoint_interval == 0

    def save(self, *, best: bool = False, seconds: float = 0.0) -> None:
        """Save where the run is. `seconds` of the epoch under way are counted in what is saved.

        Only there: the loop itself counts an epoch's seconds when it ends.
        """
        saved = self.capture()
        saved.position.seconds += seconds
        name = checkpoint.name(saved.position)
        if self.run.device_context.first:
            path = checkpoint.save(self.run.folder.checkpoints / name, saved)
            # Thinned after the new one is whole: there is always one to go back to.
            checkpoint.thin(self.run.folder.checkpoints, KEPT_CHECKPOINTS)
            self.run.reporter.emit(
                "checkpoint",
                path=str(path),
                epoch=saved.position.epoch,
                step=saved.position.global_step,
                best=best,
            )
        self.last_saved = name
        if self.run.device_context.processes > 1:
            # Nobody goes on, and perhaps fails, before what he would go back to is there.
            torch.distributed.barrier()

    def save_at_end(self, position: TrainingPosition) -> None:
        """Save a loop that is through, unless its last epoch was saved already."""
        # A baseline is still to come, and a stop in it must not cost what was learnt so far.
        wanted = self.run.spec.run.save_checkpoints or self.run.spec.report.baseline
        if wanted and self.last_saved != checkpoint.name(position):
            self.save()

    def stop(self, position: TrainingPosition, seconds: float = 0.0) -> NoReturn:
        """Save, then StoppedError: the run was asked to stop."""
        self.save(seconds=seconds)
        raise StoppedError(
            "Stopped on request in epoch {epoch}; the checkpoint {name} was saved.",
            epoch=position.epoch + 1,
            name=self.last_saved,
            fix="Start again with the same arguments to go on.",
        )
