"""What is stored beside sessions and messages: the registry, observations, comparisons, batches and workflows."""
