"""What autolog costs, beside its peers: ``make bench`` or ``python -m benchmarks``."""
