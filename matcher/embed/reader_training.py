"""Trains the reader on graded lists: for each issue candidates that somebody read and graded.

Two losses together: the list's own order (Cao and others, Learning to Rank: From Pairwise Approach
to Listwise Approach, 2007) with 2^grade - 1 as what each candidate deserves, and a probability for
each pair, so that scores of different issues can be compared.
"""

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from matcher.embed.bundled import DOCUMENT_PROMPT, QUERY_PROMPT
from matcher.embed.deltas import Deltas, Weights, on_top
from matcher.embed.layers import Input, Layers, Merged, hide, learn, leaves
from matcher.embed.packed import PackedModel, packed_path
from matcher.embed.reader import LIMIT
from matcher.embed.training import Told, ndcg_at_10, schedule

_CHUNK = 32  # texts, or pairs, that go through the layers at once
_FITS_FROM = 2  # the grade from which a candidate counts as a fit
_LIKELY = {0: 0.02, 1: 0.15, 2: 0.6, 3: 0.95}  # that a coordinator would meet them, by grade
_HEAD_RATE = 2e-3
_BOOST = 20.0  # of the head's two vectors, whose inputs are unit vectors of 384 numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """An issue and its graded candidates, all texts normalised."""

    issue: str
    candidates: tuple[tuple[str, int], ...]  # profile, grade 0..3


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderRecipe:
    """How the reader is trained; the defaults are those of the shipped reader."""

    join: int = 6  # the first layer in which issue and profile see each other
    rank: int = 64
    rate: float = 5e-4  # of learning, at its highest
    epochs: float = 1.0
    batch: int = 6  # issues
    candidates: int = 12  # of an issue in a step
    pairs_share: float = 0.3  # what the loss of single pairs weighs beside that of the list
    dropout: float = 0.05
    looks: int = 3  # how often the lists kept apart are looked at
    seed: int = 1


def train_reader(
    lists: Sequence[Graded],
    apart: Sequence[Graded],
    recipe: ReaderRecipe,
    *,
    encoder: Deltas | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, NDArray[np.float32]], Told]:
    """The arrays of the reader that orders the lists kept apart best, and the record of it.

    It goes on from what an encoder has learnt, where there is one: its deltas become part of the
    reader's.

    The lists kept apart are never learnt from: at each look their nDCG@10 decides which state is
    kept, and at the end they set the scale of the probabilities.
    """
    torch.manual_seed(recipe.seed)
    draw = random.Random(recipe.seed)
    weights = Weights(PackedModel(packed_path()), encoder)
    network = _Network(weights, recipe, lists, draw)
    optimiser = torch.optim.AdamW(
        [
            {"params": network.layers.parameters(), "share": recipe.rate},
            {"params": network.head.parameters(), "share": _HEAD_RATE},
        ],
        weight_decay=0.01,
    )
    steps = max(1, int(recipe.epochs * len(lists) / recipe.batch))
    looks = {round(steps * at / recipe.looks) for at in range(1, recipe.looks + 1)}
    best, kept = network.look(apart)
    curve: list[dict[str, float]] = [{"step": 0, "apart": best}]
    order: list[Graded] = []
    for step in range(1, steps + 1):
        if len(order) < recipe.batch:
            order = list(lists)
            draw.shuffle(order)
        batch, order = order[: recipe.batch], order[recipe.batch :]
        for group in optimiser.param_groups:
            group["lr"] = group["share"] * schedule(step, steps)
        loss = network.step(batch, draw)
        parameters = [*network.layers.parameters(), *network.head.parameters()]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        curve.append({"step": step, "loss": loss})
        if step in looks:
            found, arrays = network.look(apart)
            curve[-1]["apart"] = found
            tell(f"{step}/{steps} loss {loss:.3f} nDCG@10 {found:.4f}")
            if found > best:
                best, kept = found, arrays
    told: Told = {
        "kind": "reader",
        "base": weights.packed.digest(),
        "encoder": encoder.digest if encoder else None,
        "join": recipe.join,
        "recipe": asdict(recipe),
        "data": {"lists": len(lists), "apart": len(apart), "sha256": _digest([*lists, *apart])},
        "curve": curve,
        "apart": {"before": curve[0]["apart"], "after": best},
    }
    return on_top(encoder.arrays() if encoder else {}, kept), told


