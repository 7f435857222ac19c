"""Panels for notebooks: a picture that stays readable for ever, and controls while somebody works with it."""
