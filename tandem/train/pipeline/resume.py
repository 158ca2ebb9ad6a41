"""What a resumed run finds otherwise than it left it: told, or refused where it cannot go on."""

from __future__ import annotations

from collections.abc import Sequence

from tandem.spec.errors import OutputFolderError
from tandem.spec.i18n import t
from tandem.train.data import data_record
from tandem.train.data.data_record import DataRecord, RowChanges
from tandem.train.data.splits import first_names
from tandem.train.engines.context import Run
from tandem.train.kinds.base import Kind
from tandem.train.types import Splits

MOST_NAMED = 10
"""Classes named in a sentence; more would hide it."""


def forget_stale_record(run: Run) -> None:
    """Before the data is read: what an attempt without progress has noted binds nobody."""
    if run.device_context.first and not run.folder.has_progress:
        (run.folder.path / data_record.NAME).unlink(missing_ok=True)


def compare_data(run: Run, kind: Kind, splits: Splits) -> None:
    """Tell what has changed in the data since this run learnt from it last, and note it anew.

    OutputFolderError where the kind or the classes are others: a class is a number in the weights.
    """
    now = data_record.record_of(splits, kind.files())
    before = _before(run)
    if before is not None:
        _check_kind(run, before, now)
        _check_classes(run, before.classes, now.classes)
        if changes := before.changes(now):
            run.reporter.notice(_sentence(changes), warning=True)
        elif before.files == now.files and before.tokens == now.tokens:
            return
    if run.device_context.first:
        data_record.save(now, run.folder.path)


def report_settings(run: Run) -> None:
    """Tell which settings are others than the attempt before this one had."""
    if run.folder.changes:
        told = [f"{one.name} {one.before} → {one.now}" for one in run.folder.changes]
        run.reporter.notice(
            t("From here on with other settings: {changes}.", changes=", ".join(told))
        )


def _before(run: Run) -> DataRecord | None:
    try:
        return data_record.load(run.folder.path)
    except ValueError as error:
        run.reporter.notice(
            t(
                "{file} cannot be read ({reason}), so it is not known whether the data has "
                "changed since; it is noted anew.",
                file=run.folder.path / data_record.NAME,
                reason=error,
            ),
            warning=True,
        )
        return None


def _check_kind(run: Run, before: DataRecord, now: DataRecord) -> None:
    if before.kind != now.kind:
        raise OutputFolderError(
            "{path} holds another run: it learnt {before}, and the data set is now for {now}.",
            path=run.folder.path,
            before=before.kind,
            now=now.kind,
            fix="Give this run another output folder.",
        )


def _check_classes(run: Run, before: Sequence[str], now: Sequence[str]) -> None:
    if tuple(before) == tuple(now):
        return
    new, gone = sorted(set(now) - set(before)), sorted(set(before) - set(now))
    if new or gone:
        raise OutputFolderError(
            "{path} holds another run: the classes of its data differ (new: {new}; gone: {gone}).",
            path=run.folder.path,
            new=_named(new),
            gone=_named(gone),
            fix="Give this run another output folder, or bring the classes back as they were.",
        )
    raise OutputFolderError(
        "{path} holds another run: the classes of its data stood in another order "
        "({before}; now {now}).",
        path=run.folder.path,
        before=_named(before),
        now=_named(now),
        fix="Give this run another output folder, or bring the classes back as they were.",
    )


def _named(classes: Sequence[str]) -> str:
    return first_names(classes, MOST_NAMED) or "-"


def _sentence(changes: dict[str, RowChanges]) -> str:
    parts = [
        t(
            "{split}: {added} added, {gone} gone, {changed} with other content, "
            "{relabelled} with another label",
            split=name,
            added=one.added,
            gone=one.gone,
            changed=one.changed,
            relabelled=one.relabelled,
        )
        for name, one in changes.items()
    ]
    return t(
        "The data has changed since this run learnt from it last ({changes}); it goes on with what "
        "there is now.",
        changes="; ".join(parts),
    )
