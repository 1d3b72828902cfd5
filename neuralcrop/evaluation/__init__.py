"""Scoring: metrics, baselines and reports."""
