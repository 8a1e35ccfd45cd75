"""The price book: list price of a machine, with the sentence that says where it is from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from davylamp.cost.rows import PriceRow, aws_region_factors, bundled_rows, overlay_rows, unit_rates
from davylamp.cost.shapes import Shape, guess_shape
from davylamp.errors import UnitError
from davylamp.model.money import Price

REFERENCE_REGION = {"aws": "us-east-1", "azure": "eastus", "gcp": "us-central1"}
_AWS_ZONE = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d)[a-z]")


class PriceBook:
    """Dated list prices with the user's rows on top; pure after loading."""

    def __init__(self, overlay: Mapping[tuple[str, str, str], PriceRow]) -> None:
        self._overlay = overlay

    @classmethod
    def load(cls, overlay: Path | None = None) -> PriceBook:
        """The bundled book, with the rows of the overlay file before its own.

        Raises:
            UsageError: the overlay cannot be used; names line and column.
        """
        return cls({} if overlay is None else overlay_rows(overlay))

    def rate_usd(self, item: str) -> float:
        """A unit rate by its key, such as `fargate_x86_vcpu_hour`.

        Raises:
            UnitError: the book holds no such rate.
        """
        row = unit_rates().get(item)
        if row is None:
            raise UnitError(
                "the price book holds no such rate", where=item, why=f"it holds {', '.join(sorted(unit_rates()))}"
            )
        return float(row["value"])

    def price(self, instance_type: str, region: str, provider: str = "aws") -> Price:
        """List price of a machine, on demand, Linux; a per-vCPU fallback for an unknown type, said so."""
        provider = self._selling(instance_type, provider)
        zone = _AWS_ZONE.fullmatch(region) if provider == "aws" else None
        region = zone.group(1) if zone else region
        for key in ((provider, region, instance_type), (provider, "", instance_type)):
            if key in self._overlay:
                return self._listed(self._overlay[key], 1.0, "own price file")
        by_region = bundled_rows(provider, instance_type) if instance_type else {}
        if region in by_region:
            return self._listed(by_region[region], 1.0, "list price")
        reference = REFERENCE_REGION.get(provider, "")
        if reference in by_region:
            factor, said = _region_factor(provider, region, reference)
            return self._listed(by_region[reference], factor, said)
        if by_region:
            row = by_region[min(by_region)]
            return self._listed(row, 1.0, f"no price held for {region or 'an unknown region'}: list price")
        return self.fallback_price(guess_shape(instance_type, provider), instance_type)

    def _selling(self, instance_type: str, provider: str) -> str:
        """The provider that sells the type: clouds never name types alike, and few usages say whose theirs is."""
        for each in dict.fromkeys((provider, *REFERENCE_REGION)):
            own = any(key[0] == each and key[2] == instance_type for key in self._overlay)
            if own or (instance_type and bundled_rows(each, instance_type)):
                return each
        return provider

    def fallback_price(self, shape: Shape, instance_type: str = "") -> Price:
        """A machine priced by vCPU and memory, for a type that is unknown or not in the table."""
        cpu_usd, memory_usd = self.rate_usd("fallback_vcpu_hour"), self.rate_usd("fallback_gib_hour")
        usd_per_hour = shape.vcpu * cpu_usd + shape.memory_gib * memory_usd
        named = f"instance type {instance_type} is not in the price table" if instance_type else "instance type unknown"
        return Price(
            usd_per_hour=usd_per_hour,
            vcpu=shape.vcpu,
            memory_gib=shape.memory_gib,
            fallback=True,
            basis=f"{named}: {shape.said}, at ${cpu_usd} per vCPU-hour and ${memory_usd} per GiB-hour",
        )

    @staticmethod
    def _listed(row: PriceRow, factor: float, said: str) -> Price:
        dated = f" of {row.price_date}" if row.price_date else ""
        spot = f", spot ${row.usd_per_hour_spot:.4g}" if row.usd_per_hour_spot else ""
        price_usd = row.usd_per_hour * factor
        where = row.region or "any region"
        terms = f"on demand, Linux ({row.source}){spot}"
        return Price(
            usd_per_hour=price_usd,
            vcpu=row.vcpu,
            memory_gib=row.memory_gib,
            fallback=False,
            basis=f"{row.instance_type} ${price_usd:.4g}/h: {said}, {where}{dated}, {terms}",
            baseline_ratio=row.baseline_ratio,
            surplus_usd_per_vcpu_hour=row.surplus_usd_per_vcpu_hour,
            gpu_count=row.gpu_count,
        )


def _region_factor(provider: str, region: str, reference: str) -> tuple[float, str]:
    if not region:
        return 1.0, f"region unknown, {reference} assumed: list price"
    factors = aws_region_factors().get(region) if provider == "aws" else None
    if factors is None:
        return 1.0, f"no price or factor held for {region}: list price"
    median, low, high = factors
    return median, f"{region} by the median region factor {median} (quartiles {low} to {high}) on the list price"
