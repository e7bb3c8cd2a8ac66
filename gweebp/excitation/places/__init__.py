"""Where each entry of a layer looks in the image, and how a layer's output is read as a map.

fields.py holds centres and what averages do to them; call.py, windows.py, mixes.py and rules.py say what each
operation of a network does to them; follow.py carries them through a forward pass; reading.py makes a map (b, c, h, w)
of whatever axes a layer has, by where its entries look, and axes.py by what the user says of them.
"""
