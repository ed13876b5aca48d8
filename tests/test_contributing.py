"""CONTRIBUTING.md's recipes work as they stand there, and touch only the files they name."""

import pytest

from tests.newcomer import CHECKOUT, carry_out, copy_to, recipes

RECIPES = recipes((CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_the_recipe_works(recipe, tmp_path):
    copy_to(tmp_path)
    carry_out(recipe, tmp_path)


def test_there_are_eight_short_recipes():
    assert len(RECIPES) == 8
    for recipe in RECIPES:
        assert recipe.works and recipe.checks, recipe.title
        assert len(recipe.files) <= 3 and 5 <= recipe.lines <= 15, recipe.title
