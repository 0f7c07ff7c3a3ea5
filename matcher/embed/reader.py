"""The reader: issue and profile read together, by the bundled weights with trained deltas.

Up to layer `join` each text is read by itself, so that a text that stands in many pairs is read
once; from there on the tokens of both see each other (MacAvaney and others, Efficient Document
Re-Ranking for Transformers by Precomputing Term Representations, 2020).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from matcher.embed.bundled import DOCUMENT_PROMPT, MODEL_NAME, QUERY_PROMPT, Reading
from matcher.embed.deltas import Deltas, Weights
from matcher.embed.graph import (
    Engine,
    choose_precision,
    engine_version,
    joint_graph,
    separate_graph,
)
from matcher.embed.packed import PackedModel, packed_path
from matcher.embed.pieces import cut, in_batches, readable
from matcher.machine import usable_cores
from matcher.types import Advance, Precision, Scores

LIMIT = 256  # tokens of a piece, on either side: about 400 characters
_MOST_PIECES = 4  # of one text
_BLOCK = 512  # pairs whose states are held at a time: about 100 MB

States = NDArray[np.float32]  # (tokens, 384), after layer `join`


class BundledReader:
    """A `Reader` on the bundled weights; ready in about a second.

    The probability of a pair depends on its two texts alone: not on the batch, its order or
    `threads`. Of a text over 256 tokens the first four pieces are read. Raises `MatcherError` when
    the weights are missing, or the deltas belong to other weights or to an encoder.
    """

    def __init__(
        self, deltas: Deltas, threads: int | None = None, precision: Precision = "auto"
    ) -> None:
        deltas.require("reader")
        weights = Weights(PackedModel(packed_path()), deltas)
        self._threads = threads or usable_cores()
        self._head = Head(deltas)
        chosen = choose_precision(precision)
        self._id = (
            f"{MODEL_NAME} reader sha256={weights.packed.digest()[:12]} "
            f"deltas={deltas.digest[:12]} precision={chosen} openvino={engine_version()}"
        )
        self._reading = Reading(weights.packed)
        join = self._head.join
        self._separate = Engine(separate_graph(weights, join), self._threads, chosen)
        self._joint = Engine(joint_graph(weights, join), self._threads, chosen)

    @property
    def id(self) -> str:
        """Model, hashes of weights and deltas, precision and OpenVINO's version."""
        return self._id

    def read(self, pairs: Sequence[tuple[str, str]], *, advance: Advance | None = None) -> Scores:
        """For each pair of issue and profile the probability that they fit, `(len(pairs),)`."""
        found = np.zeros(len(pairs))
        for start in range(0, len(pairs), _BLOCK):
            block = pairs[start : start + _BLOCK]
            found[start : start + len(block)] = self._read(block)
            if advance:
                advance(len(block))
        return found

    def _read(self, pairs: Sequence[tuple[str, str]]) -> Scores:
        queries = self._states(QUERY_PROMPT, [query for query, _ in pairs])
        documents = self._states(DOCUMENT_PROMPT, [document for _, document in pairs])
        joined = [
            (at, left, right)
            for at, (query, document) in enumerate(pairs)
            for left in queries[query]
            for right in documents[document]
        ]
        logits = self._logits([(left, right) for _, left, right in joined])
        best = np.full(len(pairs), -np.inf)
        np.maximum.at(best, [at for at, _, _ in joined], logits)
        return self._head.probability(best)

    def _states(self, prompt: str, texts: Sequence[str]) -> dict[str, list[States]]:
        """The states of each different text, piece by piece."""
        different = sorted(set(texts))
        pieces = [(text, piece) for text in different for piece in self._pieces(prompt, text)]
        tokens = [self._reading.tokens(prompt + piece) for _, piece in pieces]
        batches = in_batches([len(each) for each in tokens])
        found: dict[int, States] = {}
        with ThreadPoolExecutor(self._threads) as pool:
            vectors = [
                self._reading.vectors(np.stack([tokens[row] for row in rows])) for rows in batches
            ]
            for rows, states in zip(
                batches,
                pool.map(lambda each: self._separate.infer([each])[0], vectors),
                strict=True,
            ):
                found.update(zip(rows, states, strict=True))
        whole: dict[str, list[States]] = {text: [] for text in different}
        for at, (text, _) in enumerate(pieces):
            whole[text].append(found[at])
        return whole

    def _pieces(self, prompt: str, text: str) -> list[str]:
        text = readable(text)
        parts = cut(text, lambda part: len(self._reading.tokens(prompt + part)), LIMIT)
        return parts[:_MOST_PIECES] or [""]

    def _logits(self, pairs: Sequence[tuple[States, States]]) -> Scores:
        batches = in_batches([len(left) + len(right) for left, right in pairs], (4, 1))

        def infer(rows: Sequence[int]) -> Scores:
            states = np.stack([np.concatenate(pairs[row]) for row in rows])
            shares = np.stack([_shares(len(pairs[row][0]), states.shape[1]) for row in rows])
            return self._head.logits(self._joint.infer([states, shares])[0].astype(np.float64))

        logits = np.empty(len(pairs))
        with ThreadPoolExecutor(self._threads) as pool:
            for rows, found in zip(batches, pool.map(infer, batches), strict=True):
                logits[rows] = found
        return logits


class Head:
    """From the last layer to a probability: trained with the deltas, computed in float64."""

    def __init__(self, deltas: Deltas) -> None:
        read = {name: deltas.array(f"head.{name}").astype(np.float64) for name in _HEAD}
        self._query_mean, self._document_mean = read["query_mean"], read["document_mean"]
        self._product, self._first = read["product"], read["first"]
        self._scale, self._bias, self._slope, self._shift = read["numbers"].tolist()
        self.join = int(str(deltas.told["join"]))

    def logits(self, read: NDArray[np.float64]) -> Scores:
        """`(n,)` from `(n, 3, 384)`: the mean of the issue, of the profile, and the first token."""
        query = _unit(_unit(read[:, 0]) - self._query_mean)
        document = _unit(_unit(read[:, 1]) - self._document_mean)
        product = query * document
        # einsum adds in a fixed order, whatever the number of rows
        logits: Scores = (
            self._scale * np.einsum("ij->i", product)
            + np.einsum("ij,j->i", product, self._product)
            + np.einsum("ij,j->i", _unit(read[:, 2]), self._first)
            + self._bias
        )
        return logits

    def probability(self, logits: Scores) -> Scores:
        """Platt's scaling of the logits, fitted on fields that were not trained on."""
        probability: Scores = 1 / (1 + np.exp(-(self._slope * logits + self._shift)))
        return probability


_HEAD = ("query_mean", "document_mean", "product", "first", "numbers")


def _shares(left: int, tokens: int) -> NDArray[np.float32]:
    """What each token weighs in the three means: issue, profile, first token."""
    shares = np.zeros((3, tokens), np.float32)
    shares[0, :left] = 1 / left
    shares[1, left:] = 1 / (tokens - left)
    shares[2, 0] = 1
    return shares


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    scaled: NDArray[np.float64] = rows / np.maximum(lengths, 1e-12)
    return scaled
