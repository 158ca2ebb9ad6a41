"""What people call each choice of a knob that has a few: a form shows it beside the word itself."""

from __future__ import annotations

_PRECISIONS = {
    "auto": "As the device has it",
    "fp32": "32-bit floating point",
    "bf16": "16-bit brain floating point",
    "fp16": "16-bit floating point",
}
CHOICES = {
    "kind": {
        "classification": "One class for a picture",
        "detection": "Boxes",
        "segmentation": "Masks",
        "sequence": "One class for a clip",
        "text": "One class for a text",
    },
    "mode": {"distillation": "With a teacher", "direct": "On labels alone"},
    "teacher.precision": _PRECISIONS | {"int8": "8-bit integers", "int4": "4-bit integers"},
    "teacher.knowledge": {
        "auto": "The first that it has",
        "own": "Its own classes",
        "probe": "A linear classifier on its features",
        "label_scoring": "How likely it finds each class name",
        "lora": "An adapter trained on the labels",
        "none": "Features alone",
    },
    "lora.on": {"auto": "The teacher, if there is one", "teacher": "Teacher", "student": "Student"},
    "lora.bias": {"none": "None", "all": "All", "lora_only": "Those of adapted layers"},
    "student.init": {
        "random": "The library's usual random weights",
        "xavier": "Xavier (Glorot)",
        "kaiming": "Kaiming (He)",
        "pretrained": "Trained weights from a file",
    },
    "student.head": {"class": "Class scores", "mask": "Mask"},
    "student.pooling": {"last": "Last frame", "mean": "Mean", "attention": "Learned attention"},
    "student.quantise": {"none": "None", "int8": "8-bit integers"},
    "loss.distillation_type": {
        "feature": "Dense features",
        "logit": "Soft labels",
        "hybrid": "Soft labels and dense features",
    },
    "loss.soft_loss": {
        "kl_div": "Kullback-Leibler divergence",
        "mse": "Mean squared error",
        "cosine": "Cosine distance",
        "dkd": "Decoupled distillation",
        "standardised": "Of standardised logits",
    },
    "loss.feature_loss": {
        "mse": "Mean squared error",
        "cosine": "Cosine distance",
        "pkd": "Pearson correlation",
    },
    "optim.optimizer": {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD", "adagrad": "Adagrad"},
    "optim.scheduler": {
        "cosine": "Along a cosine",
        "linear": "In a straight line",
        "constant": "Not at all",
        "polynomial": "Along a parabola",
    },
    "views.flip": {"auto": "Where no class names a side", "on": "On", "off": "Off"},
    "cache.mode": {"on": "On", "off": "Off"},
    "cache.dtype": {
        "float32": "32-bit floating point",
        "float16": "16-bit floating point",
        "int8": "8-bit integers",
    },
    "run.devices": {"auto": "Every GPU, else the CPU", "cpu": "CPU"},
    "run.precision": _PRECISIONS,
}
"""By dotted path and value, in English; `words.t` has the rest."""
