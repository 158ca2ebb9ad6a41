"""One text (or a pair), one class."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
from tokenizers import Tokenizer

from tandem.data.content import Content
from tandem.spec.errors import OutputFolderError, SpecError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.cache.request import SourceRequest
from tandem.train.data import data_record
from tandem.train.data.annotated import labelled_test, read_content
from tandem.train.data.augment import Views
from tandem.train.data.classification import check_some, tell_copies_of_test, with_test
from tandem.train.data.texts import TextTable, text_table
from tandem.train.data.tokens import FILE, Tokens, from_checkpoint, from_folder, learnt
from tandem.train.kinds.one_class import OneClassKind
from tandem.train.registry import register
from tandem.train.students._weights import place_of
from tandem.train.teachers.family import checkpoint_of
from tandem.train.types import ImageTable, ProgressReporter, Splits, Teacher


class TextTeacher(Teacher, Protocol):
    """A teacher that reads."""

    longest: int
    """Tokens that it has positions for."""

    @property
    def tokens(self) -> Tokens:
        """Its tokenizer."""
        ...


def _reads(teacher: Teacher) -> TypeGuard[TextTeacher]:
    return hasattr(teacher, "longest") and hasattr(teacher, "tokens")


@register.kind(
    "text",
    precedence=40,
    title=("One class for a text", "每段文本一个类别"),
    zh="一段文本（或一对），一个类别。",
)
class TextKind(OneClassKind):
    """One text (or a pair), one class.

    A student reads with its pretrained tokenizer, else its teacher's, else one of its own.
    """

    mixes = False
    distorts = False
    shows_images = False
    crops_images = False
    tokens: Tokens

    def read(self, spec: RunSpec, index_root: Path | None, progress: ProgressReporter) -> Splits:  # noqa: ARG002
        content, held = read_content(spec.data, kind=self.name, progress=progress)
        train = text_table(content.root, content.train, content.classes)
        labelled = [one for one in held if one.label >= 0]
        val = text_table(content.root, labelled, content.classes)
        check_some(content.root, train, val)
        kept = _kept(Path(spec.run.output_dir))
        self.tokens, most = kept or (_tokens(spec, train), spec.student.max_tokens)
        length, note = _length(self.tokens, train, val, most)
        if kept is not None:
            length = most
        notes = (*content.notes, *([note] if note else []))
        train, val = (one.tokenised(self.tokens, length) for one in (train, val))
        splits = with_test(Splits(train, val, self.name, notes), self._test(content, length))
        _warn_of_copies(splits, progress)
        return splits

    def _test(self, content: Content, length: int) -> TextTable | None:
        kept = labelled_test(content)
        if kept is None:
            return None
        labelled = [one for one in kept if one.label >= 0]
        table = text_table(content.root, labelled, content.classes)
        return table.tokenised(self.tokens, length) if len(table) else table

    def complete(self, spec: RunSpec, splits: Splits) -> RunSpec:
        """The words and the length that the student is built for."""
        table = splits.train
        assert isinstance(table, TextTable)
        words = self.tokens.words
        if spec.student.vocab_size not in (0, words):
            raise SpecError(
                "student.vocab_size is {asked}, but the tokenizer has {words} words.",
                asked=spec.student.vocab_size,
                words=words,
                fix="Leave it out.",
            )
        update = {"vocab_size": words, "max_tokens": int(table.ids_N3L.shape[2])}
        return spec.model_copy(update={"student": spec.student.model_copy(update=update)})

    def files(self) -> dict[str, str]:
        """What lies beside the weights: the tokenizer."""
        return {FILE: self.tokens.text}

    def views(self, table: ImageTable, spec: RunSpec) -> Views:  # noqa: ARG002
        assert isinstance(table, TextTable)
        return table.one_view()

    def teacher_table(self, table: ImageTable, teacher: Teacher) -> ImageTable:
        """The same texts in the teacher's own tokens."""
        assert isinstance(table, TextTable)
        assert _reads(teacher), "the family's entry says that it reads text"
        own = teacher.tokens
        if own.digest == self.tokens.digest:
            return table
        longest = int(own.lengths(table.texts_N.tolist(), table.seconds_N.tolist()).max())
        return table.tokenised(own, min(longest, teacher.longest))

    def looks(self, teacher: Teacher, request: SourceRequest, spec: RunSpec) -> SourceRequest:  # noqa: ARG002
        """The texts in the teacher's tokens. SpecError where two tokenizers make hidden states
        incomparable."""
        table = self.teacher_table(request.table, teacher)
        assert isinstance(table, TextTable)
        wanted = request.wanted
        if table is not request.table and (wanted.tokens or wanted.layers):
            raise SpecError(
                "Hidden states are compared word by word, so student and teacher need one "
                "tokenizer; these differ.",
                fix="Set loss.feature_weight, attention_weight and intermediate_weight to 0, or "
                "start the student without pretrained weights.",
            )
        return SourceRequest(table, table.one_view(), 1, wanted)


def _kept(run_dir: Path) -> tuple[Tokens, int] | None:
    """The tokenizer and the length that a run began with, which goes on with other texts too."""
    try:
        record = data_record.load(run_dir)
    except ValueError as error:
        raise OutputFolderError(
            "{file} cannot be read ({reason}), and the tokenizer of this run is in it.",
            file=run_dir / data_record.NAME,
            reason=error,
            fix="Give this run another output folder.",
        ) from error
    if record is None or FILE not in record.files:
        return None
    return Tokens(Tokenizer.from_str(record.files[FILE])), record.tokens


def _tokens(spec: RunSpec, train: TextTable) -> Tokens:
    if spec.student.init == "pretrained" and spec.student.path:
        source = place_of(spec.student.path)
        folder = Path(source).expanduser()
        if (folder / FILE).is_file():
            return from_folder(folder)
        return from_checkpoint(source, folder.is_dir())
    if spec.teacher is not None and spec.mode == "distillation":
        checkpoint = checkpoint_of(spec.teacher)
        # Looked for first: where there is no such model, the fault is not the tokenizer's.
        checkpoint.file("config.json")
        return from_checkpoint(checkpoint.source, checkpoint.folder is not None)
    return learnt([*train.texts_N, *(one for one in train.seconds_N if one)])


def _length(tokens: Tokens, train: TextTable, val: TextTable, most: int) -> tuple[int, str | None]:
    """Tokens that every text is given, and a note where some are cut."""
    counts = [tokens.lengths(one.texts_N.tolist(), one.seconds_N.tolist()) for one in (train, val)]
    lengths = np.concatenate(counts)
    cut = int((lengths > most).sum())
    note = None
    if cut:
        note = t(
            "{count} of {total} texts are longer than {most} tokens and are cut "
            "(student.max_tokens; the longest has {longest}).",
            count=cut,
            total=len(lengths),
            most=most,
            longest=int(lengths.max()),
        )
    return max(8, min(most, int(lengths.max()))), note


def _warn_of_copies(splits: Splits, progress: ProgressReporter) -> None:
    tell_copies_of_test(splits, progress)
    val = splits.val
    known = {one.tobytes() for one in splits.train.hashes_N}
    shared = sum(one.tobytes() in known for one in val.hashes_N)
    if shared:
        progress.notice(
            t(
                "{count} of the {total} validation texts are also in train; the scores will look "
                "better than they are.",
                count=shared,
                total=len(val),
            ),
            warning=True,
        )
