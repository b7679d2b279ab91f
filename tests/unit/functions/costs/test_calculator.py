"""Prices and the bill made of them: tiers, Regions, what has no price, and how each line reads."""

import json
from datetime import date
from pathlib import Path

import pytest

from whosthere.costs import prices as prices_module
from whosthere.costs.calculator import added, cost_of, dollars_text, line_rows, sum_text
from whosthere.costs.prices import NOT_PUBLISHED, PUBLISHED, SECONDARY, price_table

ROOT = Path(__file__).parents[4]
HOME = price_table("us-east-1")


def test_every_price_names_its_source_its_date_and_how_sure_it_is():
    for price in HOME.prices.values():
        assert price.what and price.unit and price.source, price.id
        assert price.sure in (PUBLISHED, SECONDARY, NOT_PUBLISHED), price.id
        assert (price.dollars is None) == (price.sure == NOT_PUBLISHED), price.id
        assert price.date == "undated" or date.fromisoformat(price.date), price.id


def test_no_other_file_of_the_code_has_a_price():
    found = json.loads((Path(prices_module.__file__).parent / "prices.json").read_text())
    figures = {str(found["prices"][name]["dollars"]) for name in ("face-search", "video-in")}
    for folder in ("functions", "cli"):
        for path in (ROOT / folder).rglob("*.py"):
            words = path.read_text().replace("(", " ").replace(",", " ").split()
            assert not figures & set(words), path


def test_a_million_images_have_the_first_price_and_the_next_ones_the_second():
    # 1,000,000 x 0.001 + 500,000 x 0.0008 = 1,000 + 400
    assert HOME["detect-faces"].of(1_500_000) == pytest.approx(1400)
    # 1,000 + 4,000,000 x 0.0008 + 30,000,000 x 0.0006 + 1,000,000 x 0.0006
    assert HOME["detect-faces"].of(36_000_000) == pytest.approx(1000 + 3200 + 18_000 + 600)


def test_a_region_has_its_own_price_where_a_source_tells_one():
    assert price_table("eu-central-1")["search-faces"].of(1000) == pytest.approx(1.2)
    assert price_table("eu-west-1")["search-faces"].of(1000) == pytest.approx(1.0)


def test_the_price_of_another_region_is_no_sure_one():
    shard = price_table("eu-central-1")["shard"]
    assert (shard.dollars, shard.sure) == (HOME["shard"].dollars, SECONDARY)
    assert price_table("eu-central-1").foreign == "us-east-1" and not HOME.foreign


def test_what_has_no_price_is_in_no_sum_and_the_sum_says_so():
    cost = cost_of({"detect-faces": 2000, "image-generation": 2000}, HOME)
    assert cost.dollars == pytest.approx(2.0)
    assert sum_text(cost) == "$2.00 (without: image generation, GetImages)"
    assert line_rows(cost) == [
        ("DetectFaces", "2,000 images", "$2.00"),
        ("image generation, GetImages", "2,000 images", "price not published"),
    ]


def test_a_price_that_is_not_aws_own_is_marked():
    (row,) = line_rows(cost_of({"face-search": 90}, HOME))
    assert row == ("face search of a stream", "90 minutes", "$10.80?")


def test_what_was_not_used_has_no_line():
    assert cost_of({"shard": 0}, HOME).lines == ()
    assert sum_text(cost_of({}, HOME)) == "$0.00"


def test_a_price_that_does_not_exist_is_a_mistake_of_the_caller():
    with pytest.raises(KeyError):
        cost_of({"gold": 1}, HOME)


def test_usages_add_up():
    assert added([{"shard": 1, "topic": 2}, {"shard": 3}]) == {"shard": 4, "topic": 2}


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(0, "$0.00"), (0.004, "less than $0.01"), (0.005, "$0.01"), (5206.674, "$5,206.67")],
)
def test_amounts_are_told_to_the_cent(dollars, text):
    assert dollars_text(dollars) == text
