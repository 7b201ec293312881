// A threshold under one's own hands: marks in rows on a log axis, and what the threshold flags.
// Everything is counted here, from the numbers themselves; nothing is sent while it is dragged.
export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let root = parentElement.querySelector('.ial-threshold');
  if (root && root.shown !== data.id) { root.sized.disconnect(); root.remove(); root = null; }
  if (!root) {
    root = gate(data);
    parentElement.appendChild(root);
  }
  root.tell = (exponent) => setStateValue('exponent', exponent);
  return () => root.sized.disconnect();
}

const HANDLE = 8;  // px: half of the slider's handle

// How many of `values` are flagged: at or above the threshold, or above it where that is `strict`.
function flagged(values, threshold, strict) {
  return values.reduce((sum, v) => sum + (strict ? v > threshold : v >= threshold), 0);
}

// What is read of the threshold: how many are flagged, in words, and whether anything is.
function read(one, threshold, strict) {
  const over = flagged(one.values, threshold, strict);
  const count = one.below ? one.values.length - over : over;
  const total = one.total ?? one.values.length;
  const many = [count, total].map((v) => v.toLocaleString('en')).join(' of ');
  const text = one.percent ? wholePercent(total ? count / total : 0) : many;
  return { count, text, end: one.verdicts ? one.verdicts[count ? 1 : 0] : many,
    strong: count > 0 };
}

function gate(data) {
  const root = document.createElement('div'), words = data.words;
  Object.assign(root, { className: 'ial-live ial-threshold', shown: data.id });
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', words.label);
  const field = element(root, 'label', 'field'), head = element(field, 'span', 'head', words.slider);
  const shown = element(head, 'output'), range = element(field, 'input');
  Object.assign(range, { type: 'range', min: data.low, max: data.high, step: data.step,
    value: data.exponent });
  range.setAttribute('aria-label', words.slider);
  const marks = element(root, 'canvas', 'marks');
  marks.setAttribute('role', 'img');
  marks.dataset.figure = 'threshold';
  const said = element(root, 'div', 'said');
  said.setAttribute('aria-live', 'polite');

  function draw() {
    const exponent = Number(range.value), threshold = 10 ** exponent;
    shown.textContent = written(threshold);
    range.setAttribute('aria-valuetext', written(threshold));
    const reads = data.reads.map((one) => read(one, threshold, data.strict));
    const counts = reads.filter((_, i) => !data.reads[i].aside).map((one) => one.count);
    Object.assign(root.dataset, { threshold, counts: counts.join(' ') });
    const sentence = words.sentence.replace(/\{(\d)\}/g, (_, i) => reads[i].text)
      .replace('{threshold}', written(threshold));
    marks.setAttribute('aria-label', sentence);
    drawMarks(marks, data, exponent, reads);
    const { left, right } = marks.margins;  // the handle stands over the line
    Object.assign(range.style, { marginLeft: `${left - HANDLE}px`,
      width: `calc(100% - ${left + right - 2 * HANDLE}px)` });
    return sentence;
  }

  const commit = () => { said.textContent = draw(); root.tell(Number(range.value)); };
  range.oninput = draw;
  range.onchange = commit;
  const drag = (event) => {
    const box = marks.getBoundingClientRect(), { left, right } = marks.margins;
    const share = (event.clientX - box.left - left) / (box.width - left - right);
    range.value = data.low + share * (data.high - data.low);
    draw();
  };
  marks.onpointerdown = (event) => { marks.setPointerCapture(event.pointerId); drag(event); };
  marks.onpointermove = (event) => { if (event.buttons) drag(event); };
  marks.onpointerup = commit;
  root.sized = new ResizeObserver(draw);
  root.sized.observe(root);
  draw();
  return root;
}

