"""The sweep over architectures: `make architectures`. Of each network, which rules it needs and what its map is like.

sweep      what is asked of one network
libraries  the networks of torchvision, timm and this package
backbones  face networks of the literature, written here
parts      a small trunk with one part of another kind, as papers add them: attention, gates, norms, recurrence
report     the table, as Markdown
"""
