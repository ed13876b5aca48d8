"""One photo: a ground, a backdrop, things under one light, and the camera."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from cvtune_nb.data.rendering import surfaces
from cvtune_nb.data.rendering.backdrops import backdrop
from cvtune_nb.data.rendering.noise import tile_noise
from cvtune_nb.data.rendering.shading import Light, Placed, appearance, ground_light
from cvtune_nb.data.rendering.things import Thing, neutral
from cvtune_nb.data.rendering.tone import to_light, to_stored

FAULTS = ("dark", "over_exposed", "blurry")
HIDDEN = 0.3
"""Of a thing of which no more than this fraction is to be seen there is no box."""
Box = tuple[int, int, int, int]
_OUTDOORS = ("lawn", "straw", "sand", "pebbles", "gravel", "concrete")


@cache
def _grain() -> np.ndarray:
    """The noise of a sensor, (700, 700, 3); each photo takes its own cut of it."""
    return np.stack([np.round(tile_noise(700, 0.55, seed), 3) for seed in (81, 82, 83)], axis=-1).astype(np.float32)


@cache
def _dapple() -> np.ndarray:
    return np.round(tile_noise(256, 9, 84), 4).astype(np.float32)


@dataclass(frozen=True)
class View:
    """A camera that looks down at the ground; the origin of the ground is seen at `centre`."""

    width: int
    height: int
    centre: tuple[float, float]
    sine: float
    """Of the angle between line of sight and ground: 1 looks straight down."""
    cosine: float
    focal: float
    """Focal length in pixels, which is also the distance to the origin: there a ground unit is a pixel."""

    @property
    def up(self) -> np.ndarray:
        """Unit vector that stands on the ground, in camera space: x right, y up, z towards the camera."""
        return np.array((0.0, self.cosine, self.sine))

    def place(self, across: float, away: float) -> tuple[float, float, float]:
        """Pixel (x, y) and magnification of a ground point `across` to the right and `away` from the camera."""
        scale = self.focal / (self.focal + away * self.cosine)
        return self.centre[0] + across * scale, self.centre[1] - away * self.sine * scale, scale

    def row_of(self, away: float) -> float:
        """Pixel row of the ground `away` from the origin."""
        return self.place(0, away)[1]


def make_photo(rng: np.random.Generator, subjects: list[Thing], fault: str = "", small: bool = False) -> Image.Image:
    """A photo of `subjects` among neutral things.

    Parameters
    ----------
    rng
        Decides all that is not given.
    subjects
        One or two things.
    fault
        One of FAULTS, or "".
    small
        Whether the subject takes under a fifth of width and height.

    Returns
    -------
    Image
        RGB, both sides 400 to 540 pixels.
    """
    return _photo(rng, lambda view: _arrange(rng, view, subjects, small), fault)[0]


def make_scene(rng: np.random.Generator, subjects: list[Thing]) -> tuple[Image.Image, list[Box | None]]:
    """A photo of many small `subjects`, and the box of what is to be seen of each.

    Boxes are (left, top, right, bottom) in pixels; None for a subject that lies outside, or of which others hide all
    but HIDDEN.
    """
    photo, boxes = _photo(rng, lambda view: _scatter(rng, view, subjects), "")
    return photo, boxes[: len(subjects)]


def _photo(
    rng: np.random.Generator, arrange: Callable[[View], list[Placed]], fault: str
) -> tuple[Image.Image, list[Box | None]]:
    """A photo, and the box of each thing that `arrange` places in it."""
    view = _view(rng)
    ground_name = str(rng.choice(surfaces.NAMES))
    ground = _ground(rng, view, ground_name)
    light = _light(rng, view, ground)
    things = arrange(view)

    ground = _with_depth_of_field(rng, view, ground, ground_name in _OUTDOORS)
    frame = to_light(_channels_first(ground))
    step = 3
    reaching = Image.fromarray(ground_light(things, light, (view.width, view.height), step))
    reaching = np.asarray(reaching.resize((reaching.width * step, reaching.height * step), Image.Resampling.BILINEAR))
    full = light.key * np.float32(max(float((light.towards * light.up).sum()), 0.15)) + light.sky
    frame *= reaching[: view.height, : view.width]
    frame *= full[:, None, None]

    owner = np.full((view.height, view.width), -1)
    whole = np.zeros(len(things))
    order = np.argsort([placed.y + placed.lift * placed.radius * view.cosine for placed in things], kind="stable")
    for number in order:
        placed = things[number]
        seen = appearance(placed, light, (view.width, view.height), rng)
        if seen:
            rows, columns, shade, cover = seen
            owner[rows, columns][cover > 0.5] = number
            whole[number] = (cover > 0.5).sum()
            if placed.blur > 0.6:
                sides = (0, placed.blur, placed.blur)
                *shade, cover = ndimage.gaussian_filter(np.concatenate([shade * cover, cover[None]]), sides, truncate=2)
                frame[:, rows, columns] += np.stack(shade) - frame[:, rows, columns] * cover
            else:
                frame[:, rows, columns] += (shade - frame[:, rows, columns]) * cover
    if ground_name in surfaces.SOFT:
        frame = _blades_in_front(rng, frame, things, light)
    return _camera(rng, frame, fault), [_box(owner == number, area) for number, area in enumerate(whole)]


def _box(seen: np.ndarray, area: float) -> Box | None:
    """Round the pixels (height, width) that show a thing which covers `area` of them where nothing is before it."""
    if seen.sum() <= HIDDEN * area:
        return None
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _view(rng: np.random.Generator) -> View:
    long = int(rng.integers(410, 541))
    short = max(400, int(long / rng.choice([1.0, 1.15, 4 / 3, 4 / 3, 1.5])))
    width, height = (long, short) if rng.random() < 0.7 else (short, long)
    angle = np.deg2rad(rng.uniform(14, 48) if rng.random() < 0.68 else rng.uniform(48, 84))
    centre = width * rng.uniform(0.4, 0.6), height * rng.uniform(0.48, 0.62)
    return View(
        width,
        height,
        centre,
        float(np.round(np.sin(angle), 9)),
        float(np.round(np.cos(angle), 9)),
        long * rng.uniform(1.3, 2.2),
    )


def _ground(rng: np.random.Generator, view: View, name: str) -> Image.Image:
    """The ground as the camera sees it, all sharp."""
    tile = surfaces.surface(name)
    turn = rng.uniform(0, 2 * np.pi)
    fine = rng.uniform(0.75, 1.35)
    cos, sin = float(np.round(np.cos(turn), 9)) * fine, float(np.round(np.sin(turn), 9)) * fine
    middle = surfaces.SIDE + rng.uniform(-60, 60, 2)
    (cx, cy), f, s, c = view.centre, view.focal, view.sine, view.cosine
    # ground across = f s (x - cx) / w, away = f (cy - y) / w with w = f s - c (cy - y); then turned into the tile
    w0 = f * s - c * cy
    across, away = (f * s, 0.0, -f * s * cx), (0.0, -f, f * cy)
    rows = [
        [cos * a - sin * b for a, b in zip(across, away, strict=True)],
        [sin * a + cos * b for a, b in zip(across, away, strict=True)],
    ]
    weight = np.array((0.0, c, w0))
    coefficients = [*((np.array(row) + m * weight) / w0 for row, m in zip(rows, middle, strict=True)), weight / w0]
    flat = [float(v) for v in np.concatenate(coefficients)][:8]
    seen = tile.transform(
        (view.width, view.height),
        Image.Transform.PERSPECTIVE,
        flat,
        Image.Resampling.BILINEAR,
        fillcolor=tuple(_mean_colour(tile).tolist()),
    )
    if name in surfaces.DYED and rng.random() < 0.7:
        dye = np.clip(rng.uniform(0.35, 1.0) + rng.normal(0, 0.12, 3), 0.12, 1.05)
        seen = seen.point([int(min(255, v * d)) for d in dye for v in range(256)])
    gain = rng.uniform(0.75, 1.1)
    return seen.point([int(min(255, v * gain)) for _ in range(3) for v in range(256)])


def _with_depth_of_field(rng: np.random.Generator, view: View, ground: Image.Image, outdoors: bool) -> Image.Image:
    """Ground and backdrop, the more out of focus the farther they are from the subject."""
    strength = rng.uniform(1.5, 6) * view.cosine
    rows = np.arange(view.height)
    nearness = np.abs(rows - view.row_of(0)) / view.height / max(view.sine, 0.25)
    far, near = (np.clip((nearness - start) / 0.25, 0, 1) * 255 for start in (0.42, 0.18))
    blurred = ground.reduce(2).filter(ImageFilter.BoxBlur(strength * 0.35))
    blurred.paste(blurred.filter(ImageFilter.BoxBlur(strength * 0.6)), mask=_rows_mask(far[::2], blurred.size))
    ground.paste(blurred.resize(ground.size, Image.Resampling.BILINEAR), mask=_rows_mask(near, ground.size))
    edge = view.row_of(rng.uniform(0.45, 0.85) * surfaces.SIDE)
    if edge <= 2:
        return ground
    behind = backdrop(rng, (view.width, view.height), outdoors)
    slant = rng.uniform(-0.04, 0.04)
    line = edge + slant * (np.arange(view.width) - view.width / 2)
    blur = 3.0 + 2.5 * strength
    share = np.clip((line[None, :] - rows[:, None]) / blur + 0.5, 0, 1) * 255
    return Image.composite(behind, ground, Image.fromarray(share.astype(np.uint8)))


def _rows_mask(share: np.ndarray, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.repeat(share.astype(np.uint8)[:, None], size[0], axis=1))


def _mean_colour(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture)[::16, ::16].reshape(-1, 3).astype(np.int64).mean(axis=0).astype(np.uint8)


def _light(rng: np.random.Generator, view: View, ground: Image.Image) -> Light:
    kind = rng.choice(["window", "sun", "lamp", "overcast", "flash"], p=[0.34, 0.22, 0.2, 0.16, 0.08])
    softness = {
        "window": rng.uniform(0.3, 0.6),
        "sun": rng.uniform(0.04, 0.1),
        "lamp": rng.uniform(0.1, 0.3),
        "overcast": rng.uniform(0.6, 0.9),
        "flash": 0.08,
    }[str(kind)]
    key_share = {"window": 0.6, "sun": 0.78, "lamp": 0.72, "overcast": 0.3, "flash": 0.8}[str(kind)]
    warmth = {
        "window": rng.normal(0.0, 0.08),
        "sun": rng.normal(0.05, 0.06),
        "lamp": rng.normal(0.26, 0.12),
        "overcast": rng.normal(-0.06, 0.05),
        "flash": 0.0,
    }[str(kind)]
    if kind == "flash":
        towards = np.array((rng.normal(0, 0.1), 0.25, 1.0))
    else:
        steep = rng.uniform(0.45, 1.6)
        side = rng.uniform(0, 2 * np.pi)
        across, away = np.round(np.cos(side), 9), np.round(np.sin(side), 9) * 0.8
        towards = np.array((across, away * view.sine, -away * view.cosine)) + view.up * steep
    towards = towards / np.sqrt((towards**2).sum())
    tint = np.array((1 + warmth, 1.0, 1 - 1.3 * warmth + rng.normal(0, 0.03)))
    sky_tint = np.array((1 - 0.2 * warmth, 1.0, 1 + 0.4 * warmth))
    mean = to_light(_mean_colour(ground))
    key, sky = tint * key_share * 1.25, sky_tint * (1 - key_share) * 1.1
    bounce = mean * (key * 0.5 + sky * 0.5)
    key, sky, bounce = (np.asarray(v, dtype=np.float32) for v in (key, sky, bounce))
    return Light(towards, view.up, key, sky, bounce, float(softness))


def _arrange(rng: np.random.Generator, view: View, subjects: list[Thing], small: bool) -> list[Placed]:
    """The subjects around the origin of the ground and neutral things around them."""
    short = min(view.width, view.height)
    share = rng.uniform(0.1, 0.17) if small else rng.uniform(*subjects[0].span)
    radius = share * short / 2
    if small:
        spots = [(rng.uniform(-0.2, 0.2) * view.width, rng.uniform(-0.15, 0.15) * view.height)]
        radius /= max(1.0, max(subjects[0].shape.axes) + max(subjects[0].shape.tip, 0))
    elif len(subjects) == 1:
        spots = [(rng.uniform(-0.08, 0.08) * view.width, 0.0)]
    else:
        radius = min(radius, 0.2 * short)
        spots = [(-1.05 * radius, rng.uniform(-0.5, 0.5) * radius), (1.05 * radius, rng.uniform(-0.5, 0.5) * radius)]
    placed = []
    for thing, (across, away) in zip(subjects, spots, strict=True):
        placed.append(_stand(rng, view, thing, across, away, radius))
    first = placed[0]
    for _ in range(rng.choice([0, 1, 2, 3], p=[0.3, 0.32, 0.25, 0.13])):
        thing = neutral(rng)
        size = (short * 0.16 if small else first.radius) * thing.shrink * rng.uniform(0.7, 1.2)
        side = rng.uniform(0, 2 * np.pi) if rng.random() < 0.65 else rng.uniform(3.6, 5.8)
        distance = (first.radius * first.reach + size * 1.25) * rng.uniform(0.92, 2.0)
        across = spots[0][0] + distance * float(np.round(np.cos(side), 9))
        away = spots[0][1] + distance * float(np.round(np.sin(side), 9))
        if all((across - x) ** 2 + (away - y) ** 2 > (0.9 * distance) ** 2 for x, y in spots):
            spots.append((across, away))
            placed.append(_stand(rng, view, thing, across, away, size))
    return placed


def _scatter(rng: np.random.Generator, view: View, subjects: list[Thing]) -> list[Placed]:
    """The subjects all over the ground, small, and up to three neutral things between them.

    One neutral thing at least, if there is nothing else.
    """
    short = min(view.width, view.height)
    things = [*subjects, *(neutral(rng) for _ in range(rng.integers(0 if subjects else 1, 4)))]
    placed, spots = [], []
    for thing in things:
        radius = rng.uniform(0.055, 0.11) * short / 2 * (1.0 if len(placed) < len(subjects) else 1.5 * thing.shrink)
        x = y = 0.0
        for _ in range(30):  # at the last try it may cover another one
            x, y = rng.uniform(-0.45, 0.45) * view.width, rng.uniform(-0.35, 0.45) * view.height
            if all((x - a) ** 2 + (y - b) ** 2 > (1.1 * (radius + c)) ** 2 for a, b, c in spots):
                break
        spots.append((x, y, radius))
        placed.append(_stand(rng, view, thing, x, y, radius))
    return placed


def _stand(rng: np.random.Generator, view: View, thing: Thing, across: float, away: float, size: float) -> Placed:
    """Put a thing on the ground so that it touches it."""
    turn = _turn(rng, thing.pose, view.up)
    hull = thing.shape.hull()
    points = np.asarray(sum(turn[:, k : k + 1] * hull[k] for k in range(3)))
    lift = -float((points * view.up[:, None]).sum(axis=0).min())
    reach = float(np.sqrt((points**2).sum(axis=0)).max()) * 1.02
    x, y, scale = view.place(across, away)
    radius = size * scale
    out_of_focus = abs(away) / min(view.width, view.height) * view.cosine * 9 - 0.8
    # the origin of the ground is where the camera aims: the subject's middle should be there, not its foot
    return Placed(
        thing,
        turn,
        x,
        y - lift * radius * view.cosine * 0.5 + 0.25 * radius,
        radius,
        lift,
        reach,
        max(0.0, out_of_focus),
    )


def _turn(rng: np.random.Generator, pose: str, up: np.ndarray) -> np.ndarray:
    """A rotation (columns: the thing's axes) in which the thing lies, stands or has come to rest anyhow."""
    aim = rng.standard_normal(3)
    if pose == "standing":
        aim = up * rng.choice([1.0, 1.0, -1.0]) + rng.normal(0, 0.03, 3)
    elif pose == "lying":
        aim = aim - up * (aim * up).sum() + up * rng.normal(0, 0.12)
    axis = aim / np.sqrt((aim**2).sum())
    other = rng.standard_normal(3)
    other = other - axis * (other * axis).sum()
    other = other / np.sqrt((other**2).sum())
    third = np.array(
        [
            axis[1] * other[2] - axis[2] * other[1],
            axis[2] * other[0] - axis[0] * other[2],
            axis[0] * other[1] - axis[1] * other[0],
        ]
    )
    return np.stack([other, third, axis], axis=1)


def _blades_in_front(rng: np.random.Generator, frame: np.ndarray, things: list[Placed], light: Light) -> np.ndarray:
    """Blades of grass between the camera and the foot of each thing."""
    size = frame.shape[2], frame.shape[1]
    ink, mask = Image.new("RGB", size), Image.new("L", size)
    on_ink, on_mask = ImageDraw.Draw(ink), ImageDraw.Draw(mask)
    dry = rng.random() < 0.3
    for placed in things:
        foot = placed.y + placed.radius * 0.9
        for _ in range(int(30 + placed.radius * 0.5)):
            x, y = placed.x + rng.normal(0, 0.6) * placed.radius, foot + rng.uniform(-0.1, 0.3) * placed.radius
            lean, rise = rng.normal(0, 0.2) * placed.radius, rng.uniform(0.15, 0.5) * placed.radius
            blade = [(x, y), (x + lean * 0.3, y - rise * 0.6), (x + lean, y - rise)]
            tone = np.array((170, 140, 84) if dry else (92, 130, 46)) * rng.uniform(0.4, 1.15) + rng.normal(0, 8, 3)
            thick = int(rng.integers(1, 4))
            on_ink.line(blade, tuple(int(v) for v in np.clip(tone, 0, 255)), thick + 2)
            on_mask.line(blade, 255, thick)
    cover = np.asarray(mask.filter(ImageFilter.GaussianBlur(0.6))).astype(np.float32) / np.float32(255)
    blades = to_light(_channels_first(ink)) * (light.sky + light.key * np.float32(0.6))[:, None, None]
    return frame + (blades - frame) * cover


def _camera(rng: np.random.Generator, frame: np.ndarray, fault: str) -> Image.Image:
    """Uneven light, exposure, focus, tone and the noise of the sensor."""
    height, width = frame.shape[1:]
    frame *= _falloff(rng, width, height)
    level = int((np.clip(frame[1, ::6, ::6], 0, 2) * 4096).astype(np.int64).mean() * 16) / 65536
    target = 0.2 * (level / 0.2) ** 0.45
    exposure = target / max(level, 0.004) * rng.uniform(0.72, 1.3)
    exposure *= {"dark": rng.uniform(0.025, 0.05), "over_exposed": rng.uniform(13, 18)}.get(fault, 1.0)
    balance = np.exp(rng.normal(0, 0.05, 3)) * exposure
    frame *= np.round(balance, 6).astype(np.float32)[:, None, None]
    stored = np.ascontiguousarray(to_stored(frame).transpose(1, 2, 0))
    blur = rng.uniform(5, 8) if fault == "blurry" else rng.uniform(0.1, 0.75)
    lens = ImageFilter.GaussianBlur(blur) if fault == "blurry" else ImageFilter.BoxBlur(blur)
    picture = Image.fromarray(stored).filter(lens)
    strength = np.float32(rng.uniform(1.2, 5.0))
    x, y = rng.integers(0, 700 - 600, 2)
    grain = _grain()[y : y + height, x : x + width]
    if rng.random() < 0.5:
        grain = grain[::-1, ::-1]
    noisy = grain * strength
    noisy += np.asarray(picture)
    noisy += np.float32(0.5)
    return Image.fromarray(np.clip(noisy, 0, 255, out=noisy).astype(np.uint8))


def _falloff(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Fraction of light at each pixel, (height, width): a pool of light, at times shadows of leaves, dark corners."""
    x, y = np.meshgrid(np.linspace(-1, 1, 40, dtype=np.float32), np.linspace(-1, 1, 40, dtype=np.float32))
    slope = rng.uniform(-0.35, 0.35, 2).astype(np.float32)
    share = (1 + slope[0] * x + slope[1] * y) * (1 - np.float32(rng.uniform(0, 0.25)) * (x * x + y * y))
    if rng.random() < 0.22:
        a, b = rng.integers(0, 256 - 40, 2)
        share = share * np.clip(np.float32(0.75) + np.float32(0.5) * _dapple()[a : a + 40, b : b + 40], 0.35, 1.05)
    share = np.asarray(Image.fromarray(share).resize((width, height), Image.Resampling.BILINEAR))
    return np.maximum(share, np.float32(0.1))


def _channels_first(picture: Image.Image) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
