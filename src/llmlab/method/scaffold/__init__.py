"""Starts something new from templates: an experiment, a concept, a lab.

Everything written runs as it is.
"""
