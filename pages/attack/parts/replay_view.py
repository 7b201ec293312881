"""The replay of a finished attack on a page: found beside its result, or offered."""

import streamlit as st

from engine.attacks.result import AttackResult, Replay
from engine.experiments import AttackRequest, ReplayRequest
from engine.options import taken_from
from engine.results.store import Stored
from pages.common.asking import door
from pages.common.samples import Samples
from pages.common.widgets import replay, sign, unfold


def replay_of(stored: Stored, request: AttackRequest) -> Replay | None:
    """Return the steps that lead to a stored attack: its own, or those computed for it later; None
    where there are none, or where the later ones lead elsewhere."""
    result: AttackResult = stored.result
    if result.replay is not None:
        return result.replay
    later = door.find("replay", taken_from(ReplayRequest, request))
    return later.result if later is not None and later.result.ends_in(result) else None


def show(stored: Stored, request: AttackRequest, samples: Samples) -> None:
    """Show the player, or how to get it."""
    found = replay_of(stored, request)
    if found is None:
        offer(taken_from(ReplayRequest, request))
        return
    result: AttackResult = stored.result
    st.caption("The figure begins before the attack. Press *Play* to watch the sample move.")
    words = replay.Words(f"sample {result.targets[0]}")
    replay.play(replay.film(result, found, samples, words), f"replay-{stored.folder.name}")
    st.caption(
        "Each picture is a training sample, rank 1 first. Yellow: the first tenth under the "
        "honest model. Orange frame: the attacked sample."
    )
    sign.note("replay", request.order)


@unfold.section("Watch this attack step by step", "replay-offer")
def offer(asked: ReplayRequest) -> None:
    """Offer to make the attack again for its steps."""
    if door.find("replay", asked) is not None:
        st.caption(
            "Made again here, this attack took another path: there is no replay of this result."
        )
        return
    door.offer(
        [door.Computation.of("replay", asked)],
        "This result was kept before the lab recorded steps. The attack is made again for them.",
        "step",
    )
