"""Ultralytics' DetectionTrainer with our data, teacher and network in it.

Its loop, loss, augmentation, moving average and validation are kept. `ResumableDetectionTrainer`
adds what a run is to the world: its events, its checkpoints, its stops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from ultralytics.data.build import InfiniteDataLoader, build_dataloader
from ultralytics.models.yolo.detect import DetectionTrainer as UltralyticsTrainer

from tandem.spec.errors import DataError, NumericError, OutOfMemoryError
from tandem.spec.run import RunSpec
from tandem.train.data.boxes import DetectionTable, detection_splits
from tandem.train.detection.types import (
    DetectionBatch,
    DetectionLossWeights,
    DetectionTeacher,
)
from tandem.train.engines.base import ResolvedRun
from tandem.train.yolo import settings
from tandem.train.yolo.data.dataset import ResumableLoader, TandemDataset
from tandem.train.yolo.model import TaughtModel

ALWAYS, NEVER = 0, 2**31


@dataclass(frozen=True)
class DetectionRun:
    """What one detector learns with."""

    run: ResolvedRun
    start: dict[str, Tensor]
    """The network's first weights, as the student's plug-in drew them."""
    teacher: DetectionTeacher | None

    @property
    def spec(self) -> RunSpec:
        return self.run.spec

    @property
    def train(self) -> DetectionTable:
        return detection_splits(self.run.splits).train_boxes

    @property
    def val(self) -> DetectionTable:
        return detection_splits(self.run.splits).val_boxes

    @property
    def weights(self) -> DetectionLossWeights:
        """What a step's loss is the sum of; without a teacher, the labels' part alone."""
        return self.teacher.weights if self.teacher else DetectionLossWeights()

    @property
    def projections(self) -> tuple[tuple[int, int], ...]:
        """For each of the neck's maps: its width, and that of what it is compared with."""
        return self.teacher.projections if self.teacher else ()


