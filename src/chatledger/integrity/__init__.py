"""Whether what is stored is what was written, and repairing what is not: one module for each kind of defect."""
