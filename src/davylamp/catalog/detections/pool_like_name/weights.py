"""Weights of the name score, written by bench/train_pool_like_name.py."""

from __future__ import annotations

from collections.abc import Mapping

# Below this a name is not reported: a little above even odds, where only `mine` within a word stands.
LEAST_SCORE = 0.2
INTERCEPT = -1.8
WEIGHTS: Mapping[str, float] = {
    "algorithm_word_domain": 3.0,
    "algorithm_word_host": 3.1,
    "coin_glued_domain": 2.8,
    "coin_glued_host": 0.7,
    "coin_word_domain": 2.0,
    "coin_word_host": 3.6,
    "door_beside_core": 0.6,
    "hash_glued_domain": 3.0,
    "mine_glued_domain": 1.9,
    "mine_word_domain": 1.9,
    "mine_word_host": 1.6,
    "pool_glued_domain": 3.6,
    "pool_glued_host": 0.2,
    "pool_word_domain": 1.7,
    "pool_word_host": 3.0,
    "stratum_word_domain": 3.0,
    "stratum_word_host": 3.0,
    "vague_coin_word_domain": -0.0,
    "vague_coin_word_host": 1.0,
}
