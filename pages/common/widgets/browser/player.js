// The player of an attack: all samples in the order of their rank, as they are at each recorded
// step. Between two steps pictures slide; ranks, accuracies and distances are recorded ones only.
// A page's component builds it, and may set root.framed (told each step that is shown), root.pick
// (told which sample is clicked) and root.mark (a sample to ring).
const FIRST = 10;  // that stand in a row of their own, larger

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
  root.range = element(root, 'input');
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

function begin(root, data) {
  const frames = data.frames, last = frames.length - 1;
  const ranks = unpackedFrames(data);
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  let at = 0, playing = false, from = 0, to = 0, began = 0, length = 0, request = 0, timer = 0;
  let places = null, atlas = null, negative = null;

  if (data.atlas) {
    const picture = new Image();
    picture.onload = () => {
      atlas = picture;
      negative = data.grey ? inverted(picture) : picture;
      draw();
    };
    picture.src = data.atlas;
  }

  // Where each rank stands: the first ones in a row, the others in lines below.
  function layout() {
    const width = root.wall.clientWidth, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    const large = Math.min(width / FIRST, 58), m = ranks[0].length;
    const room = Math.max(width * (data.room || (width < 500 ? 225 : 250)), 1);
    const size = Math.max(4, Math.min(large, Math.sqrt(room / m)));
    const columns = Math.max(1, Math.floor(width / size)), cell = width / columns;
    const lines = Math.ceil((m - FIRST) / columns), top = large + 14;
    const height = Math.ceil(top + lines * cell + 8);
    for (const [canvas, high] of [[root.wall, height], [root.curve, 64]]) {
      canvas.style.height = high + 'px';
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(high * ratio);
    }
    // Of a thinned data set, m samples stand for n ranks.
    const place = (rank) => {
      if (rank <= FIRST) return [(rank - .5) * large, large / 2, large];
      const share = (rank - 1 - FIRST) / Math.max(data.n - FIRST, 1);
      const i = m === data.n ? rank - 1 - FIRST : Math.floor(share * (m - FIRST));
      return [(i % columns + .5) * cell, top + (Math.floor(i / columns) + .5) * cell, cell];
    };
    places = { width, ratio, large, cell, place, height };
    draw();
  }

  function draw() {
    if (!places) return;
    const i = Math.min(Math.floor(at), last), j = Math.min(i + 1, last), f = ease(at - i);
    const style = getComputedStyle(root), ink = style.color;
    const accent = hue(style, 'target');
    places.first = hue(style, 'first', .5);
    places.chosen = hue(style, 'chosen');
    places.dark = isLight(ink);
    root.dataset.dark = places.dark;
    drawWall(i, j, f, ink, accent);
    drawCurve(ink, accent);
  }

  function drawWall(i, j, f, ink, accent) {
    const { place, ratio, width, large, height } = places, ctx = root.wall.getContext('2d');
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    ctx.imageSmoothingQuality = 'high';
    ctx.strokeStyle = 'rgba(134,142,150,.7)';
    ctx.lineWidth = 1;
    ctx.strokeRect(.5, .5, FIRST * large - 1, large - 1);
    if (width - FIRST * large > 190) {
      ctx.fillStyle = ink;
      ctx.font = textSize() + getComputedStyle(root).fontFamily;
      ctx.textBaseline = 'middle';
      ctx.fillText('◀ ' + data.words.first, FIRST * large + 14, large / 2);
    }
    const was = ranks[i], will = ranks[j], shares = ranks[0];
    for (let s = 0; s < was.length; s++) {
      if (s === data.at) continue;
      const a = place(was[s]), b = place(will[s]);
      tile(ctx, s, mix(a[0], b[0], f), mix(a[1], b[1], f), mix(a[2], b[2], f) - 1, shares[s]);
    }
    if (root.mark >= 0 && root.mark !== data.at) {
      const a = place(was[root.mark]), b = place(will[root.mark]);
      const x = mix(a[0], b[0], f), y = mix(a[1], b[1], f), size = Math.max(mix(a[2], b[2], f), 24);
      ctx.fillStyle = places.chosen;
      ctx.fillRect(x - size / 2 - 3, y - size / 2 - 3, size + 6, size + 6);
      tile(ctx, root.mark, x, y, size, data.n);
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
    ctx.shadowColor = accent;
    ctx.shadowBlur = 18;
    ctx.fillStyle = accent;
    ctx.fillRect(cx - size / 2 - 3, cy - size / 2 - 3, size + 6, size + 6);
    ctx.shadowBlur = 0;
    tile(ctx, data.at, cx, cy, size, data.n);
  }

  // A sample: its picture, or a square; the honest first tenth is tinted.
  function tile(ctx, s, x, y, size, honest) {
    const slot = data.slots ? data.slots[s] : s;
    const first = honest <= data.tenth;
    if (atlas && slot >= 0) {
      const c = data.cell, column = slot % data.columns, line = Math.floor(slot / data.columns);
      ctx.drawImage(places.dark ? negative : atlas, column * c, line * c, c, c, x - size / 2, y - size / 2, size, size);
    }
    if (!atlas || slot < 0 || first) {
      ctx.fillStyle = first ? places.first : 'rgba(134,142,150,.45)';
      ctx.fillRect(x - size / 2, y - size / 2, size, size);
    }
  }

  // The target's rank over the recorded steps, rank 1 at the top, logarithmic.
  function drawCurve(ink, accent) {
    const { ratio, width } = places, ctx = root.curve.getContext('2d'), high = 64;
    const x = (p) => 8 + (width - 16) * (last ? p / last : 0);
    const y = (rank) => 10 + (high - 20) * Math.log(rank) / Math.log(Math.max(data.n, 2));
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, high);
    ctx.fillStyle = ink;
    ctx.font = textSize() + getComputedStyle(root).fontFamily;
    ctx.textAlign = 'left';
    ctx.fillText('rank 1', 8, 14);
    ctx.textAlign = 'right';
    ctx.fillText('rank ' + data.n.toLocaleString('en'), width - 8, high - 6);
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
    climb(last, 'rgba(134,142,150,.7)', 1.5);
    climb(at, accent, 3);
    ctx.fillStyle = accent;
    ctx.beginPath();
    ctx.arc(x(at), height(at), 6, 0, 7);
    ctx.fill();
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
    glide(Math.round((event.clientX - box.left - 8) / (box.width - 16) * last), 150);
  };
  root.curve.onpointerdown = (event) => {
    root.curve.setPointerCapture(event.pointerId);
    scrub(event);
  };
  root.curve.onpointermove = (event) => { if (event.buttons) scrub(event); };

  // The sample whose picture is under a click; the target and the ringed one lie above the others.
  root.wall.onclick = (event) => {
    if (!root.pick || !places) return;
    const box = root.wall.getBoundingClientRect(), now = ranks[Math.min(Math.round(at), last)];
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = 15;
    for (let s = 0; s < now.length; s++) {
      const [px, py, size] = places.place(now[s]);
      const away = Math.max(Math.abs(px - x), Math.abs(py - y), size / 2) - size / 2;
      if (away < least) [best, least] = [s, away];
    }
    if (best >= 0) root.pick(best);
  };
  root.redraw = draw;

  const sized = new ResizeObserver(layout);
  root.listen = () => { sized.observe(root); layout(); show(); };
  root.stop = () => { halt(); sized.disconnect(); };
}
