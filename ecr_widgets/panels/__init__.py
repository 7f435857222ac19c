"""Panels for notebooks: a picture that stays readable without a kernel, and controls while a person works with it."""
