"""The command line. Each command imports its part when it is called: `--help` loads no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tandem.commands.data.commands import add_to as add_data_commands
from tandem.commands.i18n import Group, Program, run_program
from tandem.commands.options import PASS_THROUGH, AsJson
from tandem.commands.service.commands import add_to as add_service_commands
from tandem.spec.i18n import t

PLAIN = {"help_option_names": ["-h", "--help"]}

app = Program(
    cls=Group,
    help=t("Teach a small model what a large one knows, and put it to work."),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=PLAIN,
)
cache = Program(cls=Group, help=t("What teachers said, kept on disk."), no_args_is_help=True)
config = Program(cls=Group, help=t("The configuration of this machine."), no_args_is_help=True)
app.add_typer(cache, name="cache")
models = Program(cls=Group, help=t("Models that were trained elsewhere."), no_args_is_help=True)
app.add_typer(config, name="config")
app.add_typer(models, name="models")
add_service_commands(app)
add_data_commands(app)


@app.command(help=t("Teach a small model digits in a few minutes, and compare."))
def demo(
    output: Annotated[Path | None, typer.Option("--output-dir", help=t("Where it goes."))] = None,
    seeds: Annotated[int, typer.Option(min=1, help=t("Runs to average over."))] = 3,
) -> None:
    from tandem.commands.service.demo import demo as run

    raise typer.Exit(run(output, seeds))


@app.command(
    help=t("Train from a YAML or JSON spec, flags, or both."),
    context_settings=PASS_THROUGH,
    add_help_option=False,
)
def train(context: typer.Context) -> None:
    from tandem.commands.runs.train import train as run

    raise typer.Exit(run(context.args))


@app.command(
    help=t("Train with the flags of train_qwen_vl_distillation.py."),
    context_settings=PASS_THROUGH,
    add_help_option=False,
)
def distill(context: typer.Context) -> None:
    from tandem.commands.runs.train import distill as run

    raise typer.Exit(run(context.args))


@app.command(help=t("Ask a trained model about pictures or folders of them."))
def predict(
    model: Annotated[str, typer.Argument(help=t("A run, its folder, or its final_model folder."))],
    paths: Annotated[list[Path], typer.Argument(help=t("Pictures, or folders of them."))],
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help=t("Print CSV."))] = False,
    format: Annotated[str, typer.Option(help=t("table, json, csv; with -o a data format."))] = "",
    output: Annotated[Path | None, typer.Option("-o", "--output", help=t("Where it goes."))] = None,
    threshold: Annotated[list[str] | None, typer.Option(help=t("0.5, or CLASS=0.5."))] = None,
    video_every: Annotated[int, typer.Option(min=1, help=t("Of a video each so many-th."))] = 1,
) -> None:
    from tandem.commands.models.predict import predict as run

    default = "table" if output is None else "labelme"
    chosen = format or ("json" if as_json else "csv" if as_csv else default)
    given = threshold or []
    code = run(model, paths, chosen, output=output, thresholds=given, video_every=video_every)
    raise typer.Exit(code)


@app.command(help=t("Measure any model on a labelled data set."))
def evaluate(
    model: Annotated[str, typer.Argument(help=t("A run, its folder, or its final_model folder."))],
    dataset: Annotated[str, typer.Argument(help=t("A data set's folder, or its name."))],
    split: Annotated[str, typer.Option(help=t("train, val or test; test where it is there."))] = "",
    layout: Annotated[
        str, typer.Option("--type", help=t("The layout; found by looking where left out."))
    ] = "",
    as_json: AsJson = False,
) -> None:
    from tandem.commands.models.evaluate import evaluate as run

    run(model, dataset, split, layout, as_json)


@app.command(help=t("Label a folder, a ZIP or a video by a trained model; stop and go on."))
def annotate(
    model: Annotated[str, typer.Argument(help=t("A run, its folder, or its final_model folder."))],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help=t("What it labels."))],
    output: Annotated[Path, typer.Option("-o", "--output", help=t("Where it goes."))],
    format: Annotated[str, typer.Option(help=t("labelme, coco, yolo, voc, masks, csv, …"))] = "",
    threshold: Annotated[list[str] | None, typer.Option(help=t("0.5, or CLASS=0.5."))] = None,
    batch_size: Annotated[int, typer.Option(min=1, max=1024, help=t("Items at once."))] = 8,
    dataset: Annotated[Path | None, typer.Option(help=t("Whose classes the labels have."))] = None,
    auto_import: Annotated[bool, typer.Option(help=t("Keep them beside the data set."))] = False,
    with_images: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help=t("Put the pictures beside."))
    ] = True,
    video_every: Annotated[int, typer.Option(min=1, help=t("Of a video each so many-th."))] = 1,
) -> None:
    from tandem.commands.models.annotate import annotate as run

    code = run(
        model,
        source,
        output,
        format=format,
        thresholds=threshold or [],
        batch_size=batch_size,
        dataset=dataset,
        auto_import=auto_import,
        with_images=with_images,
        video_every=video_every,
    )
    raise typer.Exit(code)


@app.command(help=t("Show what a run has come to."))
def report(
    run_folder: Annotated[str, typer.Argument(metavar="RUN", help=t("A run or its folder."))],
    as_json: AsJson = False,
    send: Annotated[bool, typer.Option("--send", help=t("Deliver its events first."))] = False,
    api_base_url: Annotated[str | None, typer.Option(help=t("Where to, for --send."))] = None,
) -> None:
    from tandem.commands.runs.report import report as run

    raise typer.Exit(run(run_folder, as_json, send, api_base_url))


@app.command(help=t("Write a trained model in another format."))
def export(
    model: Annotated[str, typer.Argument(help=t("A run, its folder, or its final_model folder."))],
    target: Annotated[Path, typer.Option("-o", "--output", help=t("The file to write."))],
    format: Annotated[
        str, typer.Option(help=t("onnx, int8; of a YOLOv8 also ultralytics, torchscript, …"))
    ] = "onnx",
    calibration: Annotated[
        list[Path] | None,
        typer.Option(help=t("Pictures for int8's ranges; the run's own where left out.")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    from tandem.commands.models.export import export as run

    run(model, format, target, calibration or (), as_json)


@app.command(help=t("List students, teachers, losses and data layouts."))
def catalog(as_json: AsJson = False) -> None:
    from tandem.commands.machine.catalog import show

    show(as_json)


@app.command(help=t("Say what this machine has, and how to mend what is missing."))
def doctor(
    as_json: AsJson = False,
    teacher: Annotated[str | None, typer.Option(help=t("Load this one, and count it."))] = None,
    precision: Annotated[str, typer.Option(help=t("Of --teacher: bf16, int8, …"))] = "auto",
) -> None:
    if teacher is not None:
        from tandem.commands.machine.teacher import check_teacher

        raise typer.Exit(check_teacher(teacher, precision, as_json))
    from tandem.commands.machine.doctor import doctor as run

    raise typer.Exit(run(as_json))


@models.command("import", help=t("Bring in an Ultralytics .pt, ONNX or timm safetensors file."))
def models_import(
    file: Annotated[Path, typer.Argument(help=t("The file."))],
    name: Annotated[str, typer.Option(help=t("What it is called here."))],
    classes: Annotated[str, typer.Option(help=t("A,B,C or a file with one a line."))] = "",
    size: Annotated[str, typer.Option(help=t("Of a safetensors file, such as resnet50."))] = "",
    image_size: Annotated[int | None, typer.Option(min=16, help=t("Pixels a side."))] = None,
    accuracy: Annotated[float | None, typer.Option(min=0, max=100, help=t("In percent."))] = None,
    as_json: AsJson = False,
) -> None:
    from tandem.commands.models.importing import import_model as run

    code = run(
        file,
        name,
        classes=classes,
        size=size,
        image_size=image_size,
        accuracy=accuracy,
        as_json=as_json,
    )
    raise typer.Exit(code)


@config.command("show", help=t("Print every setting and where its value comes from."))
def config_show(as_json: AsJson = False) -> None:
    from tandem.commands.machine.config import show

    show(as_json)


@cache.command("ls", help=t("List what is kept."))
def cache_list(as_json: AsJson = False) -> None:
    from tandem.commands.machine.cache import list_all

    list_all(as_json)


@cache.command("verify", help=t("Read all that is kept and check it."))
def cache_verify(
    as_json: AsJson = False,
    repair: Annotated[bool, typer.Option("--repair", help=t("Take damaged parts away."))] = False,
) -> None:
    from tandem.commands.machine.cache import verify

    raise typer.Exit(verify(as_json, repair))


@cache.command("gc", help=t("Remove what is old or too much."))
def cache_collect(
    older_than_days: Annotated[float | None, typer.Option(min=0, help=t("Unused for so long."))] = (
        None
    ),
    max_bytes: Annotated[int | None, typer.Option(min=0, help=t("Keep at most so much."))] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=t("Only say what would go."))] = False,
    as_json: AsJson = False,
) -> None:
    from tandem.commands.machine.cache import collect

    collect(older_than_days, max_bytes, dry_run, as_json)


def main() -> None:
    """The `tandem` program."""
    from tandem.commands.guard import guarded

    sys.exit(guarded(lambda: run_program(app, "tandem")))


if __name__ == "__main__":
    main()
