"""What a person sees: bars on a terminal, single lines in a file."""

import io
import re

import pytest

from tandem.train.sinks import lines
from tandem.train.sinks.emitter import Emitter
from tandem.train.sinks.lines import LogFile, duration
from tandem.train.sinks.stdout import Bars, stdout

EPOCH = {
    "epoch": 2,
    "total_epochs": 10,
    "train_loss": 0.5123456,
    "terms": {"cross_entropy": 0.25, "kl_div": 0.26},
    "val_accuracy": 0.9721,
    "learning_rate": 1e-4,
    "seconds": 75.2,
    "images_per_second": 1234.5,
}


@pytest.fixture(autouse=True)
def _english(monkeypatch):
    monkeypatch.setenv("TANDEM_LANG", "en")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_an_epoch_is_one_line_with_every_term(tmp_path):
    stream = io.StringIO()
    emitter = Emitter(tmp_path, "T", [stdout(stream)])
    emitter.emit("epoch", **EPOCH)
    emitter.close()
    assert stream.getvalue().splitlines() == [
        "Epoch 2/10  loss 0.5123 (cross_entropy 0.25, kl_div 0.26)  val accuracy 97.2 %  "
        "rate 0.0001  1234 samples/s  1 min 15 s"
    ]


def test_a_pipe_gets_no_escape_codes_and_progress_now_and_then(tmp_path, monkeypatch):
    clock = iter(range(0, 10_000, 4))
    monkeypatch.setattr(lines.time, "monotonic", lambda: float(next(clock)))
    stream = io.StringIO()
    sink = stdout(stream)
    for done in range(0, 101, 10):
        sink.progress("Filling the cache", done, 100)
    said = stream.getvalue().splitlines()
    assert said[0] == "Filling the cache: 30 of 100, 2.5/s, 28.0 s left"
    assert len(said) == 3
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_a_bar_with_rate_and_lines_above_it(tmp_path):
    stream = Terminal()
    sink = stdout(stream)
    assert isinstance(sink, Bars)
    from rich.console import Console

    sink = Bars(stream, console=Console(file=stream, force_terminal=True, width=120))
    emitter = Emitter(tmp_path, "T", [sink])
    emitter.progress("Epoch 1/10", 1, 8)
    emitter.progress("Epoch 1/10", 4, 8)
    emitter.notice("class [bold]cat[/bold] is small")
    emitter.emit("epoch", **EPOCH)
    emitter.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert "Epoch 1/10" in shown
    assert "4/8" in shown
    assert "class [bold]cat[/bold] is small" in shown
    assert "val accuracy 97.2 %" in shown


def test_a_reader_that_went_away_does_not_end_the_training(tmp_path):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    emitter = Emitter(tmp_path, "T", [stdout(Gone())])
    emitter.emit("epoch", **EPOCH)
    emitter.emit("finished", seconds=1.0, metrics={})
    emitter.close()
    assert (tmp_path / "events.jsonl").read_text().count("\n") == 2


def test_a_terminal_without_chinese_letters_shows_them_spelled_out(tmp_path):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    emitter = Emitter(tmp_path, "T", [stdout(stream)])
    emitter.notice("类 猫")
    emitter.close()
    stream.flush()
    assert raw.getvalue() == b"\\u7c7b \\u732b\n"


def test_the_log_file_holds_the_lines_of_every_attempt_with_their_time(tmp_path):
    for attempt in range(2):
        emitter = Emitter(tmp_path, "T", [LogFile()])
        emitter.notice(f"attempt {attempt}", warning=True)
        emitter.close()
    said = (tmp_path / "log.txt").read_text().splitlines()
    assert len(said) == 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Warning: attempt 1", said[1])


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.21, "3.2 s"), (245, "4 min 05 s"), (7380, "2 h 03 min")]
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text
