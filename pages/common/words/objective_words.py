"""The objectives of the attack in words: the paper's, and two of ours."""

NAMES = {
    "higher_ranked": "Algorithm 3",
    "accurate": "keep accuracy",
    "quiet": "keep predictions and ranks",
}
MEANINGS = {
    "accurate": "“keep accuracy” raises the target above a softmax of all scores, from every other "
    "start as the paper does, keeps the training loss low, and goes on after it has arrived",
    "quiet": "“keep predictions and ranks” pulls alike, and keeps every prediction and every other "
    "sample's score",
}


def quoted(objective: str) -> str:
    """Return an objective's name within a sentence: 'Algorithm 3', '“keep accuracy”'."""
    name = NAMES[objective]
    return name if name[0].isupper() else f"“{name}”"
