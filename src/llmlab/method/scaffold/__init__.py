"""Create something new from templates: an experiment, a concept, a lab.

All generated files run unchanged.
"""
