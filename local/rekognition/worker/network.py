"""dlib's face recognition network, computed with numpy from dlib's own model file (worker process).

The dlib package on PyPI is built without a linear algebra library; numpy brings one, and is
some times faster on the same weights. The layers are those of `anet_type` in dlib's
examples/dnn_face_recognition_ex.cpp. A test compares the vectors with dlib's.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from local.rekognition.worker.images import Pixels

Array = NDArray[np.float32]

# input_rgb_image_sized: what each channel's mean is, and what is left is divided by.
MEANS = np.array([122.782, 117.001, 104.298], np.float32)
SCALE = np.float32(256)
VECTOR_SIZE = 128
# The residual blocks from the input to the output: their filters, and whether they halve.
BLOCKS = (
    *[(32, False)] * 3,
    (64, True), *[(64, False)] * 3,
    (128, True), *[(128, False)] * 2,
    (256, True), *[(256, False)] * 2,
    (256, True),
)  # fmt: skip
_LAYER = re.compile(rb"con_4|affine_|fc_2")


class ModelError(Exception):
    """The file is not the expected model."""


class Network:
    """The network and its weights; each convolution includes the scale after it."""

    def __init__(self, path: Path) -> None:
        """Load the network's weights."""
        tensors = _tensors(path.read_bytes())
        channels = 3
        self._first = _convolution(tensors, channels, filters=32, size=7)
        channels = 32
        self._blocks = []
        for filters, halves in BLOCKS:
            one = _convolution(tensors, channels, filters, 3)
            two = _convolution(tensors, filters, filters, 3)
            self._blocks.append((one, two, halves))
            channels = filters
        self._last = next(tensors).reshape(channels, VECTOR_SIZE)
        if next(tensors, None) is not None:
            raise ModelError("there are more layers than expected")

    def vector(self, chip: Pixels) -> list[float]:
        """Return the vector of an aligned face of 150 x 150 pixels."""
        x = np.ascontiguousarray(((chip - MEANS) / SCALE).transpose(2, 0, 1), np.float32)
        x = _relu(_convolve(x, self._first, size=7, stride=2, padding=0))
        x = _largest_of_three(x)
        for one, two, halves in self._blocks:
            # dlib pads only convolutions that do not step over pixels.
            step, padding = (2, 0) if halves else (1, 1)
            inner = _relu(_convolve(x, one, size=3, stride=step, padding=padding))
            inner = _convolve(inner, two, size=3, stride=1, padding=1)
            x = _relu(_add(inner, _halved(x) if halves else x))
        return [float(value) for value in x.mean(axis=(1, 2)) @ self._last]


Weights = tuple[Array, Array]


def _tensors(data: bytes) -> Iterator[Array]:
    """Yield the parameters of each layer that has any, from the input on."""
    at = 0
    while found := _LAYER.search(data, at):
        at = found.end()
        if found[0] == b"fc_2":
            _, at = _integer(data, at)  # outputs
            _, at = _integer(data, at)  # inputs
        version, at = _integer(data, at)
        if version != 2:
            raise ModelError(f"a tensor has version {version}")
        count = 1
        for _ in range(4):
            length, at = _integer(data, at)
            count *= length
        yield np.frombuffer(data, "<f4", count, at)
        at += 4 * count


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """Decode one of dlib's integers and return where it ends: a byte holds its length and sign."""
    size = data[at] & 0x0F
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size


def _convolution(tensors: Iterator[Array], channels: int, filters: int, size: int) -> Weights:
    """Merge a convolution and the affine layer behind it into weights and biases."""
    pair = list(itertools.islice(tensors, 2))
    weights_size = filters * channels * size * size
    if [len(one) for one in pair] != [weights_size + filters, 2 * filters]:
        raise ModelError("a layer has another size than expected")
    weights, biases = pair[0][:weights_size], pair[0][weights_size:]
    gamma, beta = pair[1][:filters], pair[1][filters:]
    scaled = weights.reshape(filters, -1) * gamma[:, None]
    return np.ascontiguousarray(scaled), biases * gamma + beta


def _convolve(x: Array, weights: Weights, *, size: int, stride: int, padding: int) -> Array:
    if padding:
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    channels, height, width = windows.shape[:3]
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(channels * size * size, height * width)
    out = weights[0] @ columns + weights[1][:, None]
    return np.asarray(out.reshape(-1, height, width))


def _relu(x: Array) -> Array:
    return np.maximum(x, 0, out=x)


def _largest_of_three(x: Array) -> Array:
    """Apply max_pool<3,3,2,2>."""
    return np.asarray(sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2].max(axis=(3, 4)))


def _halved(x: Array) -> Array:
    """Apply avg_pool<2,2,2,2>."""
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    x = x[:, :height, :width]
    return np.asarray(x.reshape(x.shape[0], height // 2, 2, width // 2, 2).mean(axis=(2, 4)))


def _add(first: Array, second: Array) -> Array:
    """Apply add_prev, which pads the smaller input with zeros."""
    shape = np.maximum(first.shape, second.shape)
    total = np.zeros(shape, np.float32)
    for one in (first, second):
        total[tuple(slice(length) for length in one.shape)] += one
    return total
