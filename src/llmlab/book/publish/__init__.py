"""Publish a version: `release` renders it permanently, `bundle` archives its evidence."""
