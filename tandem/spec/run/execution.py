"""Where and how a run runs: devices, folders, cache, reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tandem.spec.run.base import Gpus, Knob, Section, Weight


class CacheSpec(Section):
    mode: Annotated[
        Literal["on", "off"],
        Knob(
            "Keep the teacher's answers",
            zh="保存教师输出",
            about_zh="off：教师模型在每一步运行，使用相同的视图。",
            choices={
                "on": ("On", "开"),
                "off": ("Off", "关"),
            },
        ),
    ] = "on"
    """off: the teacher runs in every step, on the same views."""
    root: Annotated[
        Path | None,
        Knob(
            "Folder of the cache",
            zh="缓存目录",
            about_zh="不填：`<output>/cache`。Tandem 的各入口会给出 TANDEM_HOME 里的目录。",
        ),
    ] = None
    """None: `<output>/cache`. Tandem's entrances give TANDEM_HOME's."""
    grid: Annotated[
        Annotated[int, Field(ge=1, le=128)] | None,
        Knob(
            "Grid kept",
            zh="保留的网格",
            about_zh="保留的稠密网格的边长。不填：学生模型自己的。",
            unit="cells",
        ),
    ] = None
    """Side of the dense grid kept. None: the student's own."""
    dims: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Knob(
            "Components kept",
            zh="保留的成分数",
            about_zh="稠密特征保留的主成分数。不填：全部。",
            unit="components",
        ),
    ] = 256
    """Principal components of the dense tokens kept. None: all."""
    dtype: Annotated[
        Literal["float32", "float16", "int8"],
        Knob(
            "Number format kept",
            zh="保存的数值格式",
            about_zh="磁盘上数值的格式：越小占用空间越少。",
            choices={
                "float32": ("32-bit floating point", "32 位浮点"),
                "float16": ("16-bit floating point", "16 位浮点"),
                "int8": ("8-bit integers", "8 位整数"),
            },
        ),
    ] = "float16"
    """The format of the numbers on disk: a smaller one takes less room."""
    verify_samples: Annotated[
        int,
        Field(ge=0, le=1000),
        Knob(
            "Samples checked at start",
            zh="启动时核对的样本数",
            about_zh="启动时重新送入教师模型的已缓存样本数；结果必须一致。",
            unit="samples",
        ),
    ] = 4
    """Cached samples run through the teacher again at start; they must agree."""


