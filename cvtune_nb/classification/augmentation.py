"""Varying the training photos, a whole minibatch at a time."""

import torch

from cvtune_nb.parameters import Config


def augmented(squares: torch.Tensor, config: Config) -> torch.Tensor:
    """Random variations of uint8 photos (n, side, side, 3), as (n, image_size, image_size, 3): "crop" takes each
    from a random place of its square, "crop-flip" also mirrors half of them, "none" takes the middle.

    Draws from torch's global generator, which the loop seeds every epoch.
    """
    size, most = config.image_size, squares.shape[1] - config.image_size
    if config.augmentation == "none":
        return squares[:, most // 2 : most // 2 + size, most // 2 : most // 2 + size]
    n = len(squares)
    span = torch.arange(size)
    rows = torch.randint(most + 1, (n, 1)) + span
    columns = torch.randint(most + 1, (n, 1)) + span
    if config.augmentation == "crop-flip":
        columns = torch.where(torch.rand(n, 1) < 0.5, columns.flip(1), columns)
    index = torch.arange(n)[:, None, None].to(squares.device)
    return squares[index, rows[:, :, None].to(squares.device), columns[:, None, :].to(squares.device)]
