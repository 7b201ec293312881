// The player of an attack: all samples in the order of their rank, as they are at each recorded
// step. Between two steps pictures slide; ranks, accuracies and distances are recorded ones only.
// A page's component builds it, and may set root.framed (told each step that is shown) and
// root.pick (told which sample is clicked). Its figure is the wall, or another scene:
// measure(width, m) returns its height, draw(ctx, view) draws it, and nearest(x, y, now) returns
// the sample at a place (−1: none).
const FIRST = 10;  // that stand in a row of their own, larger
const CLIMB = { high: 80, left: 58, right: 12 };  // px: of the curve of ranks, and beside it
const LETTERS = 14;  // px of the curve's text for which these are made

// The same, for text of the size that the page has.
function climbSize() {
  const times = noteSize() / LETTERS;
  return { high: times * CLIMB.high, left: times * CLIMB.left, right: CLIMB.right };
}

// The ranks that a log axis names: the first, the last, and the powers of ten well between them.
function marked(n) {
  const found = [1];
  for (let rank = 10; 3 * rank <= n; rank *= 10) found.push(rank);
  return n > 1 ? [...found, n] : found;
}

function read(parent, kind, name) {
  const box = element(parent, 'div', 'read ' + kind);
  element(box, 'span', 'name', name);
  return element(box, 'span', 'value');
}

function build(data) {
  const root = document.createElement('div'), words = data.words;
  root.className = 'ial-replay';
  root.shown = data.id;
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', words.label);
  const head = element(root, 'div', 'head');
  const reads = element(head, 'div', 'reads');
  root.rank = read(reads, 'target', words.rank);
  root.accuracy = read(reads, '', words.accuracy);
  root.distance = read(reads, '', words.distance);
  root.at = read(reads, 'at', data.words.step);
  root.wall = element(root, 'canvas', 'wall');
  root.wall.setAttribute('role', 'img');
  root.wall.dataset.figure = 'replay';
  root.curve = element(root, 'canvas', 'curve');
  root.curve.setAttribute('aria-hidden', 'true');
  const steps = element(root, 'div', 'steps');
  root.named = element(steps, 'span', 'named', words.slides);
  root.named.setAttribute('aria-hidden', 'true');
  root.range = element(steps, 'input');
  Object.assign(root.range, { type: 'range', min: 0, max: data.frames.length - 1, step: 1, value: 0 });
  root.range.setAttribute('aria-label', words.slider);
  const controls = element(head, 'div', 'controls');
  root.play = element(controls, 'button', 'play', words.play);
  root.back = element(controls, 'button', 'back', '◀ Back');
  root.next = element(controls, 'button', 'next', 'Step ▶');
  for (const button of [root.play, root.back, root.next]) button.type = 'button';
  root.said = element(root, 'div', 'said');
  root.said.setAttribute('aria-live', 'polite');
  return root;
}

