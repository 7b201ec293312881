// A plane of two features under two models: what a new point is worth at each place. Values are
// computed here from θ and s = (H + λI)⁻¹ g, exactly as `engine.scrutiny.candidates` does:
// I = −Σ_c (p_c − [c = label]) ⟨s_c, (x, y, 1)⟩. Nothing is interpolated but the picture's pixels.
const CELLS = 72;  // of the picture's grid, each way

export default function (component) {
  const { data, parentElement } = component;
  let root = parentElement.querySelector('.ial-plane');
  if (root && root.shown !== data.id) { root.stop(); root.remove(); root = null; }
  if (!root) {
    root = build(data);
    parentElement.appendChild(root);
    begin(root, data);
  }
  root.listen();
  return root.stop;
}

function build(data) {
  const root = document.createElement('div'), words = data.words;
  root.className = 'ial-plane';
  root.shown = data.id;
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', words.label);
  const head = element(root, 'div', 'head');
  element(head, 'span', 'name', words.chooses);
  root.labels = data.classes.map((name, c) => {
    const button = element(head, 'button', 'label', `${'●■'[c]} ${name}`);
    button.type = 'button';
    return button;
  });
  root.reset = element(head, 'button', 'reset', words.reset);
  root.reset.type = 'button';
  const both = element(root, 'div', 'both');
  root.sides = data.models.map((model) => {
    const side = element(both, 'div', 'side'), top = element(side, 'div', 'top');
    element(top, 'span', 'model', model.name);
    const verdict = element(top, 'span', 'verdict');
    element(top, 'span', 'unit', words.score);
    const value = element(top, 'span', 'value'), rank = element(top, 'span', 'rank');
    const stage = element(side, 'div', 'stage');
    const canvas = element(stage, 'canvas');
    canvas.setAttribute('role', 'img');
    canvas.dataset.figure = 'plane';
    const handle = element(stage, 'button', 'handle');
    handle.type = 'button';
    handle.dataset.drag = words.drag;  // until it is first moved
    return { model, verdict, value, rank, stage, canvas, handle };
  });
  const legend = element(root, 'div', 'legend');
  element(legend, 'span', '', words.down);
  element(legend, 'span', 'scale');
  element(legend, 'span', '', words.up);
  element(legend, 'span', 'ring', words.ring);
  element(legend, 'span', 'ring', words.border);
  root.said = element(root, 'div', 'said');
  root.said.setAttribute('aria-live', 'polite');
  return root;
}

// The scores of a place with each label under a model.
function scores(model, x, y) {
  const logits = model.theta.map((t) => t[0] * x + t[1] * y + t[2]);
  const along = model.direction.map((s) => s[0] * x + s[1] * y + s[2]);
  const top = Math.max(...logits), powers = logits.map((z) => Math.exp(z - top));
  const total = powers.reduce((a, b) => a + b, 0);
  const mean = powers.reduce((sum, p, c) => sum + p / total * along[c], 0);
  return along.map((a) => a - mean);
}

// How likely a model finds a label at a place.
function likely(model, x, y, label) {
  const logits = model.theta.map((t) => t[0] * x + t[1] * y + t[2]), own = logits[label];
  return 1 / logits.reduce((sum, z) => sum + Math.exp(z - own), 0);
}

// Where a new sample's score stands among it and the training samples' own, 1 the highest.
// Scores that differ by rounding alone tie, as they do for a point that lies on a training point.
function rankOf(model, value) {
  return 1 + model.scores.filter((s) => s - value > 1e-9 * Math.abs(value)).length;
}

