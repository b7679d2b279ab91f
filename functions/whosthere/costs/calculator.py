"""Usage times prices: the lines of a bill and their sum."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from whosthere.costs.prices import PUBLISHED, Price, PriceTable

# Quantities by the id of their price; quantities of a month, where prices have tiers.
type Usage = Mapping[str, float]
NO_PRICE = "price not published"
NOT_SURE = "? AWS's own pages do not tell this price, or not for this Region"


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of a bill; `dollars` is None if no source tells the price."""

    id: str
    what: str
    quantity: float
    unit: str
    dollars: float | None
    is_sure: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """A bill: its lines and the sum of those with a price."""

    lines: tuple[CostLine, ...]

    @property
    def dollars(self) -> float:
        """Sum of the lines with a price."""
        return sum(line.dollars for line in self.lines if line.dollars is not None)

    @property
    def without(self) -> tuple[str, ...]:
        """What has no price and is therefore not in the sum."""
        return tuple(line.what for line in self.lines if line.dollars is None)


def cost_of(usage: Usage, prices: PriceTable) -> Cost:
    """Return the bill of that usage, in the order of the price table; KeyError without a price."""
    if unknown := usage.keys() - prices.prices.keys():
        raise KeyError(*unknown)
    used = [(price, usage.get(name, 0)) for name, price in prices.prices.items()]
    return Cost(tuple(_line(price, quantity) for price, quantity in used if quantity))


def _line(price: Price, quantity: float) -> CostLine:
    dollars, is_sure = price.of(quantity), price.sure == PUBLISHED
    return CostLine(price.id, price.what, quantity, price.unit, dollars, is_sure)


def added(usages: Iterable[Usage]) -> dict[str, float]:
    """Return the sum of usages."""
    total: dict[str, float] = {}
    for usage in usages:
        for name, quantity in usage.items():
            total[name] = total.get(name, 0) + quantity
    return total


def dollars_text(dollars: float) -> str:
    """Return an amount to the cent; less than a cent is told as such."""
    return "less than $0.01" if 0 < dollars < 0.005 else f"${dollars:,.2f}"


def sum_text(cost: Cost) -> str:
    """Return the sum, with what it lacks: `$14.46 (without: image generation)`."""
    lacks = f" (without: {', '.join(cost.without)})" if cost.without else ""
    return f"{dollars_text(cost.dollars)}{lacks}"


def line_rows(cost: Cost) -> list[tuple[str, str, str]]:
    """Return what each line says: what, how much of it, and dollars, with `?` if not sure."""
    return [(line.what, _quantity_text(line), _dollars_cell(line)) for line in cost.lines]


def line_json(line: CostLine) -> dict[str, object]:
    """Return a line for machines."""
    return {
        "id": line.id,
        "what": line.what,
        "quantity": line.quantity,
        "unit": line.unit,
        "dollars": None if line.dollars is None else round(line.dollars, 6),
        "sure": line.is_sure,
    }


def _dollars_cell(line: CostLine) -> str:
    if line.dollars is None:
        return NO_PRICE
    return dollars_text(line.dollars) + ("" if line.is_sure else "?")


def _quantity_text(line: CostLine) -> str:
    shown = f"{line.quantity:,.0f}" if line.quantity >= 100 else f"{line.quantity:,.3g}"
    return f"{shown} {line.unit}"
