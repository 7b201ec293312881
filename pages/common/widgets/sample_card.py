"""The card beside a hovered point: the sample's picture or, without one, its unusual features.

Plotly's hovers hold text alone, and thousands of pictures in a page would be megabytes that nobody
looks at: the browser says which sample it points at, and the answer brings that sample's card.
"""

from collections.abc import Mapping

import streamlit as st

from pages.common.samples import Samples

ASK_AFTER_MS = 90  # of pointing at one sample: a pointer that passes over asks for nothing
STYLE = """
.ial-card {position: fixed; z-index: 1000; display: none; pointer-events: none;
  padding: .3rem .4rem; border-radius: .35rem; border: 1px solid rgba(134,142,150,.6);
  background: var(--st-background-color); color: var(--st-text-color); font-size: .75rem;
  line-height: 1.35; box-shadow: 0 2px 8px rgba(0,0,0,.18); max-width: 15rem;}
.ial-card img {display: block; width: 64px; height: auto; border-radius: .2rem;}
"""
SCRIPT = """
export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let card = parentElement.querySelector('.ial-card');
  if (!card) {
    card = document.createElement('div');
    card.className = 'ial-card';
    card.setAttribute('aria-hidden', 'true');
    parentElement.appendChild(card);
    card.known = new Map();
  }
  if (card.content !== data.content) { card.known.clear(); card.content = data.content; }
  if (data.sample !== null) card.known.set(data.sample, data);
  card.ask = (sample) => setStateValue('sample', sample);
  card.at = data.at;
  if (!card.live) listen(card, '.st-key-' + CSS.escape(data.chart), data.wait);
  show(card);
  return card.stop;
}

function show(card) {
  const found = card.known.get(card.wanted);
  if (!found) { card.style.display = 'none'; return; }
  card.replaceChildren();
  if (found.picture) {
    const picture = document.createElement('img');
    picture.src = found.picture;
    card.appendChild(picture);
  }
  for (const line of found.lines) {
    const row = document.createElement('div');
    row.textContent = line;
    card.appendChild(row);
  }
  card.dataset.sample = found.sample;
  card.style.display = 'block';
  const { width, height } = card.getBoundingClientRect();
  const left = Math.min(Math.max(card.x - width / 2, 4), innerWidth - width - 4);
  const below = card.y + 28 + height < innerHeight;
  card.style.left = left + 'px';
  card.style.top = (below ? card.y + 28 : card.y - 28 - height) + 'px';
}

function listen(card, selector, wait) {
  const hide = () => {
    card.wanted = null;
    clearTimeout(card.timer);
    card.style.display = 'none';
  };
  const hover = (event) => {
    const point = event.points.find(
      (p) => p.customdata && Number.isInteger(p.customdata[card.at]));
    if (!point) return hide();
    const sample = point.customdata[card.at];
    Object.assign(card, { wanted: sample, x: event.event.clientX, y: event.event.clientY });
    clearTimeout(card.timer);
    if (!card.known.has(sample)) card.timer = setTimeout(() => card.ask(sample), wait);
    show(card);
  };
  const attach = (chart) => {
    chart.removeListener('plotly_hover', hover);
    chart.removeListener('plotly_unhover', hide);
    chart.on('plotly_hover', hover);
    chart.on('plotly_unhover', hide);
    card.chart = chart;
  };
  // Streamlit may draw the chart after this, or anew: it is looked up when the pointer enters it.
  const enter = (event) => {
    const within = event.target.closest && event.target.closest(selector);
    const chart = within && within.querySelector('.js-plotly-plot');
    const entered = chart !== card.chart || !within.contains(event.relatedTarget);
    if (chart && chart.on && entered) attach(chart);
  };
  document.addEventListener('pointerover', enter);
  document.addEventListener('scroll', hide, true);
  if (card.chart && card.chart.on) attach(card.chart);
  card.live = true;
  card.stop = () => {
    card.live = false;
    hide();
    document.removeEventListener('pointerover', enter);
    document.removeEventListener('scroll', hide, true);
    if (card.chart && card.chart.removeListener) {
      card.chart.removeListener('plotly_hover', hover);
      card.chart.removeListener('plotly_unhover', hide);
    }
  };
}
"""
CARD = st.components.v2.component("sample_card", css=STYLE, js=SCRIPT, isolate_styles=False)


def answer(samples: Samples, index: object) -> Mapping[str, object]:
    """What the card of a sample shows; of none, where the browser asks for none of them."""
    if not isinstance(index, int) or not 0 <= index < len(samples):
        return {"sample": None}
    picture = samples.thumbnail(index)
    lines = [] if picture else samples.features(index)
    return {"sample": index, "picture": picture, "lines": lines}


@st.fragment
def sample_card(chart: str, samples: Samples, at: int) -> None:
    """The card of the chart with this key; `at` is the place of a sample's index in the custom data
    of its points."""
    key = f"card-{chart}"
    asked = (st.session_state.get(key) or {}).get("sample")
    CARD(
        key=key,
        data={
            "chart": chart,
            "content": samples.dataset.content_hash,
            "at": at,
            "wait": ASK_AFTER_MS,
            **answer(samples, asked),
        },
        on_sample_change=lambda: None,
    )
