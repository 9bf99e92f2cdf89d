"""Programs that use what the scanner keeps: a pattern model and an environment for reinforcement learning.

They import the public names of `scanner` alone, as a program of yours would. Their libraries are in
requirements-examples.txt.
"""
