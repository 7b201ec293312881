// The workbench: a shelf of samples, the player, and a desk for the chosen one. One choice links
// all three, and so does the step that the player shows. No request but for an attack.
const SHOWN = 40;  // samples on the shelf before "Show more"

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let root = parentElement.querySelector('.ial-bench');
  if (root && root.shown !== data.id) { root.player.stop(); root.remove(); root = null; }
  const held = parentElement.held || { number: '', label: '', place: '', ease: '', chosen: null };
  parentElement.held = held;
  if (!root) {
    if (held.content !== data.content) Object.assign(held, { number: '', label: '', ease: '' });
    held.content = data.content;
    held.chosen = data.at;
    root = bench(data, held);
    parentElement.appendChild(root);
  }
  root.data = data;
  root.ask = (index) => setTriggerValue('attack', index);
  root.player.tell = () => {};
  root.player.listen();
  root.refresh();
  return root.player.stop;
}

function bench(data, held) {
  const root = document.createElement('div'), words = data.bench;
  Object.assign(root, { className: 'ial-bench', shown: data.id, data });
  root.classList.toggle('still', data.frames.length < 2);
  const shelf = element(root, 'section', 'shelf');
  shelf.setAttribute('aria-label', words.shelf);
  const stage = element(root, 'section', 'stage');
  stage.setAttribute('aria-label', words.stage);
  const desk = element(root, 'section', 'desk');
  desk.setAttribute('aria-label', words.desk);
  root.player = build(data);
  stage.appendChild(root.player);

  let now = null, step = 0, most = SHOWN;
  const tools = element(shelf, 'div', 'tools');
  const number = field(tools, 'input', words.number, held.number);
  Object.assign(number, { type: 'search', inputMode: 'numeric', placeholder: words.example });
  const label = field(tools, 'select', words.label, held.label,
    [['', words.every], ...data.classes.map((name, i) => [String(i), name])]);
  const place = field(tools, 'select', words.place, held.place, words.places);
  const ease = data.ease && field(tools, 'select', words.ease, held.ease, words.eases);
  const found = element(shelf, 'div', 'found');
  found.setAttribute('aria-live', 'polite');
  const cells = element(shelf, 'div', 'cells');
  const more = element(shelf, 'button', 'more', words.more);
  more.type = 'button';
  const card = deskOf(desk, data);

  function wanted(s) {
    const rank = now[s], tenth = Math.max(data.tenth, 1);
    return (!held.number || String(data.samples[s]).startsWith(held.number.trim()))
      && (held.label === '' || data.labels[s] === Number(held.label))
      && (!data.ease || held.ease === '' || data.ease[s] === Number(held.ease))
      && (held.place === '' || (held.place === 'first' && rank <= FIRST)
        || (held.place === 'tenth' && rank <= tenth)
        || (held.place === 'last' && rank > data.n - tenth));
  }

  function fill() {
    const all = [...now.keys()].filter(wanted).sort((a, b) => now[a] - now[b]);
    found.textContent = words.found.replace('{}', all.length.toLocaleString('en'))
      .replace('{n}', now.length.toLocaleString('en'));
    more.hidden = all.length <= most;
    const focused = cells.contains(document.activeElement) && document.activeElement.dataset.sample;
    cells.replaceChildren(...all.slice(0, most).map((s) => {
      const cell = document.createElement('button');
      cell.type = 'button';
      cell.dataset.sample = s;
      cell.title = named(s) + ', ' + words.rank.replace('{}', now[s].toLocaleString('en'));
      cell.setAttribute('aria-label', cell.title);
      cell.setAttribute('aria-pressed', s === held.chosen);
      cell.classList.toggle('target', s === data.at);
      cell.appendChild(face(data, s, 36));
      cell.onclick = () => choose(s);
      return cell;
    }));
    if (focused) cells.querySelector(`[data-sample="${focused}"]`)?.focus();
  }

  const named = (s) => words.sample.replace('{}', data.samples[s])
    .replace('{class}', data.classes[data.labels[s]]);

  function choose(s) {
    held.chosen = s;
    root.player.mark = s;
    root.player.redraw();
    for (const cell of cells.children) {
      cell.setAttribute('aria-pressed', Number(cell.dataset.sample) === s);
    }
    tell();
  }

  function tell() {
    card.show(held.chosen, named(held.chosen), now, step, root);
  }

  root.refresh = () => {
    root.player.mark = held.chosen;
    if (now) { fill(); tell(); }
  };
  root.player.pick = choose;
  root.player.framed = (p, ranks) => {
    const playing = root.player.dataset.playing === 'true';
    const same = now === ranks && root.settled === !playing;
    if (same) return;
    [now, step, root.settled] = [ranks, p, !playing];
    if (!playing) fill();
    tell();
  };
  number.oninput = () => { held.number = number.value; most = SHOWN; fill(); };
  for (const [box, name] of [[label, 'label'], [place, 'place'], [ease, 'ease']]) {
    if (box) box.onchange = () => { held[name] = box.value; most = SHOWN; fill(); };
  }
  more.onclick = () => { most += SHOWN; fill(); };
  begin(root.player, data);
  return root;
}

function field(parent, tag, name, value, options) {
  const box = element(parent, 'label', 'field', name), made = document.createElement(tag);
  for (const [key, text] of options || []) {
    const option = element(made, 'option', '', text);
    option.value = key;
  }
  made.value = value;
  made.setAttribute('aria-label', name);
  box.appendChild(made);
  return made;
}