// The rows of marks: those that are flagged are strong, the others faint; a ring is the target's.
function drawMarks(made, data, exponent, reads) {
  const px = parseFloat(getComputedStyle(made).fontSize), size = px < 20 ? .85 * px : px;
  const scale = size / 13.6, wide = made.clientWidth > 520, few = data.rows.length < 8;
  const left = wide ? 182 * scale : 12, right = wide ? 112 * scale : 10, top = 26 * scale;
  const step = scale * (wide ? (few ? 52 : 23) : (few ? 54 : 34));
  const spread = scale * (few ? (wide ? 17 : 13) : 7);
  const bottom = top + step * data.rows.length, high = bottom + 42 * scale;
  made.margins = { left, right };
  const { ctx, width, hue, ink, font } = canvas(made, high);
  if (!width) return;
  const span = data.high - data.low, inside = width - left - right;
  const x = (e) => left + inside * Math.min(Math.max((e - data.low) / span, 0), 1);
  ctx.clearRect(0, 0, width, high);
  ctx.font = `${size}px ${font}`;
  ctx.textBaseline = 'middle';
  ctx.fillStyle = 'rgba(134,142,150,.16)';
  ctx.fillRect(x(exponent), top, x(data.high) - x(exponent), bottom - top);
  data.rows.forEach((row, r) => {
    const base = top + step * r, middle = wide ? base + step / 2 : base + step - spread - 3;
    ctx.globalAlpha = 1;
    ctx.fillStyle = ink;
    ctx.textAlign = wide ? 'right' : 'left';
    const line = wide ? middle - (row.note ? 8 * scale : 0) : base + 8 * scale;
    ctx.font = `${row.note ? 600 : 400} ${size}px ${font}`;
    ctx.fillText(row.label, wide ? left - 10 : 2, line);
    const after = ctx.measureText(row.label + ' ').width + 2;
    ctx.font = `${size}px ${font}`;
    if (row.note) {
      ctx.fillStyle = ink;
      ctx.fillText(row.note, wide ? left - 10 : after, wide ? middle + 9 * scale : line);
    }
    const end = row.read === undefined ? null : reads[row.read];
    if (end) {
      ctx.fillStyle = ink;
      ctx.textAlign = wide ? 'left' : 'right';
      ctx.font = `${end.strong ? 600 : 400} ${size}px ${font}`;
      ctx.fillText(end.end, wide ? width - right + 12 : width - right, wide ? middle : line);
      ctx.font = `${size}px ${font}`;
    }
    const colour = hue(row.colour);
    row.values.forEach((value, i) => {
      const e = Math.log10(Math.max(value, data.smallest));
      const over = data.strict ? value > 10 ** exponent : value >= 10 ** exponent;
      ctx.globalAlpha = over ? .9 : .35;
      mark(ctx, row.shape, x(e), middle + row.heights[i] * spread,
        (row.size || 3.5) * scale, colour);
    });
    if (row.ringed !== undefined) {
      ctx.globalAlpha = 1;
      const e = Math.log10(Math.max(row.values[row.ringed], data.smallest));
      mark(ctx, 'ring', x(e), middle, 8 * scale, hue('target'));
    }
  });
  ctx.globalAlpha = 1;
  ctx.strokeStyle = hue('limit');
  ctx.lineWidth = 2;
  ctx.setLineDash([6, 4]);
  ctx.beginPath();
  ctx.moveTo(x(exponent), top - 6);
  ctx.lineTo(x(exponent), bottom);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.fillStyle = ink;
  const late = x(exponent) > width - 90 * scale;
  ctx.textAlign = late ? 'right' : 'left';
  ctx.fillText(late ? `← ${data.words.flagged}` : `${data.words.flagged} →`,
    x(exponent) + (late ? -6 : 6), top - 14 * scale);
  ctx.textAlign = 'center';
  const every = Math.ceil(span / Math.max(inside / (46 * scale), 1));
  for (let e = Math.ceil(data.low); e <= data.high; e++) {
    if (((e % every) + every) % every) continue;
    ctx.fillText(e === 0 ? '1' : `10${raised(e)}`, x(e), bottom + 12 * scale);
  }
  ctx.textAlign = 'right';
  ctx.fillText(data.words.axis, width - right, bottom + 32 * scale);
}

// An exponent in raised digits.
function raised(e) {
  return String(e).replace(/[-\d]/g, (c) => (c === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(c)]));
}
