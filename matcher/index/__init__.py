"""Where candidates come from: vectors, words, and the facets that decide who may be returned."""
