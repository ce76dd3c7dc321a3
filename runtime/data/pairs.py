"""`pairs(…)`: each sample of a set beside a partner of the same or of another class, dealt out by seed, anew for each epoch."""

from __future__ import annotations

import numpy as np

from dslc.ops.philox import stream_of, uniform

Arrays = dict[str, np.ndarray]


def paired(arrays: Arrays, same: float, seed: int, split: str, epoch: int = 0) -> Arrays:
    """`left` (every sample once), `right` (its partner) and `same` (1 or 0), from `image` and `label`.

    Whether the partner is of the same class (with probability `same`) and who it is are functions of (seed, epoch, split, sample
    number); what is evaluated has the pairs of epoch 0.
    Where a class has one sample only, it is its own partner; where there is one class only, all pairs are of it.
    """
    image, label = arrays["image"], arrays["label"].astype(np.int64)
    count = len(label)
    key = np.array([seed, epoch, 0], np.int64)
    coin, place = (np.asarray(uniform(np, key, stream_of(f"pairs.{split}.{what}"), (count,), "float64")) for what in ("coin", "place"))
    order = np.argsort(label, kind="stable")  # samples by class
    starts = np.searchsorted(label[order], np.arange(label.max() + 2))
    begin, end = starts[label], starts[label + 1]
    inside, outside = end - begin, count - (end - begin)
    alike = (coin < same) | (outside == 0)
    # the k-th of the class but itself, or the k-th of all others
    own = np.empty(count, np.int64)
    own[order] = np.arange(count)
    k = np.floor(place * np.where(alike, np.maximum(inside - 1, 1), outside)).astype(np.int64)
    among = begin + np.where(inside > 1, (own - begin + 1 + k) % np.maximum(inside, 1), 0)
    other = np.where(k < begin, k, k + inside)
    right = order[np.where(alike, among, np.minimum(other, count - 1))]
    return {"left": image, "right": image[right], "same": alike.astype(np.float32)}
