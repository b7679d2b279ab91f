"""The table of prices: what one unit costs on AWS, by whom that is said, and how sure it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PUBLISHED, SECONDARY, NOT_PUBLISHED = "published", "secondary", "not published"


@dataclass(frozen=True, slots=True)
class Price:
    """Price of a unit in dollars, None if no source tells it.

    `tiers` are pairs of a monthly quantity and the price of a unit up to it.
    """

    id: str
    what: str
    unit: str
    dollars: float | None
    sure: str
    source: str
    date: str
    tiers: tuple[tuple[float, float], ...] = ()

    def of(self, quantity: float) -> float | None:
        """Return what that quantity costs in dollars, in a month."""
        if self.dollars is None:
            return None
        cost, reached = 0.0, 0.0
        for bound, dollars in self.tiers:
            part = max(0.0, min(quantity, bound) - reached)
            cost, reached = cost + part * dollars, reached + part
        # No source tells a price beyond the last tier: that one's is the highest it can be.
        rest = self.tiers[-1][1] if self.tiers else self.dollars
        return cost + (quantity - reached) * rest


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by their ids, in the order in which they are shown.

    `foreign` is the Region whose prices stand in where no source tells those of `region`; it is
    empty if that is the same.
    """

    region: str
    prices: Mapping[str, Price]
    foreign: str = ""

    def __getitem__(self, price_id: str) -> Price:
        """Return the price of that id."""
        return self.prices[price_id]


@cache
def price_table(region: str) -> PriceTable:
    """Return the prices of a Region."""
    found = json.loads((Path(__file__).parent / "prices.json").read_text())
    home = found["region"]
    prices = {name: _price(name, one, region, home) for name, one in found["prices"].items()}
    return PriceTable(region, prices, "" if region == home else home)


def home_prices() -> PriceTable:
    """Return the prices of the Region that most sources tell."""
    return price_table("us-east-1")


def _price(name: str, one: Mapping[str, Any], region: str, home: str) -> Price:
    regional = one.get("regions", {}).get(region)
    tiers = () if regional else tuple((bound, dollars) for bound, dollars in one.get("tiers", ()))
    # The price of another Region is a guess at this one's.
    is_told = region == home or one["dollars"] is None
    return Price(
        name,
        one["what"],
        one["unit"],
        regional or one["dollars"],
        one["sure"] if is_told else SECONDARY,
        one["source"],
        one["date"],
        tiers,
    )
