"""Panels for notebooks: a picture that stays readable for ever, and controls while a person works with it."""
