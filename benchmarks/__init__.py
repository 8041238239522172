"""What gitmaild costs, measured on the machine that you run this on. See docs/BENCHMARKS.md."""
