"""Training in float16, which GPUs without bfloat16 do: on a processor it is as exact, only slow."""

from dataclasses import replace

from cvtune_nb.classification import cost, fit
from cvtune_nb.errors import Stopped
from cvtune_nb.models import networks
from cvtune_nb.parameters import Config
from tests.classification.conftest import outcome


def test_a_run_in_float16_learns_and_goes_on_as_if_nothing_had_been(workspace, config, monkeypatch):
    def stop(run):
        if run.history["epoch"].max() == 1:
            raise Stopped

    asked, whole = set(), networks.mixed_precision
    monkeypatch.setattr(networks, "mixed_precision", lambda *given: asked.add(given[1:]) or whole(*given))
    config = replace(config, precision="float16")
    unbroken, stopped = fit(workspace, config), fit(workspace, config, on_epoch=stop)
    assert (unbroken.state, stopped.state) == ("done", "stopped")
    assert asked == {("float16",), ()}, "it trains in float16, and is measured as ever"
    assert outcome(fit(workspace, run=stopped.id)) == outcome(unbroken)
    assert unbroken.train.value > 0.8


def test_a_speed_is_that_of_the_numbers_it_was_measured_with(workspace, config):
    kinds = {cost.speed(workspace, replace(config, precision=name)).kind for name in ("auto", "float16", "float32")}
    assert len(kinds) == 3 and cost.speed(workspace, config).kind == cost.speed(workspace, Config(**vars(config))).kind
