"""D-FINE as a student: Transformers' network with the taps of `StepOutput`, and its own loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from tandem.train.detection.dfine.loss import (
    PARTS,
    CanvasLabels,
    QueryHeads,
    box_loss,
    labels_of,
)
from tandem.train.detection.dfine.sizes import DfineSize, config_of
from tandem.train.detection.student import BoxTargets, Heads, LearningDetector

MOST_SEEDS = 2**31


class DfineStudent(LearningDetector):
    """Peng et al. 2024 (arXiv 2410.13842). Boxes are of queries, chosen among the encoder's cells
    by these cells' class scores, which is what a teacher's class map is compared with."""

    parts = PARTS
    answers_by_cell = False
    weighs_classes = False
    # DFineModel.forward takes `len()` of a tensor, which fixes the batch of what is traced.
    traceable = False

    def __init__(self, shape: DfineSize, *, num_classes: int, image_size: int) -> None:
        super().__init__()
        from transformers import DFineForObjectDetection

        self.strides = shape.strides
        self.place(num_classes, image_size, [shape.width] * len(shape.strides))
        config = config_of(shape, num_classes, self.image_size)
        # Its heads lie in the decoder too: the whole would hold each of their weights twice.
        self.net = DFineForObjectDetection(config).model
        self.train()

    def heads(self, images_BCHW: Tensor, targets: BoxTargets | None = None) -> Heads:
        net, rows, columns = self.net, images_BCHW.shape[-2], images_BCHW.shape[-1]
        features = net.backbone.model(images_BCHW).feature_maps
        cells = [net.encoder_input_proj[at](one) for at, one in enumerate(features)]
        maps_BCHW = tuple(net.encoder(cells).last_hidden_state)
        labels = None
        if self.training and targets is not None:
            labels = labels_of(targets, len(images_BCHW), (rows, columns))
        kind = images_BCHW.device.type
        if not torch.is_autocast_enabled(kind):
            return self._decode(maps_BCHW, labels, (rows, columns))
        # Places of cells and boxes are shares of a side: 8 bits would round them to pixels.
        with torch.autocast(kind, enabled=False):
            maps_BCHW = tuple(one.float() for one in maps_BCHW)
            return self._decode(maps_BCHW, labels, (rows, columns))

    def _decode(
        self,
        maps_BCHW: tuple[Tensor, ...],
        labels: list[CanvasLabels] | None,
        size: tuple[int, int],
    ) -> Heads:
        with _own_noise(maps_BCHW[0].device) if labels else nullcontext():
            # `inputs_embeds` tells how many canvases there are; what is encoded is given.
            said = self.net(
                None,
                inputs_embeds=maps_BCHW[0],
                encoder_outputs=(list(maps_BCHW),),
                labels=labels,
            )
        queries = QueryHeads(
            size,
            said.intermediate_logits,
            said.intermediate_reference_points,
            said.intermediate_predicted_corners,
            said.initial_reference_points,
            said.enc_topk_logits,
            said.enc_topk_bboxes,
            said.denoising_meta_values,
        )
        return Heads(maps_BCHW, said.enc_outputs_class, said.enc_outputs_class, queries)

    def decoded(self, heads: Heads) -> Tensor:
        said = heads.own
        assert isinstance(said, QueryHeads)
        rows, columns = said.size
        boxes_BQ4 = said.boxes_BLQ4[:, -1]
        boxes_BQ4 = boxes_BQ4 * boxes_BQ4.new_tensor([columns, rows, columns, rows])
        return torch.cat((boxes_BQ4, said.classes_BLQK[:, -1].sigmoid()), -1).transpose(1, 2)

    def label_loss(
        self,
        heads: Heads,
        targets: BoxTargets,
        labelled_B: Tensor,
        *,
        last: bool,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        said = heads.own
        assert isinstance(said, QueryHeads)
        if not labelled_B.all():
            said, targets = said.canvases(labelled_B), targets.canvases(labelled_B)
        labels = labels_of(targets, len(said.boxes_BLQ4), said.size)
        return box_loss(said, labels, self.net.config)


@contextmanager
def _own_noise(device: torch.device) -> Iterator[None]:
    """Noise from a seed that the CPU's generator draws: its state is in a checkpoint, so that a
    run goes on with the very same noise on a GPU too."""
    seed = int(torch.randint(MOST_SEEDS, ()))
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
