"""Where candidates come from: vectors, words, and the facets that decide who may be returned.

A filter comes first: `facets` makes a `bitmap` of it from one for every value, with an exact count.
`dense` then looks at everyone allowed, or where they are many and a `budget` was found out by
`calibration`, into the nearest `lists` until it is spent; `batch` looks at everyone for many
queries at once. `quantised` codes and the machine code of `native`, where `backend` finds it, make
that faster and change no bit. `lexical` scores the words of everyone; `engine` tells of libraries.
"""
