"""From published face data sets to LR/HR pairs, and the reading of what was made.

`build.prepare` makes a data set, `dataset.open_dataset` reads it. One file per layout lists
what a source holds; `plan` decides splits and names, `pairs` cuts and reduces, `workspace`
keeps half a data set away from the final name, `card` writes down what was done.
"""