function begin(root, data, scene = wall(data)) {
  const frames = data.frames, last = frames.length - 1;
  const ranks = unpackedFrames(data);
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  let at = data.ended ? last : 0, furthest = at, playing = false;
  let from = 0, to = 0, began = 0, length = 0, request = 0, timer = 0;
  let room = null, atlas = null, negative = null;

  if (data.atlas) {
    const picture = new Image();
    picture.onload = () => {
      atlas = picture;
      negative = data.grey ? inverted(picture) : picture;
      draw();
    };
    picture.src = data.atlas;
  }

  function layout() {
    const width = root.wall.clientWidth, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    const height = scene.measure(width, ranks[0].length), climb = climbSize();
    Object.assign(root.named.style, { width: `${climb.left - 12}px`, fontSize: `${noteSize()}px` });
    root.range.style.width = `calc(100% - ${climb.left - 4}px)`;  // it begins where the curve does
    for (const [canvas, high] of [[root.wall, height], [root.curve, climb.high]]) {
      canvas.style.height = high + 'px';
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(high * ratio);
    }
    room = { width, ratio, height };
    draw();
  }

  function draw() {
    if (!room) return;
    const i = Math.min(Math.floor(at), last), j = Math.min(i + 1, last), f = ease(at - i);
    const style = getComputedStyle(root), ink = style.color, ratio = room.ratio;
    const view = { ...room, i, f, was: ranks[i], will: ranks[j], ranks, ink, style, tile,
      accent: hue(style, 'target'), first: hue(style, 'first', .38), chosen: hue(style, 'chosen'),
      dark: isLight(ink) };
    view.said = view.dark ? view.accent : '#B34F00';  // the accent as text
    root.dataset.dark = view.dark;
    const ctx = root.wall.getContext('2d');
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, room.width, room.height);
    ctx.imageSmoothingQuality = 'high';
    scene.draw(ctx, view);
    drawCurve(ink, view.accent);

    // A sample: its picture, or a square; the honest first tenth is tinted.
    function tile(s, x, y, size, honest) {
      const slot = data.slots ? data.slots[s] : s, tinted = honest <= data.tenth;
      const drawn = atlas && slot >= 0;
      if (drawn) {
        const c = data.cell, column = slot % data.columns, line = Math.floor(slot / data.columns);
        inset(ctx, view.dark ? negative : atlas, column * c, line * c, c, x - size / 2, y - size / 2,
          size);
      }
      if (drawn && !tinted) {
        edge(ctx, x - size / 2, y - size / 2, size);
        return;
      }
      ctx.fillStyle = tinted ? view.first : 'rgba(134,142,150,.45)';
      ctx.fillRect(x - size / 2, y - size / 2, size, size);
    }
  }

  // The target's rank over the recorded steps, rank 1 at the top, logarithmic. The slider below
  // has the same steps: it stands where the curve does.
  function drawCurve(ink, accent) {
    const { ratio, width } = room, ctx = root.curve.getContext('2d'), { high, left, right } = climbSize();
    const x = (p) => left + (width - left - right) * (last ? p / last : 0);
    const y = (rank) => 10 + (high - 20) * Math.log(rank) / Math.log(Math.max(data.n, 2));
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, high);
    ctx.font = `${noteSize()}px ${getComputedStyle(root).fontFamily}`;
    ctx.textAlign = 'right';
    ctx.textBaseline = 'middle';
    for (const rank of marked(data.n)) {
      ctx.fillStyle = 'rgba(134,142,150,.35)';
      ctx.fillRect(left, y(rank) - .5, width - left - right, 1);
      ctx.fillStyle = ink;
      ctx.fillText((rank === 1 ? data.words.climb + ' ' : '') + rank.toLocaleString('en'), left - 12,
        y(rank));
    }
    nameCurve(ctx, ink, left + 10, y(ranks[0][data.at]) > high / 2 ? .25 * high : .75 * high);
    const climb = (upTo, colour, thick) => {
      ctx.strokeStyle = colour;
      ctx.lineWidth = thick;
      ctx.beginPath();
      for (let p = 0; p <= Math.floor(upTo); p++) ctx.lineTo(x(p), y(ranks[p][data.at]));
      if (upTo < last) ctx.lineTo(x(upTo), height(upTo));
      ctx.stroke();
    };
    const height = (t) => {
      const p = Math.min(Math.floor(t), last), q = Math.min(p + 1, last);
      return mix(y(ranks[p][data.at]), y(ranks[q][data.at]), ease(t - p));
    };
    furthest = Math.max(furthest, at);  // what comes is not told before it was seen
    climb(furthest, 'rgba(134,142,150,.7)', 1.5);
    climb(at, accent, 3);
    ctx.fillStyle = accent;
    ctx.beginPath();
    ctx.arc(x(at), height(at), 6, 0, 7);
    ctx.fill();
  }

  // What the curve is, in the corner that it leaves free where it begins.
  function nameCurve(ctx, ink, x, y) {
    const size = noteSize();
    ctx.clearRect(x - 4, y - .6 * size, ctx.measureText(data.words.curve).width + 8, 1.2 * size);
    ctx.textAlign = 'left';
    ctx.fillStyle = ink;
    ctx.fillText(data.words.curve, x, y);
  }

  function show() {
    const p = Math.min(Math.round(at), last), frame = frames[p];
    root.rank.innerHTML = '';
    element(root.rank, 'b', '', frame.rank);
    element(root.rank, 'small', '', data.words.of);
    root.accuracy.textContent = frame.accuracy;
    root.distance.textContent = frame.distance;
    root.range.value = p;
    root.range.setAttribute('aria-valuetext', frame.said);
    root.wall.setAttribute('aria-label', frame.said);
    root.at.textContent = frame.short;
    root.back.disabled = !playing && p === 0;
    root.next.disabled = !playing && p === last;
    root.play.textContent = playing ? '❚❚ Pause' : p === last ? data.words.again : data.words.play;
    root.dataset.frame = p;
    root.dataset.playing = playing;
    if (root.framed) root.framed(p, ranks[p]);
    draw();
  }

  function say() { root.said.textContent = frames[Math.min(Math.round(at), last)].said; }

  function halt() {
    cancelAnimationFrame(request);
    clearInterval(timer);
    playing = false;
  }

  function arrive() {
    halt();
    show();
    say();
    if (at === last) root.tell();
  }

  function tick(now) {
    const done = Math.min(Math.max((now - began) / length, 0), 1);  // a frame's time may lie before
    at = from + (to - from) * done;
    root.drawn = (root.drawn || 0) + 1;
    if (at === to) { arrive(); return; }
    show();
    request = requestAnimationFrame(tick);
  }

  // Slide to a step in so many milliseconds; at once where less motion is wished for.
  function glide(step, ms) {
    const target = Math.min(Math.max(step, 0), last);
    halt();
    if (still.matches || document.hidden || !ms) { at = target; arrive(); return; }
    Object.assign(root, { drawn: 0 });
    [from, to, began, length] = [at, target, performance.now(), ms];
    request = requestAnimationFrame(tick);
  }

  function run() {
    const start = Math.round(at) === last ? 0 : at;
    halt();
    at = start;
    if (still.matches) {
      playing = true;
      show();
      timer = setInterval(() => {
        at = Math.min(Math.floor(at) + 1, last);
        if (at === last) arrive(); else { show(); say(); }
      }, data.ms / Math.max(last, 1));
      return;
    }
    glide(last, data.ms * (last - at) / Math.max(last, 1));
    playing = request !== 0 && at !== last;
    show();
  }

  const step = (by) => glide(Math.round(at) + by, 300);
  root.play.onclick = () => { if (playing) { halt(); at = Math.round(at); arrive(); } else run(); };
  root.back.onclick = () => step(-1);
  root.next.onclick = () => step(1);
  root.range.oninput = () => glide(Number(root.range.value), 150);
  root.onkeydown = (event) => {
    if (event.target === root.range || event.altKey || event.ctrlKey || event.metaKey) return;
    const keys = { ArrowRight: () => step(1), ArrowLeft: () => step(-1),
      Home: () => glide(0, 300), End: () => glide(last, 300) };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  };
  const scrub = (event) => {
    const box = root.curve.getBoundingClientRect();
    const { left, right } = climbSize();
    glide(Math.round((event.clientX - box.left - left) / (box.width - left - right) * last), 150);
  };
  root.curve.onpointerdown = (event) => {
    root.curve.setPointerCapture(event.pointerId);
    scrub(event);
  };
  root.curve.onpointermove = (event) => { if (event.buttons) scrub(event); };

  root.wall.onclick = (event) => {
    if (!root.pick || !room) return;
    const box = root.wall.getBoundingClientRect(), now = ranks[Math.min(Math.round(at), last)];
    const found = scene.nearest(event.clientX - box.left, event.clientY - box.top, now);
    if (found >= 0) root.pick(found);
  };
  root.redraw = draw;

  const sized = new ResizeObserver(layout);
  root.listen = () => { sized.observe(root); layout(); show(); };
  root.stop = () => { halt(); sized.disconnect(); };
}

