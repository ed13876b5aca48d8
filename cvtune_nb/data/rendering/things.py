"""What the photos show: citrus fruit, a tennis ball and two white balls, and the neutral things beside them."""

from dataclasses import dataclass, field, replace

import numpy as np

from cvtune_nb.data.rendering import skins
from cvtune_nb.data.rendering.shapes import Shape
from cvtune_nb.data.rendering.tone import colour

SMALL_CLASS = "lime"


@dataclass(frozen=True)
class Thing:
    """One object: its shape, its skin map and how the skin takes light. Colours are linear light."""

    shape: Shape
    skin: np.ndarray
    base: np.ndarray
    tinted: np.ndarray
    marked: np.ndarray
    tint: float = 0.25
    bump: float = 1.0
    gloss: float = 0.3
    polish: int = 5
    """The highlight's exponent is 2 to the power of this."""
    depth: float = 0.1
    """How far light creeps around the edge under the skin."""
    fuzz: float = 0.0
    pose: str = field(default="any")
    """any, lying (z axis along the ground) or standing (z axis up)."""
    span: tuple[float, float] = (0.3, 0.7)
    """How wide the thing is in its photos, as a fraction of the short side: least and most."""
    shrink: float = 1.0
    """Size beside another thing, relative to that."""


@dataclass(frozen=True)
class Fruit:
    """A citrus fruit by numbers, so that one can also lie between two kinds. Colours are sRGB 0..255."""

    ripe: tuple[float, float, float]
    unripe: tuple[float, float, float]
    ripeness: tuple[float, float]
    """Mean and deviation; ripeness is cut to 0..1."""
    length: tuple[float, float]
    """Of the axis from stem to flower, relative to the width: mean and deviation."""
    tip: tuple[float, float]
    pores: int
    bump: float
    gloss: float


FRUIT = {
    "lemon": Fruit((243, 208, 58), (196, 190, 62), (0.82, 0.22), (1.22, 0.08), (0.17, 0.06), 2600, 0.8, 0.32),
    "lime": Fruit((192, 188, 70), (98, 130, 48), (0.30, 0.24), (1.12, 0.07), (0.10, 0.05), 3400, 0.6, 0.42),
    "orange": Fruit((240, 142, 34), (232, 160, 56), (0.75, 0.3), (0.97, 0.04), (-0.03, 0.02), 2600, 1.0, 0.34),
    "tangerine": Fruit((234, 112, 26), (236, 146, 44), (0.7, 0.3), (0.87, 0.05), (-0.07, 0.04), 3400, 0.7, 0.45),
}
CLASSES = ("golf ball", "lemon", "lime", "orange", "table tennis ball", "tangerine", "tennis ball")


def fruit(rng: np.random.Generator, kind: str, towards: str | None = None) -> Thing:
    """A fruit of one kind, or one half-way to another.

    Parameters
    ----------
    rng
        What is random comes from here.
    kind, towards
        Names in FRUIT; `towards` None: the kind alone.
    """
    kinds = [FRUIT[kind], FRUIT[towards or kind]]

    def mean(values: list) -> np.ndarray:
        return np.mean(np.array(values, dtype=float), axis=0)

    length, tip = (rng.normal(*mean([getattr(k, name) for k in kinds])) for name in ("length", "tip"))
    ripeness = np.clip(rng.normal(*mean([k.ripeness for k in kinds])), 0, 1)
    skin_colour = mean([k.ripe for k in kinds]) * ripeness + mean([k.unripe for k in kinds]) * (1 - ripeness)
    skin_colour = skin_colour + rng.normal(0, 6, 3)
    patch = skin_colour + (mean([k.unripe for k in kinds]) - skin_colour) * 0.6 + rng.normal(0, 8, 3)
    pores = kinds[0].pores
    return Thing(
        shape=Shape((1.0, rng.uniform(0.96, 1.04), length), tip, rng.uniform(0.3, 0.42)),
        skin=skins.peel(100 + 10 * int(rng.integers(2)) + pores, pores),
        base=colour(*skin_colour),
        tinted=colour(*patch),
        marked=colour(112, 104, 60),
        tint=rng.uniform(0.1, 0.35),
        bump=float(mean([k.bump for k in kinds])) * rng.uniform(0.7, 1.2),
        gloss=float(mean([k.gloss for k in kinds])) * rng.uniform(0.5, 1.3),
        polish=int(rng.integers(4, 6)),
        depth=0.16,
        pose="lying" if length > 1.05 else "any" if rng.random() < 0.6 else "standing",
    )


