"""The parameters that suit a network: what a person has not chosen is what is recommended for it."""

from collections.abc import Mapping
from typing import Any

from cvtune_nb.models import backbones, sizes
from cvtune_nb.parameters import PARAMETERS, Config


def recommended(backbone: str, **given: Any) -> Config:
    """The parameters of a run.

    Parameters
    ----------
    backbone
        The network; "": the one to start with.
    given
        Parameters that a person has chosen; None: not chosen. All others are what is recommended for the network.

    Raises
    ------
    InputError
        For a value that a parameter may not have, or a name that is no parameter.
    """
    name = backbone or backbones.default()[0]
    chosen = {key: value for key, value in given.items() if value is not None}
    size = {} if "image_size" in chosen else {"image_size": sizes.default(name)}
    return Config.from_values(**{"backbone": name, **size, **backbones.recipe(name), **chosen})


def switched(config: Config, backbone: str) -> Config:
    """`config` for another backbone: what was recommended for the old one becomes what is recommended for the new.

    A learning rate that was halved with the minibatch stays so. Values that a person has changed stay; so does a typed
    schedule, with its rates and epochs.
    """
    plain = (recommended(config.backbone), recommended(backbone))
    pairs = [[one.to_dict() for one in plain], [_with_minibatch(one, config.batch_size) for one in plain]]
    # a file of weights is of one network
    values = {**config.to_dict(), "weights": config.weights if backbone == config.backbone else ""}
    return Config.from_values(
        **{
            name: next((after[name] for before, after in pairs if value == before[name]), value)
            for name, value in values.items()
        }
    )


def _with_minibatch(config: Config, batch_size: int) -> dict[str, Any]:
    """The parameters of `config`, its learning rate as low as it gets where the minibatch is halved to `batch_size`."""
    while config.batch_size > batch_size:
        config = config.halved()
    return config.to_dict()


def changes(config: Config, backbone: str) -> dict[str, Any]:
    """The parameters to change in `config` for another backbone, that one first."""
    new = switched(config, backbone).to_dict()
    return {"backbone": backbone} | {name: new[name] for name, value in config.to_dict().items() if value != new[name]}


def of_network(config: Config) -> dict[str, Any]:
    """The parameters of `config` whose recommended values differ from network to network."""
    return {name: value for name, value in config.to_dict().items() if PARAMETERS[name].by_network}


def in_words(values: Mapping[str, Any]) -> str:
    """Parameters and their values, for example "learning rate 5e-05, layer decay 0.8"."""
    return ", ".join(f"{PARAMETERS[name].label_in_words} {value:g}" for name, value in values.items())