class ExecutionSpec(Section):
    output_dir: Annotated[
        Path,
        Knob(
            "Folder of the run",
            zh="运行目录",
            about_zh="运行的文件夹，`final_model/` 在其中。",
        ),
    ]
    """The run's folder; `final_model/` will lie in it."""
    seed: Annotated[
        int,
        Field(ge=0, lt=2**31),
        Knob(
            "Seed",
            zh="随机种子",
            about_zh="权重、图片顺序和视图的随机种子。",
        ),
    ] = 0
    """The seed of the weights, the order of the pictures and their views."""
    devices: Annotated[
        Literal["auto", "cpu"] | Gpus,
        Knob(
            "Devices",
            zh="设备",
            about_zh="`auto`：所有可见的 GPU，没有则用 CPU。",
            level="basic",
            choices={
                "auto": ("Every GPU, else the CPU", "所有 GPU，没有则用 CPU"),
                "cpu": ("CPU", "CPU"),
            },
        ),
    ] = "auto"
    """`auto`: every GPU in sight, else the CPU."""
    processes: Annotated[
        Annotated[int, Field(ge=1, le=64)] | None,
        Knob(
            "Processes",
            zh="进程数",
            about_zh="CPU 上的数据并行进程数；用 GPU 时每块一个。不填：一个。",
            unit="processes",
        ),
    ] = None
    """Data-parallel processes on the CPU; with GPUs it is one each. None: one."""
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"],
        Knob(
            "Student's precision",
            zh="学生模型精度",
            about_zh="学生模型前向计算的精度。\n\n"
            "auto：GPU 硬件支持时用 bf16，不支持时用 fp16（T4、V100、RTX 20）；CPU 上用 fp32。",
            choices={
                "auto": ("As the device has it", "由设备决定"),
                "fp32": ("32-bit floating point", "32 位浮点"),
                "bf16": ("16-bit brain floating point", "16 位脑浮点"),
                "fp16": ("16-bit floating point", "16 位浮点"),
            },
        ),
    ] = "auto"
    """The number format of the student's forward pass.

    auto: bf16 on a GPU whose hardware has it, fp16 on one that has not (T4, V100, RTX 20), fp32 on
    a CPU.
    """
    tf32: Annotated[
        bool,
        Knob(
            "TF32 on GPUs",
            zh="GPU 上用 TF32",
            about_zh="GPU 上的 32 位乘法是否只用 10 位尾数（TensorFloat-32）："
            "在 Ampere 及更新的卡上快数倍，"
            "结果略不精确。对 bf16 和 fp16 的计算没有影响。",
        ),
    ] = False
    """Whether a GPU multiplies 32-bit numbers with 10 bits of their mantissa (TensorFloat-32): some
    times faster on Ampere and later, a little less exact. Nothing changes for bf16 and fp16."""
    memory_format: Annotated[
        Literal["auto", "contiguous", "channels_last"],
        Knob(
            "Order of pictures in memory",
            zh="图像在内存中的次序",
            about_zh="卷积的权重与特征在内存中的次序。\n\n"
            "auto：GPU 上通道在后（半精度卷积更快），CPU 上通道在前。",
            choices={
                "auto": ("As the device is fastest", "由设备决定"),
                "contiguous": ("Channels first", "通道在前"),
                "channels_last": ("Channels last", "通道在后"),
            },
        ),
    ] = "auto"
    """How the weights and maps of convolutions lie in memory.

    auto: channels last on a GPU, whose half-precision convolutions are faster so; first on a CPU.
    """
    compile: Annotated[
        bool,
        Knob(
            "Compile the student",
            zh="编译学生模型",
            about_zh="训练前用 torch.compile 编译学生模型：前一两步要等几分钟，之后每一步更快。"
            "权重的名称和检查点不变。",
        ),
    ] = False
    """Compile the student by torch.compile: the first steps take minutes, each one after them less
    time. Names of weights, and checkpoints, stay as they are."""
    save_checkpoints: Annotated[
        bool,
        Knob(
            "Save checkpoints",
            zh="保存检查点",
            about_zh="False：只在停止时保存。",
        ),
    ] = True
    """False: one is saved on a stop only."""
    checkpoint_interval: Annotated[
        int,
        Field(ge=1),
        Knob(
            "Checkpoint every",
            zh="检查点间隔",
            about_zh="两个检查点之间的轮数。",
            unit="epochs",
        ),
    ] = 10
    """Epochs between two."""
    log_interval: Annotated[
        int,
        Field(ge=1),
        Knob(
            "Log every",
            zh="日志间隔",
            about_zh="两次指标事件之间的优化步数。",
            unit="steps",
        ),
    ] = 10
    """Optimizer steps between two metric events."""


class ReportSpec(Section):
    api_base_url: Annotated[
        str | None,
        Knob(
            "Address reported to",
            zh="汇报地址",
            about_zh="提供 /model-distillation 接口的服务；不填：只写入运行文件夹。",
        ),
    ] = None
    """A service that speaks /model-distillation; None: the run folder only."""
    delivery_grace_seconds: Annotated[
        Weight,
        Knob(
            "Wait for the service",
            zh="等待服务的时间",
            about_zh="运行结束后，服务不在时等待多久；其余的留着以后再送。",
            unit="seconds",
        ),
    ] = 30.0
    """How long a finished run waits for a service that is away. The rest stays spooled."""
    tensorboard: Annotated[
        bool,
        Knob(
            "TensorBoard's files",
            zh="TensorBoard 文件",
            about_zh="同时写出 TensorBoard 的文件。",
        ),
    ] = True
    """Also write TensorBoard's files."""
    baseline: Annotated[
        bool,
        Knob(
            "Baseline without the teacher",
            zh="无教师基线",
            about_zh="另外训练一个没有教师的同一学生模型，用于比较。",
            level="basic",
        ),
    ] = False
    """Also train the same student without the teacher, and compare."""