// How many columns, from so many on, leave the least free in the last line of `m` pictures.
function fullest(m, columns) {
  const free = (c) => (c - m % c) % c;
  return [0, 1, 2, 3, 4].map((more) => columns + more).reduce((a, b) => (free(b) < free(a) ? b : a));
}

// All samples as a wall of pictures, rank 1 first; the first ones stand larger, in a row.
function wall(data) {
  let large = 0, cell = 0, place = null, above = 0;  // above: the height of words over the row
  return { measure, draw, nearest };

  // Where each rank stands: the first ones in a row, the others in lines below.
  function measure(width, m) {
    const narrow = width < 500;
    large = Math.min(width / FIRST, 58);
    above = narrow ? 20 : 0;
    const room = Math.max(width * (narrow ? 260 : 250), 1);
    const size = Math.max(4, Math.min(large, Math.sqrt(room / m)));
    const columns = fullest(m - FIRST, Math.max(1, Math.floor(width / size)));
    const top = above + large + 10;
    cell = width / columns;
    // Of a thinned data set, m samples stand for n ranks.
    place = (rank) => {
      if (rank <= FIRST) return [(rank - .5) * large, above + large / 2, large];
      const share = (rank - 1 - FIRST) / Math.max(data.n - FIRST, 1);
      const i = m === data.n ? rank - 1 - FIRST : Math.floor(share * (m - FIRST));
      return [(i % columns + .5) * cell, top + (Math.floor(i / columns) + .5) * cell, cell];
    };
    return Math.ceil(top + Math.ceil((m - FIRST) / columns) * cell + 8);
  }

  function draw(ctx, { i, f, was, will, ranks, width, height, ink, style, accent, tile }) {
    ctx.strokeStyle = 'rgba(134,142,150,.7)';
    ctx.lineWidth = 1;
    ctx.strokeRect(.5, above + .5, FIRST * large - 1, large - 1);
    ctx.fillStyle = ink;
    ctx.textBaseline = 'middle';
    if (above) {
      ctx.font = `${noteSize()}px ${style.fontFamily}`;
      ctx.fillText(data.words.first + ' ▼', 0, above / 2);
    } else if (width - FIRST * large > 190) {
      ctx.font = textSize() + style.fontFamily;
      ctx.fillText('◀ ' + data.words.first, FIRST * large + 14, large / 2);
    }
    for (let s = 0; s < was.length; s++) {
      if (s === data.at) continue;
      const a = place(was[s]), b = place(will[s]);
      ctx.globalAlpha = ranks[0][s] <= data.tenth || will[s] <= FIRST ? 1 : .6;  // no black wall
      tile(s, mix(a[0], b[0], f), mix(a[1], b[1], f), mix(a[2], b[2], f) - 1, ranks[0][s]);
      ctx.globalAlpha = 1;
    }
    const path = [];
    for (let p = 0; p <= i; p++) path.push(place(ranks[p][data.at]));
    const a = place(was[data.at]), b = place(will[data.at]);
    const x = mix(a[0], b[0], f), y = mix(a[1], b[1], f);
    ctx.strokeStyle = accent;
    ctx.lineWidth = 2;
    ctx.setLineDash([3, 4]);
    ctx.beginPath();
    for (const [px, py] of path) ctx.lineTo(px, py);
    ctx.lineTo(x, y);
    ctx.stroke();
    ctx.setLineDash([]);
    const size = Math.max(mix(a[2], b[2], f), width < 500 ? 30 : 40);
    const cx = Math.min(Math.max(x, size / 2 + 3), width - size / 2 - 3);
    const cy = Math.min(Math.max(y, size / 2 + 3), height - size / 2 - 3);
    framed(ctx, tile, data.at, cx, cy, size, accent, data.n);
  }

  // The sample whose picture is at a place.
  function nearest(x, y, now) {
    let best = -1, least = 15;
    for (let s = 0; s < now.length; s++) {
      const [px, py, size] = place(now[s]);
      const away = Math.max(Math.abs(px - x), Math.abs(py - y), size / 2) - size / 2;
      if (away < least) [best, least] = [s, away];
    }
    return best;
  }
}

// A sample in a glowing frame.
function framed(ctx, tile, s, x, y, size, colour, honest) {
  ctx.shadowColor = colour;
  ctx.shadowBlur = 18;
  ctx.fillStyle = colour;
  ctx.fillRect(x - size / 2 - 3, y - size / 2 - 3, size + 6, size + 6);
  ctx.shadowBlur = 0;
  tile(s, x, y, size, honest);
}
