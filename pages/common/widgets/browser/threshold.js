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
  root.listen();
  root.tell = (exponent) => setStateValue('exponent', exponent);
  return () => root.sized.disconnect();
}

const HANDLE = 8;  // px: half of the slider's handle
const MANY = 200;  // marks of a row: more of them would be a block

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
    const told = words.share ? inWords(threshold) : inDigits(threshold);
    shown.textContent = told;
    range.setAttribute('aria-valuetext', told);
    const reads = data.reads.map((one) => read(one, threshold, data.strict));
    const counts = reads.filter((_, i) => !data.reads[i].aside).map((one) => one.count);
    Object.assign(root.dataset, { threshold, counts: counts.join(' ') });
    const sentence = words.sentence.replace(/\{(\d)\}/g, (_, i) => reads[i].text)
      .replace('{threshold}', told);
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
  root.listen = () => { root.sized.observe(root); draw(); };  // on the page, where it has a width
  return root;
}

// Where the rows of marks lie: on a narrow screen their names stand above the marks.
function layoutOf(made, data) {
  const px = parseFloat(getComputedStyle(made).fontSize), size = px < 20 ? .85 * px : px;
  const scale = size / 13.6, wide = made.clientWidth > 520;
  const top = 26 * scale, step = (wide ? 56 : 60) * scale;
  return { size, scale, wide, top, step, bottom: top + step * data.rows.length,
    left: wide ? 186 * scale : 12, right: wide ? 112 * scale : 10,
    spread: (wide ? 21 : 14) * scale, named: wide ? 0 : 20 * scale };
}

// The rows of marks: those that are flagged are strong, the others faint; a ring is the target's.
function drawMarks(made, data, exponent, reads) {
  const at = layoutOf(made, data), { size, scale, wide, top, step, bottom, left, right } = at;
  const high = bottom + (data.words.axis ? 42 : 24) * scale;
  made.margins = { left, right };
  const { ctx, width, hue, ink, font } = canvas(made, high);
  if (!width) return;
  const span = data.high - data.low, inside = width - left - right;
  const x = (e) => left + inside * Math.min(Math.max((e - data.low) / span, 0), 1);
  const write = (text, px, py, align = 'left', weight = 400) => {
    Object.assign(ctx, { fillStyle: ink, textAlign: align, font: `${weight} ${size}px ${font}` });
    ctx.fillText(text, px, py);
    return ctx.measureText(text + ' ').width;
  };
  ctx.clearRect(0, 0, width, high);
  ctx.textBaseline = 'middle';
  data.rows.forEach((row, r) => {
    const base = top + step * r, middle = base + at.named + (step - at.named) / 2;
    ctx.fillStyle = 'rgba(134,142,150,.16)';  // not behind a name that stands above the marks
    ctx.fillRect(x(exponent), base + at.named, x(data.high) - x(exponent), step - at.named);
    const line = wide ? middle - 8 * scale : base + 12 * scale, end = reads[row.read];
    const long = write(row.label, wide ? left - 10 : 2, line, wide ? 'right' : 'left', 600);
    write(row.note, wide ? left - 10 : 4 + long, wide ? middle + 9 * scale : line,
      wide ? 'right' : 'left');
    write(end.end, wide ? width - right + 12 : width - right, wide ? middle : line,
      wide ? 'left' : 'right', end.strong ? 600 : 400);
    const colour = hue(row.colour), place = (value) => Math.log10(Math.max(value, data.smallest));
    row.values.forEach((value, i) => {
      const over = data.strict ? value > 10 ** exponent : value >= 10 ** exponent;
      ctx.globalAlpha = over ? .9 : row.values.length > MANY ? .2 : .45;
      mark(ctx, row.shape, x(place(value)), middle + row.heights[i] * at.spread, row.size * scale,
        colour);
    });
    ctx.globalAlpha = 1;
    if (row.ringed !== undefined) {
      mark(ctx, 'ring', x(place(row.values[row.ringed])), middle, 8 * scale, hue('target'));
      if (row.said && wide) {  // above the ring, and within the rows
        const half = ctx.measureText(row.said).width / 2;
      const ring = x(place(row.values[row.ringed])) - 28 * scale;  // not over marks to its right
        write(row.said, Math.min(Math.max(ring, left + half), width - right - half - 2),
          middle - 17 * scale, 'center');
      }
    }
    stroke(ctx, hue('limit'), 2, [6, 4], [x(exponent), base + at.named], [x(exponent), base + step]);
  });
  drawHead(ctx, data, at, x, exponent, write, width);
  drawAxis(ctx, data, at, x, write, width, hue);
}