class _Head(torch.nn.Module):
    """From the last layer to a number: `embed.reader.Head` in training."""

    def __init__(self, query_mean: torch.Tensor, document_mean: torch.Tensor) -> None:
        super().__init__()
        self.query_mean, self.document_mean = query_mean, document_mean
        size = len(query_mean)
        self.scale = torch.nn.Parameter(torch.tensor(8.0))
        self.bias = torch.nn.Parameter(torch.tensor(-2.0))
        self.product = torch.nn.Parameter(torch.zeros(size))
        self.first = torch.nn.Parameter(torch.zeros(size))

    def forward(
        self, states: torch.Tensor, left: torch.Tensor, right: torch.Tensor
    ) -> torch.Tensor:
        unit = functional.normalize
        query = unit((states * left[..., None]).sum(1), dim=1)
        document = unit((states * right[..., None]).sum(1), dim=1)
        query = unit(query - self.query_mean.to(states.device), dim=1)
        document = unit(document - self.document_mean.to(states.device), dim=1)
        product, first = query * document, unit(states[:, 0], dim=1)
        boosted = product @ self.product + first @ self.first
        return self.scale * product.sum(1) + _BOOST * boosted + self.bias

    def arrays(self, slope: float, shift: float) -> dict[str, NDArray[np.float32]]:
        """What `embed.reader.Head` reads."""
        numbers = [float(self.scale.detach()), float(self.bias.detach()), slope, shift]
        return {
            "head.query_mean": self.query_mean.numpy(),
            "head.document_mean": self.document_mean.numpy(),
            "head.product": _BOOST * self.product.detach().cpu().numpy(),
            "head.first": _BOOST * self.first.detach().cpu().numpy(),
            "head.numbers": np.array(numbers, np.float32),
        }