function begin(root, data) {
  const { low, high } = data, start = data.start;
  let place = start.slice(0, 2), label = start[2], pressed = false, soon = 0;
  const value = (model, x, y, c) => scores(model, x, y)[c];
  root.value = (side, x, y, c) => value(data.models[side], x, y, c);  // for tests
  const xOf = (share) => low[0] + share * (high[0] - low[0]);
  const yOf = (share) => high[1] - share * (high[1] - low[1]);
  const shareX = (x) => (x - low[0]) / (high[0] - low[0]);
  const shareY = (y) => (high[1] - y) / (high[1] - low[1]);

  // The picture of a model's values for the chosen label: one colour a cell, smoothed by the canvas.
  function heat(model) {
    const grid = document.createElement('canvas'), ctx = grid.getContext('2d');
    grid.width = grid.height = CELLS;
    const [up, down] = ['raises', 'lowers'].map((name) => hue(getComputedStyle(root), name)
      .match(/\w\w/g).slice(0, 3).map((part) => parseInt(part, 16)));
    const pixels = ctx.createImageData(CELLS, CELLS), ends = [[Infinity], [-Infinity]];
    for (let j = 0; j < CELLS; j++) {
      for (let i = 0; i < CELLS; i++) {
        const x = xOf((i + .5) / CELLS), y = yOf((j + .5) / CELLS), v = value(model, x, y, label);
        if (v < ends[0][0]) ends[0] = [v, x, y];
        if (v > ends[1][0]) ends[1] = [v, x, y];
        const strength = Math.tanh(Math.abs(v) / model.unit), at = 4 * (j * CELLS + i);
        pixels.data.set([...(v > 0 ? up : down), Math.round(225 * strength)], at);
      }
    }
    ctx.putImageData(pixels, 0, 0);
    const pale = (x, y) => Math.abs(value(model, x, y, label)) < .15 * model.unit
      && likely(model, x, y, label) > .5;
    const [least, most] = ends.map(([v, x, y]) => `${format(v)} ${data.words.at} ${spot([x, y])}`);
    const said = `${data.words.picture} ${model.name}, ${data.words.labelled} ${data.classes[label]}: `
      + `${data.words.from} ${least} ${data.words.to} ${most}.`;
    return { grid, said, pale };
  }

  function draw(side) {
    const { model, canvas, stage } = side, width = stage.clientWidth;
    if (!width) return;
    const ratio = window.devicePixelRatio || 1, style = getComputedStyle(root);
    const ink = style.color, ctx = canvas.getContext('2d');
    canvas.width = canvas.height = Math.round(width * ratio);
    canvas.style.height = stage.style.height = width + 'px';
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, width);
    ctx.imageSmoothingEnabled = true;
    ctx.imageSmoothingQuality = 'high';
    const { grid, said, pale } = heat(model);
    canvas.setAttribute('aria-label', said);
    ctx.drawImage(grid, 0, 0, width, width);
    boundary(ctx, model, width, ink);
    const large = noteSize() / 14, size = (width < 260 ? 3 : 4.5) * large;
    for (const [x, y, c] of data.points) {
      ctx.beginPath();
      mark(ctx, shareX(x) * width, shareY(y) * width, size, c);
      ctx.fillStyle = c ? '#FFFFFF' : '#222222';
      ctx.fill();
      ctx.lineWidth = 1;
      ctx.strokeStyle = c ? '#222222' : '#FFFFFF';
      ctx.stroke();
    }
    whyWhite(ctx, width, pale, ink, style.fontFamily);
    const [tx, ty] = data.points[data.target];  // the attacked sample: a ring around it
    for (const [thick, colour] of [[8, '#FFFFFF'], [5, hue(style, 'target')]]) {
      ctx.beginPath();
      ctx.arc(shareX(tx) * width, shareY(ty) * width, 19 * large, 0, 7);
      ctx.lineWidth = thick;
      ctx.strokeStyle = colour;
      ctx.stroke();
    }
    ctx.lineWidth = 1;
    ctx.strokeStyle = 'rgba(134,142,150,.7)';
    ctx.strokeRect(.5, .5, width - 1, width - 1);
  }

  // Say in the figure why places are white: where a box for the words lies in white places alone,
  // and covers the fewest points.
  function whyWhite(ctx, width, pale, ink, family) {
    const lines = data.words.white.map((line) => line.replace('{label}', data.classes[label]));
    const step = 1.43 * noteSize();
    ctx.font = `${noteSize()}px ${family}`;
    const wide = Math.max(...lines.map((line) => ctx.measureText(line).width)) + 12, high = 2 * step + 4;
    let best = null, least = Infinity;
    for (let top = width - high - 6; top >= 6; top -= 12) {
      for (let left = width - wide - 6; left >= 6; left -= 12) {
        const corners = [0, .5, 1].flatMap((a) => [0, .5, 1].map((b) => [left + a * wide, top + b * high]));
        if (!corners.every(([x, y]) => pale(xOf(x / width), yOf(y / width)))) continue;
        const covered = data.points.filter(([x, y]) => Math.abs(shareX(x) * width - left - wide / 2)
          < wide / 2 + 6 && Math.abs(shareY(y) * width - top - high / 2) < high / 2 + 6).length;
        if (covered < least) [best, least] = [[left, top], covered];
      }
    }
    if (!best || least) return;
    ctx.fillStyle = ink;
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'left';
    lines.forEach((line, i) => ctx.fillText(line, best[0] + 6, best[1] + 2 + step * (i + .5)));
  }

  function mark(ctx, x, y, size, c) {
    if (c) ctx.rect(x - size, y - size, 2 * size, 2 * size); else ctx.arc(x, y, size, 0, 7);
  }

  // Where the model changes its mind: a straight line, dashed.
  function boundary(ctx, model, width, ink) {
    const [a, b, c] = [0, 1, 2].map((k) => model.theta[1][k] - model.theta[0][k]);
    const steep = Math.abs(b) < Math.abs(a), ends = [];
    for (const share of [-.5, 1.5]) {
      if (steep) { const y = yOf(share); ends.push([shareX(-(b * y + c) / a), share]); }
      else { const x = xOf(share); ends.push([share, shareY(-(a * x + c) / b)]); }
    }
    if (!ends.flat().every(Number.isFinite)) return;
    ctx.save();
    ctx.setLineDash([6, 5]);
    ctx.lineWidth = 1.5;
    ctx.strokeStyle = ink;
    ctx.beginPath();
    for (const [x, y] of ends) ctx.lineTo(x * width, y * width);
    ctx.stroke();
    ctx.restore();
  }

  // 'rank 81 of 81, helps most': at both ends it says which end this is.
  function ranked(model, v) {
    const rank = rankOf(model, v), [first, last] = data.words.ends;
    const end = rank === 1 ? first : rank > model.scores.length ? last : '';
    return `${data.words.rank} ${rank} ${data.words.of}${end}`;
  }

  function said() {
    const parts = root.sides.map(({ model }) => {
      const v = value(model, ...place, label);
      return `${model.name}: ${format(v)}, ${data.words.verdicts[v > 0 ? 0 : 1]}, `
        + ranked(model, v);
    });
    return `${data.words.point} ${data.classes[label]}, ${data.words.at} ${spot(place)}. `
      + `${parts.join('. ')}.`;
  }

  function show() {
    const text = said();
    for (const side of root.sides) {
      const v = value(side.model, ...place, label), [x, y] = [shareX(place[0]), shareY(place[1])];
      side.value.textContent = format(v);
      side.verdict.textContent = data.words.verdicts[v > 0 ? 0 : 1];
      side.verdict.dataset.sign = v > 0 ? 'up' : 'down';
      side.rank.textContent = ranked(side.model, v);
      Object.assign(side.handle.style, { left: `${100 * x}%`, top: `${100 * y}%` });
      side.handle.dataset.label = label;
      side.handle.setAttribute('aria-label', `${data.words.handle} ${text}`);
    }
    root.labels.forEach((button, c) => button.setAttribute('aria-pressed', c === label));
    root.dataset.place = place.map((v) => v.toFixed(4)).join(' ');
    root.dataset.label = label;
  }

  // Read aloud once the point rests, not at every step of a drag.
  function tell() {
    clearTimeout(soon);
    soon = setTimeout(() => { root.said.textContent = said(); }, 400);
  }

  function pictures() { root.sides.forEach(draw); }

  function move(x, y) {
    place = [Math.min(Math.max(x, low[0]), high[0]), Math.min(Math.max(y, low[1]), high[1])];
    for (const side of root.sides) delete side.handle.dataset.drag;
    show();
    tell();
  }

  function choose(c) { label = c; pictures(); show(); tell(); }

  root.labels.forEach((button, c) => { button.onclick = () => choose(c); });
  root.reset.onclick = () => { place = start.slice(0, 2); choose(start[2]); };
  for (const side of root.sides) {
    const follow = (event) => {
      const box = side.stage.getBoundingClientRect();
      move(xOf((event.clientX - box.left) / box.width), yOf((event.clientY - box.top) / box.height));
    };
    // The handle takes a touch for itself; beside it a swipe scrolls the page, and a tap moves it.
    side.handle.onpointerdown = (event) => {
      pressed = true;
      side.handle.setPointerCapture(event.pointerId);
      follow(event);
    };
    side.handle.onpointermove = (event) => { if (pressed) follow(event); };
    side.handle.onpointerup = side.handle.onpointercancel = () => { pressed = false; };
    side.canvas.onpointerdown = (event) => { if (event.pointerType === 'mouse') press(event); };
    side.canvas.onclick = follow;
    const press = (event) => {
      pressed = true;
      side.canvas.setPointerCapture(event.pointerId);
      follow(event);
    };
    side.canvas.onpointermove = (event) => { if (pressed && event.buttons) follow(event); };
    side.canvas.onpointerup = side.canvas.onpointercancel = () => { pressed = false; };
    side.handle.onkeydown = (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const step = (event.shiftKey ? .1 : .02) * (high[0] - low[0]);
      const keys = { ArrowRight: [step, 0], ArrowLeft: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
      if (keys[event.key]) move(place[0] + keys[event.key][0], place[1] + keys[event.key][1]);
      else if (event.key === 'Enter' || event.key === ' ') choose((label + 1) % data.classes.length);
      else return;
      event.preventDefault();
    };
  }

  const sized = new ResizeObserver(pictures);
  const dark = new MutationObserver(pictures);  // the page's colours are attributes of it
  root.listen = () => {
    sized.observe(root);
    dark.observe(document.documentElement, { attributes: true });
    pictures();
    show();
    if (!root.said.textContent) root.said.textContent = said();
  };
  root.stop = () => { sized.disconnect(); dark.disconnect(); clearTimeout(soon); };
}

function spot(place) { return place.map((v) => v.toFixed(2).replace('-', '−')).join(' / '); }

function format(v) {
  const text = Math.abs(v) < 5e-5 ? '0.0000' : v.toPrecision(3);
  return (v > 0 ? '+' : '') + text.replace('-', '−');
}
