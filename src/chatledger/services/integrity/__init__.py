"""Whether what is stored is what was written, and mending what is not: one file for each kind of defect."""
