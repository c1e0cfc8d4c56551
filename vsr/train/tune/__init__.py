"""Hyper-parameter search: many short training runs, the poor ones ended early."""
