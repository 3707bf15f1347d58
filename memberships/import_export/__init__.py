"""Memberships as CSV: which columns there are, reading, checking, writing, and the way back out."""
