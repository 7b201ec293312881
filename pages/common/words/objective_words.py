"""The objectives of the attack in words: the paper's, and two of ours."""

NAMES = {"higher_ranked": "Algorithm 3", "accurate": "accurate", "quiet": "quiet"}
MEANINGS = {
    "accurate": "“accurate” raises the target above a softmax of all scores, from every other "
    "start as the paper does, keeps the training loss low, and goes on after it has arrived",
    "quiet": "“quiet” pulls alike, and keeps every prediction and every other sample's score",
}
