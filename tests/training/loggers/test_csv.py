"""metrics.csv: a log for people, which never stops a training, whatever became of it."""

import pytest

from pix2pix.runs.metrics import read_metrics
from pix2pix.training.loggers.csv import MetricsCsv

WHOLE = "step,epoch,loss/g_l1\n4,1,0.5\n8,1,0.25\n"


def resume(folder, content: bytes) -> list[dict[str, str]]:
    """The rows after a row of step 8 was logged to a file that held `content`."""
    (folder / "metrics.csv").write_bytes(content)
    MetricsCsv(str(folder)).log_metrics({"epoch": 2, "loss/g_l1": 0.125}, step=8)
    return read_metrics(folder / "metrics.csv")


def test_a_resumed_run_keeps_the_rows_before_its_step(tmp_path):
    assert [row["loss/g_l1"] for row in resume(tmp_path, WHOLE.encode())] == ["0.5", "0.125"]
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.csv"]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff\xfe\x00\x01",
        b"4,1,0.5\n8,1,0.25\n",
        b"name,size\na,1\n",
        b"step,step\n1,2\n",
        b"\x00" * 4096,
        b'"' + b"x" * 200_000,
        "Messwerte: übel\n".encode("latin-1"),
    ],
    ids=["no text", "no header", "other columns", "a column twice", "zeros", "one long field", "latin-1"],
)
def test_a_file_that_cannot_be_read_is_set_aside_with_a_sentence(tmp_path, caplog, rubbish):
    assert [row["step"] for row in resume(tmp_path, rubbish)] == ["8"]
    assert (tmp_path / "metrics.unreadable-1.csv").read_bytes() == rubbish
    assert (
        "metrics.csv: line 1 is not a row of metrics. The file was renamed to metrics.unreadable-1.csv." in caplog.text
    )


def test_rows_that_can_be_read_are_kept_of_a_file_that_is_damaged_in_part(tmp_path, caplog):
    damaged = b"step,epoch,loss/g_l1\n2,1,0.75\n\xff\xff\xff\n4,1,0.5\n"
    assert [row["step"] for row in resume(tmp_path, damaged)] == ["2", "4", "8"]
    assert (tmp_path / "metrics.unreadable-1.csv").read_bytes() == damaged
    assert "line 3 is not a row of metrics" in caplog.text


@pytest.mark.parametrize("content", ["", "\n", WHOLE + "12,1", "\ufeff" + WHOLE.replace("\n", "\r\n")])
def test_what_a_power_cut_or_a_spreadsheet_leaves_needs_no_word(tmp_path, caplog, content):
    assert resume(tmp_path, content.encode())[-1] == {"step": "8", "epoch": "2", "loss/g_l1": "0.125"}
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.csv"]
    assert not caplog.records


@pytest.mark.parametrize("change", ["removed", "emptied", "replaced"])
def test_the_header_is_written_again_when_the_file_is_taken_away_while_training(tmp_path, caplog, change):
    file, logger = tmp_path / "metrics.csv", MetricsCsv(str(tmp_path))
    logger.log_metrics({"loss/g_l1": 0.5}, step=4)
    if change == "removed":
        file.unlink()
    else:
        file.write_text("" if change == "emptied" else "name,size\na,1\n")
    logger.log_metrics({"loss/g_l1": 0.25}, step=8)
    assert read_metrics(file) == [{"step": "8", "loss/g_l1": "0.25"}]
    assert "during the training" in caplog.text
    assert (tmp_path / "metrics.unreadable-1.csv").exists() == (change == "replaced")