class _Network:
    """The reader in training; below `join` nothing learns, so each text is read there once."""

    def __init__(
        self, weights: Weights, recipe: ReaderRecipe, lists: Sequence[Graded], draw: random.Random
    ) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._recipe = recipe
        self._input = Input(weights)
        last = weights.shape.num_hidden_layers
        self._below = Layers(weights, 0, recipe.join, 0).to_device(self._device)
        self.layers = Layers(weights, recipe.join, last, recipe.rank, recipe.dropout)
        self.layers.to_device(self._device)
        self._states: dict[str, torch.Tensor] = {}
        some = draw.sample(list(lists), min(100, len(lists)))
        queries = [QUERY_PROMPT + one.issue for one in some]
        documents = [DOCUMENT_PROMPT + one.candidates[0][0] for one in some]
        self._fill([*queries, *documents])
        self.head = _Head(self._mean(queries), self._mean(documents)).to(self._device)

    def step(self, lists: Sequence[Graded], draw: random.Random) -> float:
        """The mean loss of some lists; its gradients are with the parameters afterwards."""
        self.layers.train()
        merged, total = leaves(self.layers), 0.0
        for one in lists:
            chosen = _chosen(one, self._recipe.candidates, draw)
            grades = [grade for _, grade in chosen]
            logits = self._logits([(one.issue, profile) for profile, _ in chosen], merged)
            loss = _loss(logits, grades, self._recipe.pairs_share) / len(lists)
            torch.autograd.backward([loss])
            total += float(loss.detach())
        learn(self.layers, merged)
        return total

    def look(self, lists: Sequence[Graded]) -> tuple[float, dict[str, NDArray[np.float32]]]:
        """Mean nDCG@10 of the lists with a gain of 2^grade - 1, and the reader as it is now.

        The scale of its probabilities is fitted on these lists (Platt, 1999).
        """
        from sklearn.linear_model import LogisticRegression

        scores = self._scores(lists)
        gains = [np.array([2.0**grade - 1 for _, grade in one.candidates]) for one in lists]
        found = float(np.mean(list(map(ndcg_at_10, scores, gains))))
        fits = np.concatenate(gains) >= 2**_FITS_FROM - 1
        fitted = LogisticRegression(C=np.inf).fit(np.concatenate(scores)[:, None], fits)
        head = self.head.arrays(float(fitted.coef_[0, 0]), float(fitted.intercept_[0]))
        return found, self.layers.deltas() | head

    def _scores(self, lists: Sequence[Graded]) -> list[NDArray[np.float64]]:
        """The number for each candidate of each list."""
        self.layers.eval()
        pairs = [(one.issue, profile) for one in lists for profile, _ in one.candidates]
        self._fill(_texts(pairs))
        order = sorted(range(len(pairs)), key=lambda at: (self._length(pairs[at]), at))
        scores = np.zeros(len(pairs))
        with torch.no_grad():
            merged = self.layers.merged()
            for start in range(0, len(order), _CHUNK):
                rows = order[start : start + _CHUNK]
                found = self._logits([pairs[row] for row in rows], merged)
                scores[rows] = found.double().cpu().numpy()
        return np.split(scores, np.cumsum([len(one.candidates) for one in lists])[:-1])

    def _logits(self, pairs: Sequence[tuple[str, str]], merged: Merged) -> torch.Tensor:
        self._fill(_texts(pairs))
        lefts = [self._states[QUERY_PROMPT + issue] for issue, _ in pairs]
        rights = [self._states[DOCUMENT_PROMPT + profile] for _, profile in pairs]
        longest = max(len(left) + len(right) for left, right in zip(lefts, rights, strict=True))
        states = torch.zeros(len(pairs), longest, lefts[0].shape[1], dtype=torch.bfloat16)
        query, document = torch.zeros(len(pairs), longest), torch.zeros(len(pairs), longest)
        for row, (left, right) in enumerate(zip(lefts, rights, strict=True)):
            end = len(left) + len(right)
            states[row, : len(left)], states[row, len(left) : end] = left, right
            query[row, : len(left)], document[row, len(left) : end] = 1, 1
        states = states.to(self._device)
        query, document = query.to(self._device), document.to(self._device)
        last = self.layers(states, hide(query + document), merged).float()
        logits: torch.Tensor = self.head(last, query, document)
        return logits

    def _fill(self, texts: Sequence[str]) -> None:
        """Read these texts up to `join`, those that have not been."""
        fresh = sorted({text for text in texts if text not in self._states}, key=len)
        if not fresh:
            return
        merged = self._below.merged()
        with torch.no_grad():
            for start in range(0, len(fresh), _CHUNK):
                some = fresh[start : start + _CHUNK]
                tokens = [self._input.reading.tokens(text)[:LIMIT] for text in some]
                states, there = self._input(tokens)
                states, there = states.to(self._device), there.to(self._device)
                read = self._below(states, hide(there), merged)
                for text, own, one in zip(some, tokens, read, strict=True):
                    self._states[text] = one[: len(own)].clone().cpu()

    def _mean(self, texts: Sequence[str]) -> torch.Tensor:
        """The mean direction of texts read by themselves to the end, `(384,)`."""
        merged, found = self.layers.merged(), []
        with torch.no_grad():
            for text in texts:
                states = self._states[text][None].to(self._device)
                there = torch.ones(1, states.shape[1], device=self._device)
                last = self.layers(states, hide(there), merged).float().mean(1)
                found.append(functional.normalize(last, dim=1)[0])
        return torch.stack(found).mean(0).cpu()

    def _length(self, pair: tuple[str, str]) -> int:
        issue, profile = pair
        return len(self._states[QUERY_PROMPT + issue]) + len(
            self._states[DOCUMENT_PROMPT + profile]
        )


def _digest(lists: Sequence[Graded]) -> str:
    """SHA-256 of lists in hex, whatever their order."""
    told = sorted(json.dumps([one.issue, one.candidates], ensure_ascii=False) for one in lists)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _texts(pairs: Sequence[tuple[str, str]]) -> list[str]:
    queries = {QUERY_PROMPT + issue for issue, _ in pairs}
    return [*queries, *(DOCUMENT_PROMPT + profile for _, profile in pairs)]


def _loss(logits: torch.Tensor, grades: Sequence[int], pairs_share: float) -> torch.Tensor:
    """What the order of one list and its single pairs lose."""
    deserved = torch.tensor([2.0**grade - 1 for grade in grades], device=logits.device)
    likely = torch.tensor([_LIKELY[grade] for grade in grades], device=logits.device)
    order = -(torch.log_softmax(logits, 0) * deserved / deserved.sum().clamp(min=1)).sum()
    return order + pairs_share * functional.binary_cross_entropy_with_logits(logits, likely)


def _chosen(one: Graded, most: int, draw: random.Random) -> list[tuple[str, int]]:
    """Candidates for a step: at most half of them above zero, the best three always."""
    above = [candidate for candidate in one.candidates if candidate[1]]
    below = [candidate for candidate in one.candidates if not candidate[1]]
    draw.shuffle(above)
    draw.shuffle(below)
    above.sort(key=lambda candidate: -candidate[1])
    if len(above) > most // 2:
        above = above[:3] + draw.sample(above[3:], most // 2 - 3)
    return (above + below)[:most]
