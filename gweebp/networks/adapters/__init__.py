"""Maps of this package in the hands of other libraries: Quantus, xaitk-saliency, captum.

These libraries explain classifiers or pairs of images and know no non-mate. `triplets` turns a network into what they
evaluate; a module per library turns `explain` into what they call. None of the libraries is needed to import them. To
install all three: pip install "gweebp[company]".

Gains are taken without the hinge of Eq. (5): the libraries perturb images and randomise networks until the probe is
no longer nearer to its mate, and a map that is zero then would end their evaluation.
"""
