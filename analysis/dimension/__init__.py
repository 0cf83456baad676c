"""Intrinsic dimension: states of layers, estimators, the curve, rules that select layers."""
