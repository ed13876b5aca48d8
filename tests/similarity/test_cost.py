from cvtune_nb import similarity
from cvtune_nb.classification.features import network_speed
from cvtune_nb.similarity.cost import FIRST_GUESS


def test_what_is_in_the_cache_costs_nothing(workspace):
    cost = similarity.estimate_cost(workspace, similarity.find_embedder(workspace, "efficientnet_lite0@64"))
    assert (cost.photos, cost.seconds) == (0, 0)


def test_the_rest_is_estimated_by_the_speed_of_this_machine(workspace):
    embedder = similarity.find_embedder(workspace, "efficientnet_lite0@96")
    photos = workspace.photos()
    assert similarity.estimate_cost(workspace, embedder).seconds == len(photos) / FIRST_GUESS
    similarity.embed(workspace, photos.head(40), embedder)
    left = len(photos) - 40
    speed = network_speed(workspace, embedder.spec)
    assert similarity.estimate_cost(workspace, embedder).seconds == left / speed
