"""A learned edge detector comes as an ONNX file; one that computes Sobel's edges stands in for it here."""

import numpy as np
import pytest
from PIL import Image

from tests.conftest import pix2pix

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def model(path, *, stride=1, scale=1.0):
    """Two outputs, of which the last is the strength of horizontal changes."""
    weights = np.zeros((1, 3, 3, 3), np.float32)
    weights[..., 0], weights[..., 2] = -scale / 9, scale / 9
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[stride, stride]),
        onnx.helper.make_node("Abs", ["c"], ["edges"]),
    ]
    value = onnx.helper.make_tensor_value_info
    outputs = [value(name, onnx.TensorProto.FLOAT, [1, 1, None, None]) for name in ("c", "edges")]
    graph = onnx.helper.make_graph(
        nodes,
        "sobel",
        [value("x", onnx.TensorProto.FLOAT, [1, 3, None, None])],
        outputs,
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(4):
        pixels = np.zeros((32, 48, 3), np.uint8)
        pixels[:, 10 + 5 * number :] = 255
        Image.fromarray(pixels).save(tmp_path / "in" / f"{number}.png")
    return tmp_path / "in"


def prepare(photos, detector, out):
    pix2pix("data", "prepare", "derive", photos, "-o", out, "--operation", "edges", "--detector", detector)


@pytest.mark.parametrize("scale", [1.0, 9.0])
def test_its_edges_are_drawn_black_on_white(tmp_path, photos, scale):
    prepare(photos, model(tmp_path / "sobel.onnx", scale=scale), tmp_path / "out")
    file = next((tmp_path / "out" / "train").iterdir())
    at = 10 + 5 * int(file.stem)
    with Image.open(file) as both:
        lines = np.asarray(both.convert("L"))[5:-5, 1:47]
    assert lines[:, at - 1].max() < 60
    assert np.delete(lines, [at - 2, at - 1], axis=1).min() > (250 if scale == 1 else 120)


def test_what_is_no_detector_is_refused(tmp_path, photos):
    with pytest.raises(SystemExit, match="an edge detector gives"):
        prepare(photos, model(tmp_path / "coarse.onnx", stride=2), tmp_path / "one")
    words = ["--operation", "blur", "--detector", "coarse.onnx"]
    with pytest.raises(SystemExit, match="--detector finds edges, but --operation is blur"):
        pix2pix("data", "prepare", "derive", photos, "-o", tmp_path / "out", *words)
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(SystemExit, match="cannot be read as an ONNX model"):
        prepare(photos, tmp_path / "text.onnx", tmp_path / "two")