class DetectionTrainer(UltralyticsTrainer):
    """Carries out a `DetectionRun`. Downloads nothing and writes nothing but in `save_dir`."""

    model: TaughtModel
    train_loader: ResumableLoader

    def __init__(self, detection_run: DetectionRun, save_dir: str) -> None:
        self.detection_run = detection_run
        self.pending = 0
        """Batches whose gradients wait for the next step of the optimizer."""
        self.stepping = False
        self.replaying = False
        self.nominal = 1
        self.grad_norm = 0.0
        threads = torch.get_num_threads()
        run = detection_run.run
        arguments = settings.overrides(
            run.spec, run.device_context, save_dir, detection_run.train.classes
        )
        super().__init__(overrides=arguments)
        # It takes all cores but one; sums cut by another number of threads round differently, and
        # a resumed run would not be the same.
        torch.set_num_threads(threads)

    # Data and network

    def get_dataset(self) -> dict[str, object]:
        """No file to be checked, no font to be fetched: the pictures are known already."""
        names = dict(enumerate(self.detection_run.train.classes))
        return {"train": "", "val": "", "nc": len(names), "names": names, "channels": 3}

    def get_dataloader(
        self,
        dataset_path: str,  # noqa: ARG002
        batch_size: int = 16,
        rank: int = 0,  # noqa: ARG002
        mode: str = "train",  # noqa: ARG002
    ) -> ResumableLoader | InfiniteDataLoader:
        learns = mode == "train"
        samples = self.detection_run.run.samples_an_epoch
        dataset = TandemDataset(
            self.detection_run.train if learns else self.detection_run.val,
            seed=self.detection_run.spec.run.seed,
            batch_size=min(batch_size, samples) if learns else batch_size,
            samples=samples if learns else None,
            imgsz=self.args.imgsz,
            augment=learns,
            hyp=self.args,
            rect=not learns,
            stride=max(int(self.model.stride.max()), 32),
            pad=0.0 if learns else 0.5,
        )
        if learns:
            pin = self.device.type == "cuda"
            return ResumableLoader(
                dataset, batch_size=dataset.batch_size, workers=self.args.workers, pin=pin
            )
        workers = self.args.workers
        return build_dataloader(dataset, batch_size, workers, shuffle=False, device=self.device)

    def get_model(self, cfg: str, weights: object = None, verbose: bool = True) -> TaughtModel:  # noqa: ARG002
        model = TaughtModel(
            cfg,
            num_classes=len(self.detection_run.train.classes),
            weights=self.detection_run.weights,
            projections=self.detection_run.projections,
        )
        # The student's plug-in has drawn its weights from the run's seed; Ultralytics would draw
        # others. The projectors are this model's own.
        drawn = {name: one for name, one in model.state_dict().items() if "projectors." in name}
        model.load_state_dict(self.detection_run.start | drawn)
        return model

    def set_class_weights(self) -> None:
        """Ultralytics' classification loss multiplies each class by them."""
        weights = self.detection_run.spec.loss.class_weights
        if isinstance(weights, list):
            self.model.class_weights = torch.tensor(weights, device=self.device)

    def preprocess_batch(self, batch: DetectionBatch | DataError) -> DetectionBatch:
        """Also asks the teacher; a file that went bad since it was read first stops the run."""
        if isinstance(batch, DataError):
            raise batch
        self.stepping = True
        self.replaying = "replayed" in batch
        if self.replaying:
            return batch
        ready: DetectionBatch = super().preprocess_batch(batch)
        if self.detection_run.teacher is not None:
            ready["targets"] = self.detection_run.teacher.targets(ready)
        return ready

    # Steps

    @property
    def accumulate(self) -> int:
        """Batches to a step. Within one: whether its end is due, counted over stops and epochs."""
        if not self.stepping:
            return self.nominal
        return ALWAYS if not self.replaying and self.pending + 1 >= self.nominal else NEVER

    @accumulate.setter
    def accumulate(self, value: int) -> None:
        self.nominal = value

    def _get_warmup_iterations(self, num_batches: int) -> int:
        """In batches. Steps that are given count, and leave no epoch over as Ultralytics does."""
        steps = self.detection_run.spec.optim.warmup_steps
        if steps:
            return int(min(steps * self.nominal, num_batches * self.epochs))
        return int(super()._get_warmup_iterations(num_batches))

    def optimizer_step(self) -> None:
        """Ultralytics' own, with the run's limit on the gradient in place of its 10."""
        limit = self.detection_run.spec.optim.max_grad_norm or math.inf
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=limit)
        self.grad_norm = float(norm)
        if not math.isfinite(self.grad_norm):
            self.refuse_numbers()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        self.ema.update(self.model)
        self.pending = -1  # this batch is counted when it ends

    def refuse_numbers(self) -> None:
        """NumericError with the loss's parts; the weights before this step are kept."""
        items = {name: float(value) for name, value in self.loss_items.items()}
        raise NumericError(
            "The gradient is not finite in epoch {epoch}, step {step}, with {terms}. "
            "The weights before this step are kept.",
            epoch=self.epoch + 1,
            step=self.steps_done + 1,
            terms=", ".join(f"{name} = {value:.4g}" for name, value in items.items()),
            fix="Lower optim.learning_rate, or the weight of the largest term.",
        )

    @property
    def steps_done(self) -> int:
        """Batches finished in the epoch under way."""
        return 0

    def _build_train_pipeline(self) -> None:
        if self.optimizer is not None:
            # Ultralytics would go on with half the batch, and say so to nobody.
            raise OutOfMemoryError(
                "Out of memory with a batch of {batch} pictures of {size} px.",
                batch=self.detection_run.spec.optim.batch_size,
                size=self.args.imgsz,
                fix="Lower optim.batch_size (each optimizer step sums up as many pictures as "
                "before), or data.image_size.",
            )
        super()._build_train_pipeline()

    def _handle_nan_recovery(self, epoch: int) -> bool:  # noqa: ARG002
        # Ultralytics would load its last pickle, of which there is none.
        return False  # a gradient that is not finite has ended the run before

    # What Ultralytics would write

    def final_eval(self) -> None:
        """The best weights are judged by COCO's rules afterwards."""

    def save_metrics(self, metrics: dict[str, float]) -> None:
        """Events say them."""
