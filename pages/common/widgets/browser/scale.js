// The factor on a model's weights under one's own hands: the repaired model's gap at every factor that
// is computed. Between these nothing is known: each takes a linear programme and a training.
export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let root = parentElement.querySelector('.ial-scale');
  if (root && root.shown !== data.id) { root.sized.disconnect(); root.remove(); root = null; }
  if (!root) {
    root = dial(data);
    parentElement.appendChild(root);
  }
  root.listen();
  root.tell = (scale) => setStateValue('scale', scale);
  return () => root.sized.disconnect();
}

function dial(data) {
  const root = document.createElement('div'), words = data.words;
  Object.assign(root, { className: 'ial-live ial-scale', shown: data.id });
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', words.label);
  const field = element(root, 'label', 'field'), head = element(field, 'span', 'head', words.slider);
  const shown = element(head, 'output'), range = element(field, 'input');
  Object.assign(range, { type: 'range', min: 0, max: data.scales.length - 1, step: 1,
    value: data.place });
  range.setAttribute('aria-label', words.slider);
  const ends = element(field, 'span', 'ends');
  for (const text of words.ends) element(ends, 'span', '', text);
  const read = element(root, 'dl', 'reads');
  const values = words.reads.map((name) => {
    const box = element(read, 'div');
    element(box, 'dt', '', name);
    return { main: element(box, 'dd'), note: element(box, 'dd', 'note') };
  });
  const bars = element(root, 'canvas', 'bars');
  bars.setAttribute('role', 'img');
  bars.dataset.figure = 'scale';
  const said = element(root, 'div', 'said');
  said.setAttribute('aria-live', 'polite');
  const signed = (v) => (v === null ? '–' : `${v < 0 ? '−' : '+'}${Math.abs(100 * v).toFixed(1)}`);
  const percent = (v) => (v === null ? '–' : `${(100 * v).toFixed(1)}%`);

  function draw() {
    const one = data.scales[Number(range.value)], honest = data.scales[data.honest];
    shown.textContent = one.name;
    range.setAttribute('aria-valuetext', one.name);
    const texts = [[`${one.changed}`, words.rows], [signed(one.gap),
      one.gap === null ? '' : words.points[Number(one.gap > 0)]],
      [percent(one.accuracy), `${words.without} ${percent(honest.accuracy)}`]];
    values.forEach((value, i) => {
      [value.main.textContent, value.note.textContent] = texts[i];
    });
    Object.assign(root.dataset, { scale: one.scale, changed: one.changed, gap: one.gap ?? '',
      accuracy: one.accuracy ?? '', low: one.low ?? '', high: one.high ?? '' });
    const sentence = one.gap === null ? words.none.replace('{scale}', one.name)
      : words.sentence.replace('{scale}', one.name).replace('{changed}', one.changed)
        .replace('{gap}', signed(one.gap)).replace('{honest}', signed(honest.gap));
    bars.setAttribute('aria-label', sentence);
    drawBars(bars, data, one, honest, signed);
    return sentence;
  }

  range.oninput = draw;
  range.onchange = () => {
    said.textContent = draw();
    root.tell(data.scales[Number(range.value)].name);
  };
  root.sized = new ResizeObserver(draw);
  root.listen = () => { root.sized.observe(root); draw(); };  // on the page, where it has a width
  return root;
}

// Three bars on one axis of points: before the repair, repaired, and repaired at the chosen scale.
function drawBars(made, data, one, honest, signed) {
  const wide = made.clientWidth > 560, step = wide ? 44 : 62;
  const line = 1.5 * noteSize(), high = 3 * step + 2 * line;
  const { ctx, width, hue, ink, font, size } = canvas(made, high);
  if (!width) return;
  const ends = [data.before, ...data.scales.flatMap((s) => [s.low, s.high, s.gap])]
    .filter((v) => v !== null);
  const low = Math.min(0, ...ends), most = Math.max(0, ...ends);
  const number = 4.2 * size, right = most > 0 ? number : 8;  // a number beside each bar
  const labels = wide ? 14 * size : 8, left = labels + (low < 0 ? number : 0);
  const x = (v) => left + (width - left - right) * (v - low) / (most - low || 1);
  ctx.clearRect(0, 0, width, high);
  ctx.font = `${size}px ${font}`;
  ctx.textBaseline = 'middle';
  const before = { gap: data.before, low: null, high: null };
  [[data.words.before, before, hue('honest'), .55], [data.words.honest, honest, hue('honest'), 1],
    [data.words.scaled.replace('{scale}', one.name), one, hue('attacked'), 1],
  ].forEach(([label, row, colour, strength], i) => {
    const base = step * i, middle = base + (wide ? step / 2 : step - 20);
    ctx.fillStyle = ink;
    ctx.textAlign = wide ? 'right' : 'left';
    ctx.fillText(label, wide ? labels - 12 : labels, wide ? middle : base + 14);
    ctx.textAlign = 'left';
    ctx.strokeStyle = 'rgba(134,142,150,.9)';
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(x(0), middle - 18);
    ctx.lineTo(x(0), middle + 18);
    ctx.stroke();
    if (row.gap === null) { ctx.fillText(data.words.nothing, x(0) + 6, middle); return; }
    ctx.fillStyle = colour;
    ctx.globalAlpha = strength;
    ctx.fillRect(Math.min(x(0), x(row.gap)), middle - 12, Math.abs(x(row.gap) - x(0)), 24);
    ctx.globalAlpha = 1;
    ctx.fillStyle = ink;
    const below = row.gap < 0, end = (below ? row.low : row.high) ?? row.gap;
    ctx.textAlign = below ? 'right' : 'left';
    ctx.fillText(signed(row.gap), x(end) + (below ? -8 : 8), middle);
    if (row.low === null) return;
    ctx.strokeStyle = ink;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.moveTo(x(row.low), middle);
    ctx.lineTo(x(row.high), middle);
    for (const end of [row.low, row.high]) {
      ctx.moveTo(x(end), middle - 5);
      ctx.lineTo(x(end), middle + 5);
    }
    ctx.stroke();
  });
  ctx.fillStyle = ink;
  ctx.textAlign = 'center';
  const [below, above] = data.words.ahead;
  ctx.fillText('0', x(0), 3 * step + line / 2);
  ctx.textAlign = 'left';
  ctx.fillText(above + ' ▶', x(0) + 14, 3 * step + line / 2);
  ctx.textAlign = 'right';
  ctx.fillText('◀ ' + below, x(0) - 14, 3 * step + line / 2);
  ctx.textAlign = 'center';
  const [half, wider, other] = [data.words.axis, above, below].map((t) => ctx.measureText(t).width / 2);
  const centre = x(0) + wider - other;  // of the words above it
  ctx.fillText(data.words.axis, Math.max(half, Math.min(width - half, centre)), 3 * step + 1.5 * line);
}
