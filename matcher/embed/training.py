"""Adapts the bundled encoder to pairs of issues and profiles: what `matcher train-encoder` does.

Contrastive: an issue against the profiles of its batch, its own near misses among them (van den
Oord and others, Representation Learning with Contrastive Predictive Coding, 2018). Both sides are
centred on the means of the batch, as the ranking centres them. To move a text away from where the
encoder put it has its price: without one the encoder learns the training texts and loses the rest,
which shows on fields kept apart as well as on general texts. Memory stays small because a batch is
encoded twice, first for the loss and then piece by piece for the gradients (Gao and others, Scaling
Deep Contrastive Learning Batch Size under Memory Limited Setup, 2021).
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from matcher.embed.bundled import DOCUMENT_PROMPT, QUERY_PROMPT
from matcher.embed.deltas import Deltas, Weights
from matcher.embed.layers import Input, Layers, Merged, hide, learn, leaves
from matcher.embed.packed import PackedModel, packed_path
from matcher.errors import MatcherError
from matcher.types import Example, Vectors

_CHUNK = 24  # texts that go through the layers at once
_LEAST = 8  # examples from which anything can be learnt
_FITS, _MISSES = 2, 1  # profiles of an example in a batch

Told = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the encoder is adapted; the defaults are those of the shipped deltas."""

    rank: int = 16
    rate: float = 6e-4  # of learning, at its highest
    epochs: float = 2.4
    batch: int = 40  # issues
    temperature: float = 0.05
    anchor: float = 60.0  # what it costs to move a text away from where it was
    still: float = 100.0  # the same for general texts, which have nothing to learn
    general: int = 24  # general texts in a batch
    looks: int = 6  # how often the examples kept apart are looked at
    seed: int = 1


