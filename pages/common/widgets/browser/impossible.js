// The impossible sample under one's own hands: a model of three numbers and the target's place.
// Scores are those of Theorem 1's closed form, for two classes and two features.
export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let root = parentElement.querySelector('.ial-impossible');
  if (root && root.shown !== data.id) { root.sized.disconnect(); root.remove(); root = null; }
  if (!root) {
    root = hands(data);
    parentElement.appendChild(root);
  }
  root.listen();
  root.tell = (model) => setStateValue('model', model);
  return () => root.sized.disconnect();
}

const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));

// The solution of M s = b for a symmetric positive definite 3 × 3 matrix, by Cramer's rule.
function solve3(M, b) {
  const det = (a) => a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1])
    - a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0])
    + a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
  const whole = det(M);
  return [0, 1, 2].map((j) => det(M.map((row, i) => row.map((v, c) => (c === j ? b[i] : v)))) / whole);
}

// p at the test point, the scores of all samples, and their ranks, which leave out the factor
// 1 − p that all scores share. Sample 0 is the target, samples 1 to k its copies.
function scored(X, y, w, damping) {
  const tilde = X.map(([a, b]) => [a, b, 1]), n = X.length;
  const dot = (u, v) => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
  const odds = tilde.map((x) => dot(w, x)), p = odds.map(sigmoid);
  const M = [0, 1, 2].map((i) => [0, 1, 2].map((j) => (i === j ? damping : 0) + 2 / n
    * tilde.reduce((sum, x, s) => sum + p[s] * sigmoid(-odds[s]) * x[i] * x[j], 0)));
  const s = solve3(M, tilde[0]), rest = sigmoid(-odds[0]);
  const relative = tilde.map((x, i) => 2 * (y[i] === 0 ? -sigmoid(-odds[i]) : p[i]) * dot(s, x));
  return { p: p[0], rest, scores: relative.map((v) => rest * v), gap: 2 * rest * dot(s, tilde[0]),
    ranks: relative.map((v) => 1 + relative.filter((u) => u > v).length) };
}

function hands(data) {
  const root = document.createElement('div'), words = data.words;
  Object.assign(root, { className: 'ial-live ial-impossible', shown: data.id });
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', words.label);
  const model = { ...data.model }, X = data.X.map((row) => [...row]);
  const left = element(root, 'div', 'left'), right = element(root, 'div', 'right');
  const plane = element(left, 'canvas', 'plane');
  Object.assign(plane, { tabIndex: 0 });
  plane.setAttribute('role', 'application');
  plane.dataset.ownKeys = '';
  plane.dataset.figure = 'impossible';
  element(left, 'p', 'legend', words.legend);
  const read = element(right, 'dl', 'reads');
  element(read, 'dt', '', words.rank);
  const shownRank = element(read, 'dd'), note = element(read, 'dd', 'note');
  const key = element(right, 'p', 'key', words.ranking);
  element(key, 'br');
  const marked = words.marked.map(([name, label]) => {
    const span = element(key, 'span', name, `${label}, `);
    return element(span, 'output');
  });
  const strip = element(right, 'canvas', 'strip');
  strip.setAttribute('role', 'img');
  const ranges = {};
  for (const [name, label] of words.sliders) {
    const field = element(right, 'label', 'field'), head = element(field, 'span', 'head', label);
    const shown = element(head, 'output'), range = element(field, 'input');
    Object.assign(range, { type: 'range', min: -data.high, max: data.high, step: data.step,
      value: model[name] });
    range.setAttribute('aria-label', label);
    const tell = () => { shown.textContent = Number(range.value).toFixed(1).replace('-', '−'); };
    range.oninput = () => { model[name] = Number(range.value); tell(); draw(); };
    range.onchange = () => root.tell({ ...model });
    ranges[name] = (value) => { model[name] = range.value = value; tell(); };
    tell();
  }
  const buttons = element(right, 'div', 'buttons');
  const [random, home] = [words.random, words.home].map((text) => {
    const button = element(buttons, 'button', '', text);
    button.type = 'button';
    return button;
  });
  const more = element(right, 'details', 'more');
  element(more, 'summary', '', words.more);
  const scores = element(more, 'p', 'scores');
  const field = element(more, 'label', 'field'), damping = element(field, 'select');
  field.prepend(words.damping);
  for (const value of data.dampings) element(damping, 'option', '', String(value)).value = value;
  damping.value = model.damping;
  damping.setAttribute('aria-label', words.damping);
  damping.onchange = () => {
    model.damping = Number(damping.value);
    draw();
    root.tell({ ...model });
  };
  const said = element(root, 'div', 'said');
  said.setAttribute('aria-live', 'polite');
  const reach = data.reach, places = Math.round(2 * data.high / data.step);
  let best = Infinity;

  function place(x1, x2) {
    const clip = (v) => Math.min(Math.max(v, -reach * .97), reach * .97);
    for (let i = 0; i <= data.k; i++) X[i] = [clip(x1), clip(x2)];
    home.disabled = X[0][0] === data.X[0][0] && X[0][1] === data.X[0][1];
    draw();
  }

  function draw() {
    const found = scored(X, data.y, [model.w1, model.w2, model.b], model.damping);
    const write = (v) => (Math.abs(v) >= 1e-3 || v === 0 ? v.toFixed(4) : v.toExponential(1))
      .replace('-', '−').replace('e−', 'e−');
    const signed = (v) => (v > 0 ? '+' : '') + write(v), rank = found.ranks[0];
    best = Math.min(best, rank);
    shownRank.textContent = `${rank} ${words.of}`;
    note.textContent = words.note.replace('{best}', best);
    marked.forEach((output, i) => {
      output.textContent = words.score.replace('{}', signed(found.scores[i]));
    });
    scores.textContent = words.scores.replace('{gap}', write(found.gap));
    Object.assign(root.dataset, { rank, target: found.scores[0], copy: found.scores[1],
      gap: found.gap, p: found.p });
    plane.setAttribute('aria-label', words.plane.replace('{rank}', rank));
    strip.setAttribute('aria-label', words.strip.replace('{rank}', rank));
    drawPlane(plane, X, data, model);
    drawStrip(strip, found.ranks, data.k);
  }

  const toPlane = (event) => {
    const box = plane.getBoundingClientRect();
    place((2 * (event.clientX - box.left) / box.width - 1) * reach,
      (1 - 2 * (event.clientY - box.top) / box.height) * reach);
  };
  plane.onpointerdown = (event) => {
    plane.setPointerCapture(event.pointerId);
    toPlane(event);
  };
  plane.onpointermove = (event) => { if (event.buttons) toPlane(event); };
  const say = () => { said.textContent = words.plane.replace('{rank}', root.dataset.rank); };
  plane.onpointerup = say;
  plane.onkeydown = (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const step = by[event.key];
    if (!step) return;
    event.preventDefault();
    place(X[0][0] + step[0] * reach / 25, X[0][1] + step[1] * reach / 25);
    say();
  };
  random.onclick = () => {
    for (const [name] of words.sliders) {
      const step = Math.floor(Math.random() * (places + 1));
      ranges[name](Number((step * data.step - data.high).toFixed(1)));
    }
    draw();
    say();
    root.tell({ ...model });
  };
  home.onclick = () => { place(...data.X[0]); say(); };
  root.sized = new ResizeObserver(draw);
  root.listen = () => { root.sized.observe(root); place(...X[0]); };  // on the page, where it has a width
  return root;
}

