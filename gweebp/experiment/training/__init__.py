"""Triplet training of embedding networks, Sec. 4.2.1 of Wang et al. (2025)."""
