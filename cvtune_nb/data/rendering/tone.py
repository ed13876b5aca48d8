"""From stored bytes to amounts of light and back, by tables."""

import numpy as np

_BRIGHTEST = 4.0
_STEPS = 8192


def _decode_table() -> np.ndarray:
    stored = np.arange(256) / 255
    return np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _encode_table() -> np.ndarray:
    """A table of sRGB with a soft shoulder: light up to .6 is kept, brighter light is bent towards 1 as a camera does.

    The steps are spaced by the square root of light, so that the shadows have enough of them.
    """
    light = np.linspace(0, 1, _STEPS) ** 2 * _BRIGHTEST
    light = np.where(light > 0.6, 0.6 + 0.4 * (1 - np.exp(-(light - 0.6) / 0.4)), light)
    stored = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(stored * 255).astype(np.uint8)


_DECODE, _ENCODE = _decode_table(), _encode_table()


def to_light(pixels: np.ndarray) -> np.ndarray:
    """Linear light 0..1, float32, of sRGB bytes."""
    return _DECODE[pixels]


def to_stored(light: np.ndarray) -> np.ndarray:
    """Linear light as sRGB bytes."""
    steps = np.sqrt(np.clip(light * np.float32(1 / _BRIGHTEST), 0, 1)) * np.float32(_STEPS - 1)
    return _ENCODE.take(steps.astype(np.int64))


def colour(red: float, green: float, blue: float) -> np.ndarray:
    """Linear light of one sRGB colour.

    Parameters
    ----------
    red, green, blue
        0..255.
    """
    return _DECODE[np.clip([red, green, blue], 0, 255).astype(np.uint8)]
