"""Contestants who answer the same questions in turn, each asleep while another is asked.

Each is built in a process of its own, is tuned in its own favour on questions that do not come
again, and then answers in rounds: every round asks everyone, and every round begins with another,
so that a noisy minute hits all alike. The corpus lies in files, which all map and nobody copies.

    ground = lay(folder, corpus, samples, {"tuning": …, "stratified": …})
    with Contest(ground) as contest:
        contest.enter((*ours.CONTESTANTS, *libraries.CONTESTANTS))
        result = contest.hold("stratified", "tuning", k=10, rounds=5)
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import databases
import libraries
import marks
import numpy as np
import ours
import standings
from corpora import Question
from ground import Ground
from marks import Exact, Mark, Trial
from peers import Contestant, Option, Peer, installed
from workers import Fallen, Worker, memory

from matcher.types import Constraint, Rows

EVERYONE = (*ours.CONTESTANTS, *libraries.CONTESTANTS, *databases.CONTESTANTS)
_NEARLY = 0.97  # on a fifth of the tuning questions, to be tried on all of them
_FINALISTS = 4  # with enough recall on all of them; the fastest of these it is
_FIRST = 5
_WARM = 3  # answers that don't count after waking: others have had the cache


class Seat:
    """Where a contestant sits: what a worker holds."""

    def __init__(self, folder: Path, label: str, threads: int) -> None:
        self.ground = Ground.opened(folder)
        self.threads = threads
        self.contestant = next(one for one in EVERYONE if one.label == label)
        self._sets: dict[str, list[Question]] = {}

    @cached_property
    def peer(self) -> Peer:
        """The contestant with the corpus in it."""
        return self.contestant.build(self.ground, threads=self.threads)

    def build(self) -> dict[str, float | None]:
        """Seconds to build, and MiB that the contestant holds by itself then."""
        before, started = memory(), time.perf_counter()
        peer = self.peer
        seconds = time.perf_counter() - started
        peer.search(self.ground.samples[0], Constraint(region_rule="any"), 1)  # loads, compiles
        grown = None if before is None else round((memory() or 0) - before, 1)
        return {"build seconds": marks.figure(seconds), "memory MiB": grown}

    def ask(
        self, name: str, places: Rows, k: int, options: Mapping[str, Option]
    ) -> tuple[str, list[Rows], list[float]]:
        """The name of the configuration, its answers to some questions of a set, and seconds."""
        if name not in self._sets:
            self._sets[name] = self.ground.questions(name)
        asked, peer = self._sets[name], self.peer.configured(**options)
        for place in places[:_WARM]:
            peer.search(asked[place].vector, asked[place].constraint, k)
        answers, seconds = [], []
        for place in places:
            vector, constraint = asked[place].vector, asked[place].constraint
            started = time.perf_counter()
            answers.append(peer.search(vector, constraint, k))
            seconds.append(time.perf_counter() - started)
        return peer.name, answers, seconds


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A contestant with or without filters made beforehand; those of one build share a seat."""

    label: str
    contestant: Contestant
    grid: tuple[Mapping[str, Option], ...]
    seat: Worker
    built: Mapping[str, float | None]

    @property
    def is_plain(self) -> bool:
        """Whether the library does what it comes with: FAISS, its filter made for each question."""
        return self.label.startswith("FAISS") and not any(one.get("cached") for one in self.grid)


