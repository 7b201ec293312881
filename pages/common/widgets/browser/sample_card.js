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
