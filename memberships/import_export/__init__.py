"""Memberships as CSV: the columns, reading, checking and writing of an import, and the export."""