def adapt(
    examples: Sequence[Example],
    apart: Sequence[Example],
    recipe: Recipe,
    *,
    general: Sequence[tuple[str, str]] = (),
    start: Deltas | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, NDArray[np.float32]], Told]:
    """The deltas that rank the examples kept apart best, and the record of how they came about.

    `general` are headings and sections about anything else, which shall stay where they are: an
    encoder that only learns one kind of text soon knows no other.

    The examples kept apart are never learnt from: at each look their nDCG@10 over all their own
    profiles decides which state is kept. The same input on the same machine gives nearly, not
    exactly, the same deltas: sums over threads have no fixed order.

    Raises:
        MatcherError: fewer than eight examples, or none kept apart.
    """
    if len(examples) < _LEAST or not apart:
        message = (
            f"学習に使える課題が足りません（学習用{len(examples)}件、確認用{len(apart)}件）。"
            f"合う企業が確認された課題を、あわせて{_LEAST + 2}件以上用意してください。"
        )
        raise MatcherError(message)
    torch.manual_seed(recipe.seed)
    draw = random.Random(recipe.seed)
    weights = Weights(PackedModel(packed_path()))
    network = _Network(weights, recipe.rank, general, start)
    steps = max(1, int(recipe.epochs * len(examples) / recipe.batch))
    optimiser = torch.optim.AdamW(network.layers.parameters(), lr=recipe.rate, weight_decay=0.01)
    best, kept = network.ndcg(apart), network.layers.deltas()
    curve: list[dict[str, float]] = [{"step": 0, "apart": best}]
    looks = {round(steps * at / recipe.looks) for at in range(1, recipe.looks + 1)}
    batches = _batches(examples, min(recipe.batch, len(examples)), draw)
    for step in range(1, steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * schedule(step, steps)
        loss = network.step(next(batches), recipe, draw)
        torch.nn.utils.clip_grad_norm_(network.layers.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        curve.append({"step": step, "loss": loss})
        if step in looks:
            found = network.ndcg(apart)
            curve[-1]["apart"] = found
            tell(f"{step}/{steps} loss {loss:.3f} nDCG@10 {found:.4f}")
            if found > best:
                best, kept = found, network.layers.deltas()
    told: Told = {
        "kind": "encoder",
        "base": weights.packed.digest(),
        "recipe": asdict(recipe),
        "data": {
            "examples": len(examples),
            "apart": len(apart),
            "general": len(general),
            "sha256": digest([*examples, *apart]),
        },
        "curve": curve,
        "apart": {"before": curve[0]["apart"], "after": best},
    }
    return kept, told


def schedule(step: int, steps: int) -> float:
    """The share of the highest rate: up over the first tenth, then down to zero in a line."""
    return min(1.0, step / (0.1 * steps)) * (1 - (step - 1) / steps)


def digest(examples: Sequence[Example]) -> str:
    """SHA-256 of examples, in hex."""
    told = [[e.issue, e.fits, e.misses, e.group] for e in examples]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()


def ndcg_at_10(scores: NDArray[np.float64], gains: NDArray[np.float64]) -> float:
    """Of one query, over all its documents (Järvelin and Kekäläinen, 2002)."""
    discounts = 1 / np.log2(np.arange(2, 12))
    first = np.argsort(-scores, kind="stable")[:10]
    ideal = np.sort(gains)[::-1][:10]
    best = float(ideal @ discounts[: len(ideal)])
    return float(gains[first] @ discounts[: len(first)]) / best if best else 0.0


class _Network:
    """The encoder in training."""

    def __init__(
        self,
        weights: Weights,
        rank: int,
        general: Sequence[tuple[str, str]],
        start: Deltas | None,
    ) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._input = Input(weights)
        last = weights.shape.num_hidden_layers
        self.layers = Layers(weights, 0, last, rank).to_device(self._device)
        if start is not None:
            self.layers.restore(start.arrays())
        with torch.no_grad():
            self._start = self.layers.merged()
        self._before: dict[str, torch.Tensor] = {}  # where texts were, unit length
        self._general = [QUERY_PROMPT + heading for heading, _ in general]
        self._general += [DOCUMENT_PROMPT + section for _, section in general]

    def step(self, examples: Sequence[Example], recipe: Recipe, draw: random.Random) -> float:
        """The loss of a batch; its gradients are with the parameters afterwards."""
        chosen = [_chosen(example, draw) for example in examples]
        queries = [QUERY_PROMPT + example.issue for example in examples]
        profiles = [profile for some in chosen for profile in some]
        own = queries + [DOCUMENT_PROMPT + profile for profile in profiles]
        general = draw.sample(self._general, min(recipe.general, len(self._general)))
        texts, size = own + general, len(own)
        merged = leaves(self.layers)
        pooled = self._all(texts, merged).requires_grad_(True)
        owners = [at for at, some in enumerate(chosen) for _ in some]
        loss = _loss(pooled[:size], examples, profiles, owners, recipe.temperature)
        loss = loss + recipe.anchor * self._moved(pooled[:size], own)
        if general:
            loss = loss + recipe.still * self._moved(pooled[size:], general)
        torch.autograd.backward([loss])
        for rows in self._chunks(texts):
            again = self._pooled([texts[row] for row in rows], merged)
            torch.autograd.backward([again], [_gradient(pooled)[rows]])
        learn(self.layers, merged)
        return float(loss.detach())

    def _moved(self, pooled: torch.Tensor, texts: Sequence[str]) -> torch.Tensor:
        """How far the texts are from where they were, as a mean of one minus the cosine."""
        fresh = [text for text in texts if text not in self._before]
        if fresh:
            found = functional.normalize(self._all(fresh, self._start), dim=1)
            self._before.update(zip(fresh, found, strict=True))
        before = torch.stack([self._before[text] for text in texts])
        return (1 - (functional.normalize(pooled, dim=1) * before).sum(1)).mean()

    def ndcg(self, examples: Sequence[Example]) -> float:
        """Mean nDCG@10 of the centred cosines over all profiles of these examples."""
        profiles = sorted({p for e in examples for p in (*e.fits, *e.misses)})
        merged = self.layers.merged()
        queries = _centred(self._all([QUERY_PROMPT + e.issue for e in examples], merged))
        documents = _centred(self._all([DOCUMENT_PROMPT + p for p in profiles], merged))
        cosines = (queries @ documents.T).astype(np.float64)
        at = {profile: place for place, profile in enumerate(profiles)}
        found = []
        for example, scores in zip(examples, cosines, strict=True):
            gains = np.zeros(len(profiles))
            gains[[at[profile] for profile in example.fits]] = 1
            found.append(ndcg_at_10(scores, gains))
        return float(np.mean(found))

    def _all(self, texts: Sequence[str], merged: Merged) -> torch.Tensor:
        """A mean vector for each text, without gradients, `(len(texts), 384)`."""
        with torch.no_grad():
            found = [
                (rows, self._pooled([texts[row] for row in rows], merged))
                for rows in self._chunks(texts)
            ]
        pooled = torch.zeros(len(texts), found[0][1].shape[1], device=self._device)
        for rows, vectors in found:
            pooled[rows] = vectors
        return pooled

    def _pooled(self, texts: Sequence[str], merged: Merged) -> torch.Tensor:
        states, there = self._input([self._tokens(text) for text in texts])
        states, there = states.to(self._device), there.to(self._device)
        found = self.layers(states, hide(there), merged).float()
        mean: torch.Tensor = (found * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        return mean

    def _chunks(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Places of texts, those of similar length together: padding costs time."""
        order = sorted(range(len(texts)), key=lambda at: (len(self._tokens(texts[at])), at))
        for start in range(0, len(order), _CHUNK):
            yield order[start : start + _CHUNK]

    def _tokens(self, text: str) -> NDArray[np.int32]:
        """Of a text over 512 tokens the first 512: training needs no whole annex."""
        return self._input.reading.tokens(text)[:512]


def _loss(
    pooled: torch.Tensor,
    examples: Sequence[Example],
    profiles: Sequence[str],
    owners: Sequence[int],
    temperature: float,
) -> torch.Tensor:
    """Each fit against all profiles of the batch that are not known or likely to fit too."""
    size = len(examples)
    unit = functional.normalize(pooled, dim=1)
    queries, documents = unit[:size], unit[size:]
    queries = functional.normalize(queries - queries.mean(0).detach(), dim=1)
    documents = functional.normalize(documents - documents.mean(0).detach(), dim=1)
    logits = queries @ documents.T / temperature
    losses = []
    for at, example in enumerate(examples):
        fits = [place for place, profile in enumerate(profiles) if profile in example.fits]
        alike = [
            place
            for place, owner in enumerate(owners)
            if owner != at and example.group and examples[owner].group == example.group
        ]
        for fit in (place for place in fits if owners[place] == at):
            hidden = torch.zeros(len(profiles), dtype=torch.bool, device=pooled.device)
            hidden[[place for place in {*fits, *alike} if place != fit]] = True
            row = logits[at].masked_fill(hidden, -1e4)
            losses.append(-torch.log_softmax(row, 0)[fit])
    return torch.stack(losses).mean()


def _gradient(tensor: torch.Tensor) -> torch.Tensor:
    """What a backward pass left with a leaf."""
    return tensor.grad if tensor.grad is not None else torch.zeros_like(tensor)


def _chosen(example: Example, draw: random.Random) -> list[str]:
    """The profiles of an example that stand in its batch."""
    fits = draw.sample(example.fits, min(_FITS, len(example.fits)))
    return fits + draw.sample(example.misses, min(_MISSES, len(example.misses)))


def _batches(
    examples: Sequence[Example], size: int, draw: random.Random
) -> Iterator[list[Example]]:
    """Batches without end; each pass in a new order, the rest that fills no batch left out."""
    order = list(examples)
    while True:
        draw.shuffle(order)
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]


def _centred(pooled: torch.Tensor) -> Vectors:
    rows = functional.normalize(pooled, dim=1)
    return functional.normalize(rows - rows.mean(0), dim=1).cpu().numpy()