// The samples in the plane of the two features; on the dashed line both labels are equally likely.
function drawPlane(plane, X, data, model) {
  const letter = parseFloat(getComputedStyle(document.documentElement).fontSize); // px
  const high = Math.min(plane.clientWidth, 25 * letter);
  const { ctx, width, hue, ink, font, size } = canvas(plane, high), grey = hue('honest');
  if (!width) return;
  const x = (v) => (v / data.reach + 1) * width / 2, y = (v) => (1 - v / data.reach) * high / 2;
  ctx.clearRect(0, 0, width, high);
  ctx.strokeStyle = 'rgba(134,142,150,.5)';
  ctx.strokeRect(.5, .5, width - 1, high - 1);
  const { w1, w2, b } = model, norm = Math.hypot(w1, w2);
  if (norm) {
    const foot = [-b * w1 / norm ** 2, -b * w2 / norm ** 2], far = 4 * data.reach / norm;
    ctx.setLineDash([6, 5]);
    ctx.strokeStyle = ink;
    ctx.lineWidth = 2;
    ctx.beginPath();
    ctx.moveTo(x(foot[0] - far * w2), y(foot[1] + far * w1));
    ctx.lineTo(x(foot[0] + far * w2), y(foot[1] - far * w1));
    ctx.stroke();
    ctx.setLineDash([]);
  }
  X.forEach((row, i) => {
    if (i > data.k) mark(ctx, data.y[i] ? 'cross' : 'circle', x(row[0]), y(row[1]), 4, grey);
  });
  mark(ctx, 'diamond', x(X[0][0]), y(X[0][1]), 7, hue('lowers'));
  mark(ctx, 'ring', x(X[0][0]), y(X[0][1]), 12, hue('target'));
  ctx.fillStyle = ink;
  ctx.font = `${size}px ${font}`;
  ctx.textBaseline = 'middle';
  const leftwards = X[0][0] > 0;
  ctx.textAlign = leftwards ? 'right' : 'left';
  ctx.fillText(data.words.both, x(X[0][0]) + (leftwards ? -20 : 20), y(X[0][1]));
  ctx.textAlign = 'left';
  ctx.textBaseline = 'top';
  ctx.fillText(data.words.drag, 10, 9);
}

// The ranking, row by row from the left: the target and its copies stand out.
function drawStrip(strip, ranks, k) {
  const columns = 20, rows = Math.ceil(ranks.length / columns);
  const gap = 2, side = (strip.clientWidth + gap) / columns; // the last ends with the sliders
  const { ctx, width, hue } = canvas(strip, rows * side);
  if (!width) return;
  ctx.clearRect(0, 0, width, rows * side);
  const order = ranks.map((_, i) => i).sort((a, b) => ranks[a] - ranks[b]);
  order.forEach((i, at) => {
    const x = (at % columns) * side, y = Math.floor(at / columns) * side, edge = side - gap;
    ctx.fillStyle = i === 0 ? hue('target') : i <= k ? hue('lowers') : 'rgba(134,142,150,.45)';
    ctx.fillRect(x, y, edge, edge);
  });
}
