"""Running the items of batches and the steps of workflows."""
