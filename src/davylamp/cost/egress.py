"""Egress: bytes that left the cloud, billed by the gigabyte."""

from __future__ import annotations

from davylamp.cost.bill import Amounts, Bill
from davylamp.cost.price_book import PriceBook
from davylamp.units import format_bytes, format_usd

_BYTES_PER_UNIT = {"aws": 1e9, "azure": 1e9, "gcp": float(2**30)}


def bill_egress(sent_bytes: float, book: PriceBook, provider: str = "aws") -> Bill:
    """What internet egress of a size is billed; pool traffic itself is megabytes a day and no signal."""
    known = provider if provider in _BYTES_PER_UNIT else "aws"
    rate_usd = book.rate_usd(f"{known}_egress_gb")
    billed = max(0.0, sent_bytes) / _BYTES_PER_UNIT[known] * rate_usd
    said = f"egress: {format_bytes(sent_bytes)} at ${rate_usd} per GB ({known}, first paid tier): {format_usd(billed)}"
    return Bill(so_far=Amounts(billed, 0.0, billed, billed), basis=(said,))