class Contest:
    """Entries on one ground."""

    def __init__(self, ground: Ground, threads: int = 1) -> None:
        self.ground = ground
        self.entries: list[Entry] = []
        self._threads = threads
        self._seats: dict[object, tuple[Worker, Mapping[str, float | None]]] = {}
        self._truth: dict[str, tuple[list[Question], list[Exact]]] = {}
        self._depth: dict[str, int] = {}  # for how many rows

    def enter(self, contestants: Sequence[Contestant]) -> None:
        """Build them one by one; who is not installed, or fails, is named and stays out."""
        here = {one.label for one in installed(contestants)}
        for contestant in contestants:
            if contestant.label not in here:
                print(f"  {contestant.label}: not installed ({', '.join(contestant.packages)})")
                continue
            try:
                seat, built = self._seated(contestant)
            except Fallen as trouble:
                print(f"  {contestant.label}: not built. {trouble}")
                continue
            for label, grid in _with_and_without_cache(contestant):
                self.entries.append(Entry(label, contestant, grid, seat, built))

    def _seated(self, contestant: Contestant) -> tuple[Worker, Mapping[str, float | None]]:
        key = contestant.build, tuple(contestant.variables.items())
        if key not in self._seats:
            label = contestant.label
            seat = Worker(
                *(Seat, self.ground.folder, label, self._threads),
                threads=self._threads,
                variables=contestant.variables,
            )
            built = seat.call("build")
            self._seats[key] = seat, built
            print(f"  {label}: built in {built['build seconds']} s, {built['memory MiB']} MiB")
        return self._seats[key]

    def truth(self, name: str, k: int) -> tuple[list[Question], list[Exact]]:
        """The questions of a set with their true answers, at least the first k rows."""
        if self._depth.get(name, 0) < k:
            questions = self.ground.questions(name)
            self._truth[name] = questions, marks.truth(self.ground, questions, k)
            self._depth[name] = k
        return self._truth[name]

    def hold(
        self,
        name: str,
        tuning: str,
        *,
        k: int,
        rounds: int,
        patience: float = 10.0,
        only: str = "",
    ) -> dict[str, Any]:
        """What each entry reached on a set of questions, tuned on another.

        Who would need more than `patience` seconds a round answers every second, third, … of them.
        """
        tuned: dict[str, tuple[Trial, list[Trial]]] = {}
        for entry in self._able(only):
            with self._falling(entry):
                tuned[entry.label] = self._tuned(entry, tuning, k, patience)
        size = len(self.ground.questions(name))
        places = {label: spread(size, patience / one.seconds) for label, (one, _) in tuned.items()}
        said: dict[str, tuple[str, list[Rows]]] = {}
        seconds: dict[str, list[list[float]]] = {}
        for turn in range(rounds):
            if not (entries := self._able(only)):
                message = "nobody is left in the contest"
                raise Fallen(message)
            start = turn % len(entries)
            for entry in (*entries[start:], *entries[:start]):
                asked = name, places[label := entry.label], k, tuned[label][0].options
                with self._falling(entry):
                    *said[label], took = entry.seat.call("ask", *asked)
                    seconds.setdefault(label, []).append(took)
        times = {label: np.array(took) for label, took in seconds.items()}
        found = {
            label: {
                "configuration": said[label][0],
                "is plain FAISS": entry.is_plain,
                "tuned": _as_row(tuned[label][0]),
                **self._marked(name, places[label], said[label][1], k),
                **marks.speed(times[label]),
                **entry.built,
                "front": [_as_row(trial) for trial in marks.front(tuned[label][1])],
            }
            for label, entry in ((one.label, one) for one in self._able(only))
        }
        for label, one in found.items():
            # In a peer's favour: what was enough while it was tuned stays enough.
            one["has enough"] = max(tuned[label][0].recall, one["recall"]) >= marks.ENOUGH
        standings.compare(found, places, times)
        return found

    def _able(self, only: str) -> list[Entry]:
        return [one for one in self.entries if only in one.label]

    @contextmanager
    def _falling(self, entry: Entry) -> Iterator[None]:
        """Whoever fails is named and out; the others go on."""
        try:
            yield
        except Fallen as trouble:
            print(f"  {entry.label}: fell out. {trouble}")
            self.entries.remove(entry)

    def _tuned(self, entry: Entry, name: str, k: int, patience: float) -> tuple[Trial, list[Trial]]:
        """The best configuration, and all that were tried."""
        size = len(self.ground.questions(name))
        if len(entry.grid) == 1:
            trial = self._tried(entry, entry.grid[0], name, spread(size, size / _FIRST), k)
            return trial, [trial]
        tried = [
            self._tried(entry, one, name, spread(size, size / _FIRST), k) for one in entry.grid
        ]
        able: list[Trial] = []
        others: list[Trial] = []
        for one in marks.promising(tried, _NEARLY, _FINALISTS):
            places = spread(size, patience / one.seconds)
            trial = self._tried(entry, one.options, name, places, k)
            (able if trial.recall >= marks.ENOUGH else others).append(trial)
            if len(able) == _FINALISTS:
                break
        again = [
            self._tried(entry, one.options, name, spread(size, patience / one.seconds), k)
            for one in able
        ]
        able = [min(pair, key=lambda one: one.seconds) for pair in zip(able, again, strict=True)]
        chosen = marks.best(able or others, marks.ENOUGH)
        print(f"  {entry.label}: {len(tried)} configurations, {_as_row(chosen)}")
        return chosen, tried

    def _tried(
        self, entry: Entry, options: Mapping[str, Option], name: str, places: Rows, k: int
    ) -> Trial:
        _, answers, seconds = entry.seat.call("ask", name, places, k, options)
        recall = [one.recall for one in self.given(name, places, answers, k)]
        return Trial(options, float(np.mean(recall)), float(np.mean(seconds)))

    def given(self, name: str, places: Rows, answers: Sequence[Rows], k: int) -> list[Mark]:
        """The marks of answers to some questions of a set."""
        questions, exact = self.truth(name, k)
        return [
            marks.mark(self.ground, questions[place], exact[place], rows, k)
            for place, rows in zip(places, answers, strict=True)
        ]

    def _marked(self, name: str, places: Rows, answers: Sequence[Rows], k: int) -> dict[str, Any]:
        _, exact = self.truth(name, k)
        shares = [exact[place].eligible / len(self.ground) for place in places]
        given = self.given(name, places, answers, k)
        return {"questions": len(places), **marks.report(given, shares)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for seat, _ in self._seats.values():
            seat.close()


def spread(size: int, count: float) -> Rows:
    """About so many of the places 0..size-1, evenly spaced; ten at least, where there are ten."""
    count = min(size, max(10, int(count)))
    return np.unique(np.linspace(0, size - 1, count).round().astype(np.int64))


def _with_and_without_cache(
    contestant: Contestant,
) -> Iterator[tuple[str, tuple[Mapping[str, Option], ...]]]:
    for mode, is_cached in (("", False), (", filters cached", True)):
        grid = tuple(one for one in contestant.grid if bool(one.get("cached")) is is_cached)
        if grid:
            yield contestant.label + mode, grid


def _as_row(trial: Trial) -> dict[str, Any]:
    return {
        "recall": round(trial.recall, 4),
        "ms": marks.figure(1000 * trial.seconds),
        **trial.options,
    }
