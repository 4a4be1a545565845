"""Benchmarks: ratios against named baselines in the same run."""
