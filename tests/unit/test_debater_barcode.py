"""The machine-readable clock: what is read is right, or nothing is read."""

import numpy as np
import pytest

from bridge.debater.barcode import CELLS, MODULUS, decode_barcode, encode_barcode


def picture_of(milliseconds: int, cell: int = 11, row: int = 10) -> np.ndarray:
    return np.repeat(np.repeat(encode_barcode(milliseconds), cell, axis=1), row, axis=0)


def scaled(luma: np.ndarray, width: int, height: int) -> np.ndarray:
    """Area-averaging resize, as a compositor does."""

    def weights(size: int, target: int) -> np.ndarray:
        edges = np.linspace(0, size, target + 1)
        cells = np.arange(size)
        overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
        return np.asarray(np.clip(overlap, 0, None) / (size / target))

    return np.asarray(weights(luma.shape[0], height) @ luma @ weights(luma.shape[1], width).T)


@pytest.mark.parametrize("value", [0, 1, 0x555555, 0xAAAAAA, MODULUS - 1])
def test_every_value_comes_back(value):
    assert decode_barcode(picture_of(value)) == value


def test_time_wraps_instead_of_failing():
    assert decode_barcode(picture_of(MODULUS + 7)) == 7


def test_random_values_survive_scaling_noise_and_low_contrast():
    rng = np.random.default_rng(5)
    for _ in range(200):
        value = int(rng.integers(MODULUS))
        width, height = int(rng.integers(96, 700)), int(rng.integers(6, 60))
        luma = scaled(picture_of(value), width, height) * 0.5 + 40
        luma = np.clip(luma + rng.normal(0, 10, luma.shape), 0, 255).astype(np.uint8)
        assert decode_barcode(luma) == value


def test_region_that_is_a_pixel_off_is_still_read():
    framed = np.pad(picture_of(123_456), 2, constant_values=21)
    height, width = framed.shape
    for shift in (-1, 0, 1):
        region = framed[2 : height - 2, 2 + shift : width - 2 + shift]
        assert decode_barcode(region) == 123_456


def test_noise_is_almost_never_taken_for_a_time():
    rng = np.random.default_rng(3)
    strips = rng.integers(0, 256, (3000, 2, CELLS))
    accepted = sum(decode_barcode(np.repeat(np.repeat(s, 4, 0), 4, 1)) is not None for s in strips)
    # CRC-8 lets 1 in 256 of those pass that have enough contrast in every cell.
    assert accepted < 3000 / 256 * 2


def test_grey_and_too_small_regions_are_refused():
    assert decode_barcode(np.full((20, 352), 128, np.uint8)) is None
    assert decode_barcode(np.zeros((1, 352), np.uint8)) is None
    assert decode_barcode(np.zeros((20, 31), np.uint8)) is None


def test_one_flipped_cell_is_refused():
    strip = encode_barcode(4_000_000)
    strip[:, 5] = strip[::-1, 5].copy()
    assert decode_barcode(np.repeat(np.repeat(strip, 8, axis=0), 8, axis=1)) is None