// What stands below the rows: sizes, or parts in words, which need a step of thousands; then the
// axis's name, beside what its left end means where that is said.
function drawAxis(ctx, data, at, x, write, width, hue) {
  const { bottom, scale, left, right } = at, span = data.high - data.low, words = data.words;
  const inside = width - left - right, fits = inside / ((words.share ? 100 : 46) * scale);
  stroke(ctx, hue('honest'), 1, [], [left, bottom], [width - right, bottom]);
  let every = Math.ceil(span / Math.max(fits, 1));
  if (words.share) every = 3 * Math.ceil(every / 3);
  for (let e = Math.ceil(data.low); e <= data.high; e++) {
    if (((e % every) + every) % every || (words.share && e < -12)) continue;
    const said = words.share ? inWords(10 ** e) : inDigits(10 ** e);
    const last = words.share && e === data.high;
    write(said, x(e), bottom + 14 * scale, last ? 'right' : 'center');
    stroke(ctx, hue('honest'), 1, [], [x(e), bottom], [x(e), bottom + 5 * scale]);
  }
  if (!words.axis) return;
  const line = bottom + 32 * scale;
  if (words.left) write(words.left, left, line);
  write(words.axis, words.left ? width - right : left + inside / 2, line,
    words.left ? 'right' : 'center');
}

// What stands above the rows: which side is flagged, and what the last column says.
function drawHead(ctx, data, at, x, exponent, write, width) {
  const { top, scale, wide, right } = at, line = top - 14 * scale, words = data.words;
  ctx.font = `400 ${at.size}px ${ctx.font.split('px ')[1]}`;
  const text = `${words.flagged} →`, long = ctx.measureText(text).width;
  const late = x(exponent) + 6 + long > width - (wide ? right - 4 : 4);
  write(text, x(exponent) + (late ? -6 : 6), line, late ? 'right' : 'left');
  if (words.free && !late) write(`← ${words.free}`, x(exponent) - 6, line, 'right');
  if (wide) write(words.column, width - right + 12, line, 'left', 600);
}

function stroke(ctx, colour, width, dash, first, ...rest) {
  Object.assign(ctx, { strokeStyle: colour, lineWidth: width });
  ctx.setLineDash(dash);
  ctx.beginPath();
  ctx.moveTo(...first);
  rest.forEach((point) => ctx.lineTo(...point));
  ctx.stroke();
  ctx.setLineDash([]);
}

// A part of something in words: '1 millionth', '0.5%'.
function inWords(share) {
  if (share >= .1) return wholePercent(share);
  const digits = (unit) => Number((share / unit).toPrecision(2));
  if (digits(1) >= 1e-3) return `${digits(.01)}%`;
  const [unit, name] = [[1e-6, 'millionth'], [1e-9, 'billionth'], [1e-12, 'trillionth']]
    .find(([size]) => digits(size) >= 1 || size === 1e-12);
  return `${digits(unit)} ${name}${digits(unit) === 1 ? '' : 's'}`;
}

// A number with two digits, as the axis writes powers: '0.05', '5.0 × 10⁻⁷'.
function inDigits(v) {
  if (v >= 1e-3) return String(Number(v.toPrecision(2)));
  const [digits, power] = v.toExponential(1).split('e');
  return `${digits === '1.0' ? '' : `${digits} × `}10${raised(Number(power))}`;
}

// An exponent in raised digits.
function raised(e) {
  return String(e).replace(/[-\d]/g, (c) => (c === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(c)]));
}