def tennis_ball(rng: np.random.Generator) -> Thing:
    """From bright and new to worn and grey."""
    wear = rng.beta(1.2, 2.5)
    body = np.array((208, 220, 62)) * (1 - wear) + np.array((168, 164, 92)) * wear + rng.normal(0, 6, 3)
    return Thing(
        shape=Shape(),
        skin=skins.felt(200 + 10 * int(rng.integers(2))),
        base=colour(*body),
        tinted=colour(*(body * 0.82)),
        marked=colour(*(np.array((226, 226, 212)) - 60 * wear)),
        tint=0.3,
        bump=rng.uniform(0.8, 1.3) * (1 - 0.5 * wear),
        gloss=0.0,
        depth=0.2,
        fuzz=rng.uniform(0.5, 1.0) * (1 - wear),
    )


def white_ball(rng: np.random.Generator, dimpled: bool) -> Thing:
    """Dimples apart, both kinds are drawn from the same distribution, sizes included."""
    shade = rng.uniform(222, 246) + np.array((0, -1, -1)) * rng.uniform(0, 10)
    print_colour = [(34, 36, 44), (30, 62, 148), (180, 36, 40), (26, 110, 72)][rng.integers(4)]
    return Thing(
        shape=Shape(),
        skin=skins.white_ball(300 + int(rng.integers(4)), dimpled),
        base=colour(*shade),
        tinted=colour(*(shade * 0.93)),
        marked=colour(*print_colour),
        tint=0.2,
        bump=rng.uniform(0.35, 0.8),
        gloss=rng.uniform(0.0, 0.15),
        polish=4,
        depth=0.15,
        span=(0.22, 0.38),
    )


def thing_of(rng: np.random.Generator, label: str) -> Thing:
    """One object of a class."""
    if label in FRUIT:
        return fruit(rng, label)
    return tennis_ball(rng) if label == "tennis ball" else white_ball(rng, label == "golf ball")


def neutral(rng: np.random.Generator) -> Thing:
    """Something that is none of the classes."""
    tone = rng.uniform(40, 190) + rng.normal(0, 10, 3)
    plain = Thing(Shape(), skins.stone(400, 1.0), colour(*tone), colour(*(tone * 0.75)), colour(0, 0, 0), gloss=0.1)
    kind = rng.choice(["pebble", "block", "box", "tin", "cup"])
    if kind == "pebble":
        return replace(
            plain,
            shape=Shape((1.0, rng.uniform(0.6, 0.95), rng.uniform(0.45, 0.7))),
            bump=1.5,
            pose="standing",
            shrink=rng.uniform(0.4, 0.8),
        )
    if kind in ("block", "box"):
        wood = colour(*(np.array((196, 152, 102)) * rng.uniform(0.6, 1.1))) if kind == "block" else plain.base
        sizes = (1.0, rng.uniform(0.5, 1.0), rng.uniform(0.35, 0.8))
        return replace(
            plain,
            shape=Shape(sizes, kind="block"),
            skin=skins.stone(410, 0.15),
            base=wood,
            tinted=wood * np.float32(0.75),
            bump=0.15,
            pose="standing",
            shrink=rng.uniform(0.5, 0.9),
        )
    vivid = tone + rng.normal(0, 22, 3)
    height = rng.uniform(0.5, 1.2)
    return replace(
        plain,
        shape=Shape((0.75, 0.75, height), kind="tin"),
        base=colour(*vivid),
        tinted=colour(*(vivid * 0.9)),
        bump=0.0,
        gloss=0.6 if kind == "tin" else 0.25,
        polish=6,
        pose="standing",
        shrink=rng.uniform(0.7, 1.0),
    )