// A sample's picture as a piece of the picture of all; without one, its number.
function face(data, s, size) {
  const made = document.createElement('span'), slot = data.slots ? data.slots[s] : -1;
  made.className = 'face';
  made.style.width = made.style.height = size + 'px';
  if (!data.atlas || slot < 0) {
    made.classList.add('unpictured');
    made.textContent = data.samples[s];
    return made;
  }
  const column = slot % data.columns, line = Math.floor(slot / data.columns);
  made.classList.toggle('grey', Boolean(data.grey));
  Object.assign(made.style, {
    backgroundImage: `url(${data.atlas})`,
    backgroundSize: `${data.columns * size}px auto`,
    backgroundPosition: `${-column * size}px ${-line * size}px`,
  });
  return made;
}

function deskOf(desk, data) {
  const words = data.bench, frames = data.frames, honest = unpackedFrames(data)[0];
  const head = element(desk, 'div', 'chosen');
  const lines = element(desk, 'dl', 'facts');
  const ask = element(desk, 'button', 'ask', words.ask);
  ask.type = 'button';
  const why = element(desk, 'p', 'why');
  const priced = element(desk, 'h3', '', words.price);
  const price = element(desk, 'dl', 'facts');
  element(desk, 'h3', '', words.moved);
  const plot = element(desk, 'canvas', 'moved');
  plot.setAttribute('role', 'img');
  plot.setAttribute('aria-label', words.moved);  // until a sample is chosen
  priced.hidden = price.hidden = frames.length < 2;

  function show(s, name, now, step, root) {
    const live = root.data;
    head.replaceChildren(face(data, s, 64));
    element(head, 'b', '', name);
    const facts = [[words.honestRank, honest[s].toLocaleString('en')]];
    if (frames.length > 1) facts.push([words.rankNow, now[s].toLocaleString('en')]);
    facts.push([words.score, data.scores[s]]);
    if (data.ease) facts.push([words.ease, words.eases[data.ease[s] + 1][1]]);
    list(lines, facts);
    const inside = honest[s] <= live.k;
    const done = s === live.at && live.state !== 'open';
    const text = live.refused || (inside ? words.inside : done ? words[live.state] : '');
    ask.disabled = Boolean(text);
    ask.onclick = () => root.ask(data.samples[s]);
    why.textContent = text;
    const frame = frames[step];
    list(price, [[words.accuracy, `${frames[0].accuracy} → ${frame.accuracy}`],
      [words.order, frame.order], [words.kept, frame.kept]]);
    scatter(plot, data, honest, now, s);
  }
  return { show };
}

function list(parent, facts) {
  parent.replaceChildren();
  for (const [name, value] of facts) {
    element(parent, 'dt', '', name);
    element(parent, 'dd', '', value);
  }
}

// Rank under the honest model against rank now, rank 1 at the top right; both logarithmic.
function scatter(plot, data, honest, now, chosen) {
  const width = plot.clientWidth, high = Math.min(width, 210);
  const ratio = window.devicePixelRatio || 1;
  if (!width) return;
  plot.style.height = high + 'px';
  [plot.width, plot.height] = [Math.round(width * ratio), Math.round(high * ratio)];
  const ctx = plot.getContext('2d'), style = getComputedStyle(plot);
  const log = (rank) => Math.log(rank) / Math.log(Math.max(data.n, 2));
  const left = 22, below = 22;
  const x = (rank) => width - 8 - (width - left - 14) * log(rank);
  const y = (rank) => 8 + (high - below - 14) * log(rank);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, high);
  ctx.strokeStyle = 'rgba(134,142,150,.7)';
  ctx.setLineDash([4, 4]);
  ctx.beginPath();
  ctx.moveTo(x(data.n), y(data.n));
  ctx.lineTo(x(1), y(1));
  ctx.stroke();
  ctx.setLineDash([]);
  const first = hue(style, 'first', .7), rest = hue(style, 'honest', .55);
  for (let s = 0; s < now.length; s++) {
    ctx.fillStyle = honest[s] <= data.tenth ? first : rest;
    ctx.fillRect(x(honest[s]) - 1.5, y(now[s]) - 1.5, 3, 3);
  }
  const dot = (s, colour, size) => {
    ctx.fillStyle = colour;
    ctx.beginPath();
    ctx.arc(x(honest[s]), y(now[s]), size, 0, 7);
    ctx.fill();
  };
  if (chosen !== data.at) dot(chosen, hue(style, 'chosen'), 6);
  dot(data.at, hue(style, 'target'), 6);
  ctx.fillStyle = style.color;
  ctx.font = `${.8 * parseFloat(style.fontSize)}px ${style.fontFamily}`;
  ctx.textAlign = 'right';
  ctx.fillText(data.bench.honestAxis, width - 6, high - 6);
  ctx.save();
  ctx.translate(13, 8);
  ctx.rotate(-Math.PI / 2);
  ctx.fillText(data.bench.nowAxis, 0, 0);
  ctx.restore();
  plot.setAttribute('aria-label', data.bench.movedAlt
    .replace('{honest}', honest[chosen].toLocaleString('en'))
    .replace('{now}', now[chosen].toLocaleString('en')));
}
