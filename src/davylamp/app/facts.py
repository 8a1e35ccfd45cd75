"""What detections may ask of the world, gathered from intel, cost and the case before judging."""

from __future__ import annotations

from collections.abc import Mapping

from davylamp.cost.price_book import PriceBook
from davylamp.intel.indicators import Indicators
from davylamp.model.indicator import Indicator
from davylamp.model.money import Price


class EvidenceFacts:
    """Facts for one scan: indicators, prices, and which event classes hold rows."""

    def __init__(
        self,
        indicators: Indicators,
        book: PriceBook,
        rows_by_class: Mapping[str, int],
        looks_by_class: Mapping[str, int],
    ) -> None:
        self._indicators = indicators
        self._book = book
        self._rows_by_class = rows_by_class
        self._looks_by_class = looks_by_class

    def match_domain(self, name: str) -> Indicator | None:
        """The most specific live indicator that covers `name`."""
        return self._indicators.match_domain(name)

    def match_address(self, ip: str, port: int | None) -> Indicator | None:
        """The live indicator for an address."""
        return self._indicators.match_address(ip, port)

    def price(self, instance_type: str, region: str, provider: str = "aws") -> Price:
        """List price of a machine."""
        return self._book.price(instance_type, region, provider)

    def rate_usd(self, item: str) -> float:
        """A unit rate of the price book."""
        return self._book.rate_usd(item)

    def has_rows(self, event_class: str) -> bool:
        """Whether the evidence holds any row of a class."""
        return self._rows_by_class.get(event_class, 0) > 0

    def looks_count(self, event_class: str) -> int:
        """How often the host that was looked at most was looked at."""
        return self._looks_by_class.get(event_class, 0)
